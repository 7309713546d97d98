"""Ids without gaps and nodes in order: the same request gives the same JSON, byte for byte."""

from __future__ import annotations

from compiler.graph.ir import Graph, Node, Ref, topological
from compiler.passes.base import PassContext


def stable_ids(graph: Graph, context: PassContext) -> Graph:
    """Sources before consumers; `lora_2` without a `lora_1` becomes `lora_1`."""
    order = topological(graph.nodes)
    names = _renumbered(list(graph.nodes))
    nodes = {names.get(node_id, node_id): _rename(graph.nodes[node_id], names) for node_id in order}
    wires = {name: Ref(names.get(ref.node, ref.node), ref.output) for name, ref in graph.wires.items()}
    return Graph(nodes, wires, tuple(names.get(output, output) for output in graph.outputs))


def _renumbered(ids: list[str]) -> dict[str, str]:
    groups: dict[str, list[int]] = {}
    for node_id in ids:
        base, _, number = node_id.rpartition("_")
        if base and number.isdecimal() and number.isascii():
            groups.setdefault(base, []).append(int(number))
    names: dict[str, str] = {}
    for base, numbers in groups.items():
        for new, old in enumerate(sorted(numbers), 1):
            if new != old:
                names[f"{base}_{old}"] = f"{base}_{new}"
    return names


def _rename(node: Node, names: dict[str, str]) -> Node:
    if not names or not any(ref.node in names for _, ref in node.links()):
        return node
    inputs = {
        name: Ref(names.get(value.node, value.node), value.output) if isinstance(value, Ref) else value
        for name, value in node.inputs.items()
    }
    return Node(node.kind, inputs, node.title)
