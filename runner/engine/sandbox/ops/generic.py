"""Nodes without an implementation of their own: those whose outputs are only symbols need none.

Each output carries on the input of its own type in the same place (a LoRA loader's first MODEL output carries on its
first MODEL input), with a digest that covers every input. Files, prompts and pictures among the inputs go along.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, cast

import numpy as np

from compiler.catalog import NodeSchema
from runner.engine.sandbox.node import NodeContext, NodeFailure, NodeResult
from runner.engine.sandbox.ops.partner import partner
from runner.engine.sandbox.ops.values import Conditioning, Latent, Picture, Reference, Symbol, digest

REAL: Final = frozenset(
    {"IMAGE", "MASK", "LATENT", "AUDIO", "VIDEO", "INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "*", "SIGMAS", "NOISE"}
    | {"GUIDER", "MESH", "VOXEL", "SVG", "COMFY_MATCHTYPE_V3", "TRACKS", "FLOATS"}
)
"""Output types that are more than a symbol: a node that makes one must be implemented."""

WEIGHTS: Final[Mapping[str, float]] = {
    "ReferenceLatent": 0.6,
    "TextEncodeQwenImageEdit": 0.6,
    "TextEncodeQwenImageEditPlus": 0.6,
    "ControlNetApply": 0.35,
    "ControlNetApplyAdvanced": 0.35,
    "ControlNetApplySD3": 0.35,
    "ControlNetInpaintingAliMamaApply": 0.35,
    "StyleModelApply": 0.3,
    "unCLIPConditioning": 0.3,
}
"""How much of a node's pictures is to be seen in what is drawn, at strength 1; others: DEFAULT_WEIGHT."""
DEFAULT_WEIGHT: Final = 0.25
MAX_WEIGHT: Final = 0.8

LOGIN_FIRST: Final = "Unauthorized: Please login first to use this node."


def run_generic(kind: str, inputs: Mapping[str, Any], context: NodeContext) -> NodeResult:
    """Runs a node that has no implementation.

    A partner node draws a placeholder if the prompt came with a key, whichever: nobody is called.
    Errors: NodeFailure for a partner node without a key, and for one that would have to make pictures, sound or the
    like.
    """
    schema = context.schema
    if schema.api_node and not context.keyed:
        raise NodeFailure("Exception", LOGIN_FIRST)
    if schema.api_node and (placeholder := partner(kind, schema, inputs)):
        return placeholder
    real = sorted({type_ for type_, _ in schema.outputs if type_ in REAL})
    if real or not schema.outputs:
        what = f"it would have to make {', '.join(real)}" if real else "it writes files of its own"
        raise NodeFailure("NotImplementedError", f"{kind} is not implemented by the comfyc sandbox: {what}")
    return NodeResult(tuple(symbols(kind, schema, inputs)))


def symbols(kind: str, schema: NodeSchema, inputs: Mapping[str, Any]) -> Iterator[Symbol | Conditioning]:
    """One symbol for each output slot."""
    made_by = digest(kind, inputs)
    seen: dict[str, int] = {}
    for type_, _ in schema.outputs:
        place = seen.get(type_, 0)
        seen[type_] = place + 1
        carried = carrier(type_, place, inputs)
        mark = digest(made_by, type_, place)
        yield (
            conditioning(kind, mark, carried, inputs)
            if type_ == "CONDITIONING"
            else symbol(type_, mark, carried, inputs)
        )


def carrier(type_: str, place: int, inputs: Mapping[str, Any]) -> Symbol | Conditioning | None:
    """The input that an output carries on: the one of its type in the same place, else the first."""
    fitting = [
        value
        for value in inputs.values()
        if (isinstance(value, Symbol) and value.type == type_)
        or (isinstance(value, Conditioning) and type_ == "CONDITIONING")
    ]
    return (fitting[place] if place < len(fitting) else fitting[0]) if fitting else None


def symbol(type_: str, mark: str, carried: Any, inputs: Mapping[str, Any]) -> Symbol:
    """A symbol that knows its files and the pictures that went into it."""
    own = tuple(
        value
        for name, value in inputs.items()
        if isinstance(value, str) and ("name" in name or name in ("ckpt", "text_encoder"))
    )
    files = (carried.files if isinstance(carried, Symbol) else ()) + own
    return Symbol(type_, mark, files, tuple(Reference(picture, 1.0) for picture in pictures(inputs)))


def conditioning(kind: str, mark: str, carried: Any, inputs: Mapping[str, Any]) -> Conditioning:
    """A conditioning that knows its prompt and its pictures."""
    strength = inputs.get("strength", 1.0)
    weight = WEIGHTS.get(kind, DEFAULT_WEIGHT) * (float(strength) if isinstance(strength, (int, float)) else 1.0)
    found = tuple(Reference(picture, min(weight, MAX_WEIGHT)) for picture in pictures(inputs)) if weight > 0 else ()
    if isinstance(carried, Conditioning):
        return replace(carried, digest=mark, references=carried.references + found)
    return Conditioning(mark, prompt_text(inputs), found)


def prompt_text(inputs: Mapping[str, Any]) -> str:
    """The prompt among a text encoder's inputs: the longest text."""
    texts = [value for name, value in inputs.items() if isinstance(value, str) and not name.endswith("_name")]
    return max(texts, key=len, default="")


def pictures(inputs: Mapping[str, Any]) -> Iterator[Picture]:
    """The pictures among the inputs, also those inside symbols and encoded latents."""
    for value in inputs.values():
        if isinstance(value, np.ndarray) and value.ndim == 4:
            yield cast("Picture", value)
        elif isinstance(value, Symbol):
            yield from (reference.picture for reference in value.references)
        elif isinstance(value, Latent) and isinstance(value.art, np.ndarray):
            yield value.art
