"""Names for the nodes and parameters of an imported template."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from string import ascii_lowercase
from typing import Final

from compiler.catalog import Catalog
from compiler.graph.ir import Graph, Node, Ref

PARAMS: Final[Mapping[str, tuple[str, str]]] = {
    "width": ("width", "Pixels"),
    "height": ("height", "Pixels"),
    "batch_size": ("batch_size", "Pictures"),
    "length": ("length", "Frames"),
    "fps": ("fps", "Frames a second"),
    "frame_rate": ("fps", "Frames a second"),
    "steps": ("steps", "Sampler steps"),
    "cfg": ("cfg", "Guidance scale"),
    "sampler_name": ("sampler", "Sampler"),
    "scheduler": ("scheduler", "Noise schedule"),
    "denoise": ("denoise", "Share of the noise schedule that is sampled"),
    "guidance": ("guidance", "Guidance scale that the model takes as an input"),
    "shift": ("shift", "Shift of the noise schedule"),
    "seed": ("seed", "Noise seed"),
    "noise_seed": ("seed", "Noise seed"),
    "filename_prefix": ("filename_prefix", "Where the target saves files, under its output folder"),
}
"""Input → (parameter, meaning): the names that fragments take from their host."""

FOLDERS: Final[Mapping[str, str]] = {
    "checkpoints": "checkpoint",
    "diffusion_models": "diffusion_model",
    "text_encoders": "text_encoder",
    "loras": "lora",
    "controlnet": "control_net",
    "style_models": "style_model",
    "model_patches": "model_patch",
    "upscale_models": "upscale_model",
    "embeddings": "embedding",
}
"""Model folder → parameter, where it is not the folder's own name."""


def slug(text: str) -> str:
    """A title as a name: `CLIP Text Encode (Prompt)` → `clip_text_encode_prompt`; empty if nothing is left."""
    spaced = re.sub(r"([a-z\d])([A-Z][a-z])", r"\1_\2", text)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")[:40].strip("_")


def unique(name: str, taken: Iterable[str]) -> str:
    """The name, numbered from 2 on if it is taken."""
    used = set(taken)
    number = 2
    chosen = name
    while chosen in used:
        chosen = f"{name}_{number}"
        number += 1
    return chosen


def lettered(name: str, taken: Iterable[str]) -> str:
    """The name, with a letter behind it if it is taken: a number there would be counted anew by compiling."""
    used = set(taken)
    letters = (f"{name}_{first}{second}" for first in ("", *ascii_lowercase) for second in ascii_lowercase)
    return name if name not in used else next(one for one in letters if one not in used and not one.endswith("_a"))


def readable(graph: Graph, catalog: Catalog, reserved: Iterable[str]) -> Graph:
    """The graph with ids made of titles or class names in place of ComfyUI's numbers; none of them `reserved`."""
    names: dict[str, str] = {}
    barred = set(reserved)
    for node_id, node in graph.nodes.items():
        base = _base(node, catalog) or "node"
        base = f"{base}_node" if base in barred else base
        names[node_id] = lettered(base, names.values())
    return Graph({names[node_id]: _renamed(node, names) for node_id, node in graph.nodes.items()})


def _base(node: Node, catalog: Catalog) -> str:
    schema = catalog.get(node.kind)
    shown = schema.display_name if schema else ""
    titled = node.title if node.title not in ("", shown, node.kind) and len(node.title) <= 40 else ""
    name = slug(titled) or slug(shown) or slug(node.kind)
    return re.sub(r"_(\d+)$", r"\1", name)


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    inputs = {
        name: Ref(names.get(value.node, value.node), value.output) if isinstance(value, Ref) else value
        for name, value in node.inputs.items()
    }
    return Node(node.kind, inputs, node.title)
