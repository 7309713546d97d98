"""The one graph type. A link is a `Ref`; the list `["4", 0]` exists only in `api_json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from compiler.errors import Fault, GraphError


class Ref(NamedTuple):
    """A link to output number `output` (from 0) of the node called `node`. A tuple, because compile makes many."""

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
    wires: Mapping[str, Ref] = field(default_factory=dict[str, Ref])
    """Named values that fragments tap or replace: `model`, `positive`, `image`, …"""
    outputs: tuple[str, ...] = ()
    """Ids of the nodes whose files are wanted; what none of them needs is dropped."""

    def __getitem__(self, node_id: str) -> Node:
        return self.nodes[node_id]

    def __len__(self) -> int:
        return len(self.nodes)

    def __contains__(self, node_id: object) -> bool:
        return node_id in self.nodes

    def rewired(self, renames: Mapping[Ref, Ref], nodes: Mapping[str, Node] | None = None) -> Graph:
        """Every link, wire and output that names a key of `renames` follows it; chains are followed to the end."""
        if not renames and nodes is None:
            return self
        final = {old: _follow(new, renames) for old, new in renames.items()}
        kept = {node_id: _relink(node, final) for node_id, node in (nodes or self.nodes).items()}
        wires = {name: final.get(ref, ref) for name, ref in self.wires.items()}
        return Graph(kept, wires, self.outputs)


def _follow(ref: Ref, renames: Mapping[Ref, Ref]) -> Ref:
    while ref in renames:
        ref = renames[ref]
    return ref


def _relink(node: Node, renames: Mapping[Ref, Ref]) -> Node:
    if not any(type(value) is Ref and value in renames for value in node.inputs.values()):
        return node
    inputs = {name: renames.get(value, value) if type(value) is Ref else value for name, value in node.inputs.items()}
    return Node(node.kind, inputs, node.title)


def topological(nodes: Mapping[str, Node]) -> list[str]:
    """Node ids with sources before consumers, ties in written order.

    Errors: GraphError if the links form a cycle.
    """
    order: list[str] = []
    done: dict[str, bool] = {}  # False while its sources are being placed
    for start in nodes:
        if start in done:
            continue
        done[start] = False
        stack = [(start, iter(nodes[start].inputs.values()))]
        while stack:
            node_id, values = stack[-1]
            for value in values:
                if type(value) is not Ref or done.get(value.node) or value.node not in nodes:
                    continue
                if value.node in done:
                    raise GraphError(Fault(node_id, f"its links form a cycle through {value.node!r}", "Break one"))
                done[value.node] = False
                stack.append((value.node, iter(nodes[value.node].inputs.values())))
                break
            else:
                done[node_id] = True
                order.append(node_id)
                stack.pop()
    return order
