"""Nodes of one class with equal inputs are one node: a model file is loaded once, a text encoded once."""

from __future__ import annotations

from compiler.graph.ir import Graph, Node, Ref, Value, topological
from compiler.passes.base import PassContext


def share_nodes(graph: Graph, context: PassContext) -> Graph:
    """The first of equal nodes stays, the others' consumers follow it. Output nodes are never merged.

    `%a = VAELoader(vae_name="x")`, `%b = VAELoader(vae_name="x")` → consumers of %b take %a.
    """
    seen: dict[object, str] = {}
    merged: dict[str, str] = {}
    kept: dict[str, Node] = {}
    for node_id in topological(graph.nodes):
        node = _follow(graph.nodes[node_id], merged)
        schema = context.catalog.nodes.get(node.kind)
        if schema is not None and not schema.output_node:
            key = (node.kind, *((name, _key(value)) for name, value in sorted(node.inputs.items())))
            first = seen.setdefault(key, node_id)
            if first != node_id:
                merged[node_id] = first
                continue
        kept[node_id] = node
    if not merged:
        return graph
    wires = {name: Ref(merged.get(ref.node, ref.node), ref.output) for name, ref in graph.wires.items()}
    return Graph({node_id: kept[node_id] for node_id in graph.nodes if node_id in kept}, wires, graph.outputs)


def _follow(node: Node, merged: dict[str, str]) -> Node:
    if not merged or not any(ref.node in merged for _, ref in node.links()):
        return node
    inputs = {
        name: Ref(merged[value.node], value.output) if isinstance(value, Ref) and value.node in merged else value
        for name, value in node.inputs.items()
    }
    return Node(node.kind, inputs, node.title)


def _key(value: Value) -> object:
    # The type is part of the key: 1, 1.0 and True are equal in Python, not for a node.
    return value if type(value) is Ref else (type(value), repr(value))
