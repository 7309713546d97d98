"""The pass list is the architecture: one ordered tuple, a reason a line. A pass has a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from compiler.graph.ir import Graph
from compiler.graph.verify import verify, verify_structure
from compiler.passes.base import Pass, PassContext
from compiler.passes.drop_unused import drop_unused
from compiler.passes.fill_defaults import fill_defaults
from compiler.passes.fold_noops import fold_noops
from compiler.passes.share_nodes import share_nodes
from compiler.passes.stable_ids import stable_ids
from compiler.template.expand import attach


def attach_fragments(graph: Graph, context: PassContext) -> Graph:
    """Splices LoRA, frames, presets and tails on the template's wires."""
    return attach(graph, context.attachments, context.library, context.params)


def verify_for_target(graph: Graph, context: PassContext) -> Graph:
    """Raises TargetError where the target would refuse the graph, or run it otherwise than meant."""
    verify(graph, context.catalog)
    return graph


PASSES: Final[tuple[Pass, ...]] = (
    attach_fragments,  # first: everything below works on the whole graph
    fold_noops,  # before sharing: a folded node must not keep two chains apart
    drop_unused,  # before sharing: less to compare
    share_nodes,  # after folding: chains that became equal become one
    fill_defaults,  # after dropping: only nodes that stay need the target's defaults
    stable_ids,  # last rewrite: nothing may rename afterwards
    verify_for_target,  # at the very end: what is checked is what is sent
)


def run_passes(graph: Graph, context: PassContext, watch: Callable[[str, Graph], None] | None = None) -> Graph:
    """Runs PASSES in order. With `watch`, structure is verified after each pass and (name, graph) is handed over."""
    for one in PASSES:
        graph = one(graph, context)
        if watch is not None:
            verify_structure(graph)
            watch(one.__name__, graph)
    return graph
