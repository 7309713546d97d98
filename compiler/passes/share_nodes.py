"""Nodes of one class with equal inputs are one node: a model file is loaded once, a text encoded once."""

from __future__ import annotations

from collections.abc import Mapping

from compiler.catalog import Catalog
from compiler.graph.ir import Graph, Node, Ref, Value
from compiler.passes.base import PassContext


def share_nodes(graph: Graph, context: PassContext) -> Graph:
    """The first of equal nodes stays, the others' consumers follow it. Output nodes are never merged.

    `%a = VAELoader(vae_name="x")`, `%b = VAELoader(vae_name="x")` → consumers of %b take %a.
    """
    while merged := _twins(graph, context.catalog):
        renames = {
            Ref(node_id, output): Ref(first, output)
            for node_id, first in merged.items()
            for output in range(len(context.catalog.nodes[graph[node_id].kind].outputs))
        }
        kept = {node_id: node for node_id, node in graph.nodes.items() if node_id not in merged}
        graph = graph.rewired(renames, kept)  # consumers may have become equal: look again
    return graph


def _twins(graph: Graph, catalog: Catalog) -> dict[str, str]:
    """Node id → the earlier node that it equals. Only nodes of one class are compared."""
    by_kind: dict[str, list[tuple[str, Node]]] = {}
    merged: dict[str, str] = {}
    for node_id, node in graph.nodes.items():
        earlier = by_kind.setdefault(node.kind, [])
        first = next((other for other, twin in earlier if _equal(twin.inputs, node.inputs)), None)
        schema = catalog.nodes.get(node.kind)
        if first is None or schema is None or schema.output_node:
            earlier.append((node_id, node))
        else:
            merged[node_id] = first
    return merged


def _equal(one: Mapping[str, Value], two: Mapping[str, Value]) -> bool:
    # 1, 1.0 and True are equal in Python, not for a node; repr tells them apart, also inside lists.
    return one == two and all(value == two[name] and repr(value) == repr(two[name]) for name, value in one.items())
