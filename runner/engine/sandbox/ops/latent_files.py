"""Latents on disk: safetensors files whose tensor holds what the latent decodes to. Only the sandbox can read them."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np

from runner.engine.sandbox.node import NodeContext, NodeResult
from runner.engine.sandbox.ops.files import annotated_path, metadata, place
from runner.engine.sandbox.ops.paint import draw
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.values import Latent

TENSOR: Final = "latent_tensor"
FACTS: Final = (
    "digest",
    "width",
    "height",
    "batch",
    "frames",
    "channels",
    "space",
    "time",
    "video",
    "caption",
    "seconds",
)


@op("SaveLatent", raw=True)
def save_latent(samples: Latent, context: NodeContext, filename_prefix: str = "latents/ComfyUI") -> NodeResult:
    path, entry = place(filename_prefix, context).file("latent")
    facts = {name: getattr(samples, name) for name in FACTS}
    pictures = None if samples.art is None else draw(samples)
    data = b"" if pictures is None else pictures.tobytes()
    shape = [] if pictures is None else list(pictures.shape)
    header: dict[str, Any] = {
        TENSOR: {"dtype": "U8", "shape": shape or [0], "data_offsets": [0, len(data)]},
        "__metadata__": {**metadata(context), "comfyc": json.dumps(facts)},
    }
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return NodeResult((), {"latents": [entry]})


@op("LoadLatent", raw=True)
def load_latent(latent: str, context: NodeContext) -> Latent:
    """Errors: ValueError for a latent of a real ComfyUI: there is no model here to make a picture of it."""
    data = annotated_path(latent, context).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    own = header.get("__metadata__", {}).get("comfyc")
    if own is None:
        raise ValueError("the comfyc sandbox reads only latents that it has saved itself")
    shape = header[TENSOR]["shape"]
    art = None if shape == [0] else np.frombuffer(data[8 + size :], np.uint8).reshape(shape)
    return Latent(**json.loads(own), art=art)
