"""Widgets that a template leaves out get the target's own default, so that a node may gain inputs between versions."""

from __future__ import annotations

from compiler.graph.ir import Graph, Node
from compiler.passes.base import PassContext


def fill_defaults(graph: Graph, context: PassContext) -> Graph:
    """Required widget inputs that are absent take the catalog's default, or a combo's first choice."""
    changed: dict[str, Node] = {}
    for node_id, node in graph.nodes.items():
        schema = context.catalog.nodes.get(node.kind)
        if schema is None or schema.defaults.keys() <= node.inputs.keys():
            continue
        missing = {name: value for name, value in schema.defaults.items() if name not in node.inputs}
        if missing:
            changed[node_id] = Node(node.kind, {**node.inputs, **missing}, node.title)
    return Graph({**graph.nodes, **changed}, graph.wires, graph.outputs) if changed else graph
