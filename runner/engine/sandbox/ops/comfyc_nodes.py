"""The nodes of comfyc's own pack (comfy_nodes/)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from compiler.sizes import Fit, fit_to_area
from runner.engine.sandbox.ops.latents import encode
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.resample import resize
from runner.engine.sandbox.ops.values import Conditioning, Floats, Reference, digest, octets

MULTIPLE: Final = 16
FIRST_WEIGHT: Final = 0.6
TEXTS: Final = ("prompt", "negative_prompt")


@op("ComfycQwenEditEncode")
def qwen_edit_encode(inputs: Mapping[str, Any]) -> tuple[Any, ...]:
    """Both conditionings, the first picture's latent, and where the picture lies on the result: x, y, width, height."""
    pictures = [inputs[name] for name in ("image1", "image2", "image3") if inputs.get(name) is not None]
    size, method, seed = inputs["target_size"], inputs["crop_method"], inputs["seed"]
    fits = [fit_to_area(one.shape[2], one.shape[1], size, MULTIPLE, method, seed) for one in pictures]
    canvases = [on_canvas(one, fit, inputs["upscale_method"]) for one, fit in zip(pictures, fits, strict=True)]
    shared = digest("qwen edit", {name: value for name, value in inputs.items() if name not in TEXTS})
    seen = tuple(Reference(octets(one)[:1], FIRST_WEIGHT / (1 + at)) for at, one in enumerate(canvases))
    asked, avoided = (Conditioning(digest(shared, inputs[name]), inputs[name], seen) for name in TEXTS)
    place = fits[0].left, fits[0].top, fits[0].result_width, fits[0].result_height
    return asked, avoided, encode(canvases[0], inputs["vae"], frames=False), *place


def on_canvas(picture: Floats, fit: Fit, method: str) -> Floats:
    """[B,H,W,C] scaled, padded by repeating its border, cropped to the canvas; three channels."""
    scaled = resize(picture[..., :3], fit.scaled_width, fit.scaled_height, method)
    padded = np.pad(scaled, ((0, 0), (fit.top, fit.bottom), (fit.left, fit.right), (0, 0)), mode="edge")
    return padded[:, fit.y : fit.y + fit.height, fit.x : fit.x + fit.width]
