"""Which nodes of a graph belong together, for the frames of its drawing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from compiler.graph.ir import Graph, Node
from compiler.plan import Compiled
from compiler.template.library import Fragment, Library


def fragment_groups(compiled: Compiled, library: Library) -> dict[str, str]:
    """Node id → title of the fragment that it came from, for a compiled request; the template's own are left out."""
    own = library.template(compiled.plan.template).skeleton.nodes
    fragments = [library.fragments[name] for name in compiled.plan.fragments if name in library.fragments]
    found = {node_id: _origin(node_id, node, fragments) for node_id, node in compiled.graph.nodes.items()}
    return {node_id: title for node_id, title in found.items() if title and node_id not in own}


def _origin(node_id: str, node: Node, fragments: list[Fragment]) -> str:
    # An attached node is called as in its fragment, with a label or number behind: `lora`, `lora_high_1`.
    matches = [
        (len(base), fragment.manifest.title)
        for fragment in fragments
        for base, inner in fragment.skeleton.nodes.items()
        if inner.kind == node.kind and (node_id == base or node_id.startswith(f"{base}_"))
    ]
    return max(matches, default=(0, ""))[1]


def subgraph_groups(graph: Graph, titles: Mapping[str, str]) -> dict[str, str]:
    """Node id → the subgraph that it was inside of, by its id: `5:2` is node 2 in what was node 5; `titles` names 5."""
    outer = {node_id: node_id.partition(":")[0] for node_id in graph.nodes if ":" in node_id}
    return {node_id: titles.get(instance) or f"subgraph {instance}" for node_id, instance in outer.items()}


def subgraph_titles(workflow: Mapping[str, Any]) -> dict[str, str]:
    """Node id → the name of a subgraph's instance, in a workflow as ComfyUI's page saves it: its own title, else the
    subgraph's."""
    definitions = cast("dict[str, Any]", workflow.get("definitions") or {})
    subgraphs = cast("list[dict[str, Any]]", definitions.get("subgraphs") or [])
    names = {str(one.get("id")): str(one.get("name") or "") for one in subgraphs}
    nodes = cast("list[dict[str, Any]]", workflow["nodes"])
    return {str(node.get("id")): str(node.get("title") or names.get(str(node.get("type")), "")) for node in nodes}
