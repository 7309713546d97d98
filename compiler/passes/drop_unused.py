"""What no wanted output needs is dropped: the image tail of a video job, a negative prompt that nothing reads."""

from __future__ import annotations

from compiler.graph.ir import Graph, Ref
from compiler.passes.base import PassContext


def drop_unused(graph: Graph, context: PassContext) -> Graph:
    """Keeps the nodes that are upstream of graph.outputs, in their order."""
    needed: set[str] = set()
    waiting = list(graph.outputs)
    while waiting:
        node_id = waiting.pop()
        if node_id not in needed and node_id in graph.nodes:
            needed.add(node_id)
            waiting += [value.node for value in graph.nodes[node_id].inputs.values() if type(value) is Ref]
    if len(needed) == len(graph.nodes):
        return graph
    wires = {name: ref for name, ref in graph.wires.items() if ref.node in needed}
    return Graph({i: node for i, node in graph.nodes.items() if i in needed}, wires, graph.outputs)
