"""Graphs as pictures: SVG text, layered from left to right, in the colours that ComfyUI's users know.

Every node is `<g id="node-ID" class="node" data-node="ID">`: a page adds `done`, `cached`, `running` or `failed` to its
class, and sets `--progress` (0 to 1) on it for a bar. The drawing is light or dark as the reader's system prefers;
`data-theme` on it, or around it, decides otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping

from compiler.catalog import Catalog
from compiler.draw.boxes import boxes
from compiler.draw.groups import fragment_groups, subgraph_groups, subgraph_titles
from compiler.draw.layers import parts
from compiler.draw.order import order
from compiler.draw.place import place
from compiler.draw.svg import svg
from compiler.draw.zones import zones
from compiler.graph.ir import Graph

__all__ = ["draw", "fragment_groups", "subgraph_groups", "subgraph_titles"]


def draw(graph: Graph, catalog: Catalog | None = None, *, groups: Mapping[str, str] | None = None) -> str:
    """The graph as an SVG document; broken graphs are drawn too: cycles, links to nowhere, unknown classes.

    The catalog tells types, names of outputs and which nodes are outputs. `groups` is node id → the name of what it
    belongs to, such as a fragment; such nodes are framed together.
    """
    made = boxes(graph, catalog, groups or {})
    found = parts(graph, made)
    for part in found:
        order(part.columns)
    sheet = place(found)
    return svg(found, sheet, made, [zone for part in found for zone in zones(part.columns)])
