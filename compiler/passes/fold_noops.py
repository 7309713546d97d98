"""Nodes that change nothing are taken out, e.g. a LoRA of strength 0 or a crop to the whole picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compiler.graph.ir import Graph, Node, Ref
from compiler.passes.base import PassContext


def fold_noops(graph: Graph, context: PassContext) -> Graph:
    """Each node that matches a row of graphs/tables/noops.json is bypassed: its consumers follow its source.

    `%lora = LoraLoaderModelOnly(model=%unet, strength_model=0)` → consumers of %lora take %unet.
    """
    rows: Mapping[str, Any] = context.library.tables["noops"]
    renames: dict[Ref, Ref] = {}
    for node_id, node in graph.nodes.items():
        row = rows.get(node.kind)
        if row is not None and _matches(node, row["when"]):
            for output, name in row["through"].items():
                source = node.inputs.get(name)
                if isinstance(source, Ref):
                    renames[Ref(node_id, int(output))] = source
    if not renames:
        return graph
    gone = {ref.node for ref in renames}
    return graph.rewired(renames, {node_id: node for node_id, node in graph.nodes.items() if node_id not in gone})


def _matches(node: Node, when: Mapping[str, Any]) -> bool:
    for name, value in when.items():
        given = node.inputs.get(name)
        if isinstance(given, Ref) or given != value:
            return False
    return True
