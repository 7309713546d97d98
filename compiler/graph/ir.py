"""The one graph type. A link is a `Ref`; the list `["4", 0]` exists only in `api_json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Ref:
    """A link to output number `output` (from 0) of the node called `node`."""

    node: str
    output: int = 0


Literal: TypeAlias = "str | int | float | bool | list[Any] | dict[str, Any] | None"
"""A widget value, as JSON has it. A list is a value here, never a link."""
Value: TypeAlias = "Ref | Literal"


@dataclass(frozen=True, slots=True)
class Node:
    """One node: its ComfyUI class and its inputs by name."""

    kind: str
    """ComfyUI's class_type, e.g. `KSampler`."""
    inputs: Mapping[str, Value] = field(default_factory=dict[str, Value])
    title: str = ""
    """`_meta.title`; ComfyUI ignores it, people read it."""

    def links(self) -> Iterator[tuple[str, Ref]]:
        """(input name, Ref) of each linked input, in order."""
        for name, value in self.inputs.items():
            if isinstance(value, Ref):
                yield name, value


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes by id, in the order they are written. Never changed in place: a pass makes a new one."""

    nodes: Mapping[str, Node]

    def __getitem__(self, node_id: str) -> Node:
        return self.nodes[node_id]

    def __len__(self) -> int:
        return len(self.nodes)

    def __contains__(self, node_id: object) -> bool:
        return node_id in self.nodes
