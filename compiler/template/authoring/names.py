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
    "aspect_ratio": ("aspect_ratio", "Width to height"),
    "resolution": ("resolution", "Size"),
    "filename_prefix": ("filename_prefix", "Where the target saves files, under its output folder"),
}
"""Input → (parameter, meaning): the names that fragments take from their host."""

PARTNER: Final[Mapping[str, tuple[str, str]]] = {
    "model": ("model", "Model of the provider"),
    "model_name": ("model", "Model of the provider"),
    "ratio": ("aspect_ratio", "Width to height"),
    "size": ("size", "Width and height"),
    "duration": ("duration", "Seconds"),
    "duration_seconds": ("duration", "Seconds"),
    "guidance_scale": ("guidance", "Guidance scale"),
    "cfg_scale": ("cfg", "Guidance scale"),
    "quality": ("quality", "Quality"),
    "negative_prompt": ("negative_prompt", "What to keep out"),
}
"""The same for the nodes of partners, whose inputs have names of their own."""

SAME_AS_PROMPT: Final = frozenset({"prompt", "positive_prompt", "negative_prompt", "user_prompt", "text", "positive"})
"""Titles of a text that say no more than its role does."""

EXPERTS: Final = ("high", "low")
"""Words in a title or file name that tell the models of one graph apart."""

TELLING: Final = frozenset(
    {
        "start",
        "end",
        "first",
        "last",
        "middle",
        "reference",
        "ref",
        "control",
        "mask",
        "style",
        "subject",
        "face",
        "pose",
    }
)
"""Words in the name of an input that tell what a picture is for."""

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
    "latent_upscale_models": "latent_upscale_model",
    "audio_encoders": "audio_encoder",
}
"""Model folder → parameter, where it is not the folder's own name."""


def slug(text: str) -> str:
    """A title as a name: `CLIP Text Encode (Prompt)` → `clip_text_encode_prompt`; empty if nothing is left."""
    return "_".join(words(text))[:40].strip("_")


def words(text: str) -> list[str]:
    """The words of a title, a file name or a class name in lower case: `WanFirstFrame_high.pt` has five."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=\d)(?=[A-Z][a-z])", " ", text)
    return re.findall(r"[a-z0-9]+", spaced.lower())


def expert(text: str) -> str:
    """Which of two models a title or file name speaks of; empty if of neither or of both."""
    said = [word for word in EXPERTS if word in words(text)]
    return said[0] if len(said) == 1 else ""


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
