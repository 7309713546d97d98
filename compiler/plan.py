"""What a compiled graph needs and gives, beside its JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from compiler.graph.ir import Graph
from compiler.media import Media

OutputKind: TypeAlias = Literal["image", "video", "audio", "text"]


def named_packs(packs: Iterable[str]) -> list[str]:
    """For messages: `the node pack 'comfyc' (comfyc nodes link COMFYUI_DIR)`."""
    ours = " (comfyc nodes link COMFYUI_DIR)"
    return [f"the node pack {pack!r}{ours if pack == 'comfyc' else ''}" for pack in packs]


@dataclass(frozen=True, slots=True)
class Output:
    """A node whose files are the result."""

    node: str
    kind: OutputKind


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Something that was asked and that this graph cannot honour; told to the caller, never dropped in silence."""

    field: str
    why: str
    code: str = "unsupported_field"

    def __str__(self) -> str:
        return f"{self.field}: {self.why}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What the runner must know to run the graph and to report on it."""

    template: str
    """Id of the template: `wan2x/video`. The key of measured durations."""
    outputs: tuple[Output, ...]
    uploads: tuple[Media, ...]
    """Media that must lie in the engine's input folder first."""
    steps: Mapping[str, int]
    """Sampler steps by node id: the budget that progress is weighted by."""
    classes: frozenset[str]
    """Node classes that the graph uses."""
    files: tuple[tuple[str, str], ...] = ()
    """(folder, file) of each model file that the graph names."""
    fragments: tuple[str, ...] = ()
    """Ids of the fragments attached to the template."""
    packs: tuple[str, ...] = ()
    """Node packs beyond ComfyUI's core that the graph needs, by name, sorted."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """The result of compile: a graph, the JSON that ComfyUI takes, and the plan."""

    graph: Graph
    api: dict[str, Any]
    """The `prompt` of POST /prompt."""
    plan: Plan
    unsupported: tuple[Unsupported, ...]
