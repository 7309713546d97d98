"""What a compiled graph needs and gives, beside its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from compiler.graph.ir import Graph
from compiler.media import Media

OutputKind: TypeAlias = Literal["image", "video", "audio", "text"]


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


@dataclass(frozen=True, slots=True)
class Compiled:
    """The result of compile: a graph, the JSON that ComfyUI takes, and the plan."""

    graph: Graph
    api: dict[str, Any]
    """The `prompt` of POST /prompt."""
    plan: Plan
    unsupported: tuple[Unsupported, ...]
