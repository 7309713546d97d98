"""Importing a graph as a template: written to a folder, linted, loaded from there, and made again."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from compiling import library, target

from compiler import Compiled, Library, Media, compile_template, template_media
from compiler.catalog import Catalog
from compiler.graph.api_json import emit, parse
from compiler.graph.ir import Graph, Ref
from compiler.shipped import CATALOGS, pack_nodes
from compiler.template.authoring import Proposal, documents, lint_folder, propose
from compiler.template.library import load_template

RESERVED = {node_id for fragment in library().fragments.values() for node_id in fragment.skeleton.nodes}


def everything() -> Catalog:
    """ComfyUI 0.8.0 with our own pack and the classes of third-party ones that fragments use."""
    found = target("0.8.0+comfyc")
    for path in (CATALOGS / "packs").glob("*.json"):
        found = found.extended(pack_nodes(path.stem).nodes)
    return found


CATALOG = everything()


def imported(graph: Graph, folder: Path, **options: Any) -> tuple[Proposal, Library]:
    """The template written to a folder, linted, and loaded from there."""
    proposal = propose(parse(emit(graph)), CATALOG, reserved=RESERVED, **options)
    target_folder = folder / "own" / "made"
    target_folder.mkdir(parents=True)
    for name, data in zip(("graph.json", "manifest.json"), documents(proposal, "Made"), strict=True):
        (target_folder / name).write_text(json.dumps(data), encoding="utf-8")
    assert lint_folder(target_folder, library(), CATALOG) == []
    return proposal, library().with_templates({"own/made": load_template(target_folder)})


def rendered(
    known: Library, params: dict[str, Any] | None = None, *, catalog: Catalog | None = None, **options: Any
) -> Compiled:
    example = known.templates["own/made"].manifest.examples[0]
    given = {**example.params, **(params or {})}
    refs = template_media("own/made", given, known)
    media = {ref.value: Media(ref.value, "image" if ref.kind == "mask" else ref.kind) for ref in refs}
    return compile_template("own/made", given, media, known, catalog or CATALOG, **options)


def shape(graph: Graph) -> list[Any]:
    """A graph without its ids: each node with what it is fed, in an order of its own."""
    known: dict[str, str] = {}

    def told(node_id: str) -> str:
        if node_id not in known:
            node = graph[node_id]
            inputs = {
                name: f"{told(value.node)}.{value.output}" if isinstance(value, Ref) else value
                for name, value in node.inputs.items()
                if name != "filename_prefix"
            }
            text = json.dumps([node.kind, inputs], sort_keys=True)
            known[node_id] = f"{node.kind} {sha256(text.encode()).hexdigest()}"
        return known[node_id]

    return sorted(told(node_id) for node_id in graph.nodes)
