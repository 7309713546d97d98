"""The whole story on one screen: bind → expand → PASSES → emit. A pure function of values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from compiler.catalog import FOLDERS, Catalog
from compiler.graph import api_json
from compiler.graph.ir import Graph, Node, Ref
from compiler.media import Media
from compiler.passes import PassContext, run_passes
from compiler.plan import Compiled, Output, OutputKind, Plan
from compiler.provider import Provider, Request
from compiler.template.expand import expand, substitutes
from compiler.template.library import Library
from compiler.template.skeleton import complete

Watch = Callable[[str, Graph], None]


def compile_request(
    provider: Provider,
    request: Request,
    media: Mapping[str, Media],
    library: Library,
    catalog: Catalog,
    *,
    prefix: str = "comfyc",
    watch: Watch | None = None,
) -> Compiled:
    """Compiles a validated request for one target.

    `media` holds what the request mentions, by its own words; `prefix` is the folder and name that the target saves
    files under; `watch` sees the graph after expansion and after each pass.
    Errors: RequestError (the request is wrong), TargetError (the target lacks a class or file), TemplateError.
    """
    binding = provider.binding(request, media, library, catalog)
    template = library.template(binding.template)
    attachments, losses = substitutes(binding.attachments, library, catalog)
    params = complete(template.manifest.params, {**binding.params, "filename_prefix": prefix}, template.id)
    graph = expand(template, params, binding.outputs)
    if watch is not None:
        watch("expand", graph)
    graph = run_passes(graph, PassContext(library, catalog, attachments, params), watch)
    kinds: dict[str, OutputKind] = {one.node: one.kind for one in template.manifest.outputs.values()}
    plan = Plan(
        template=binding.template,
        outputs=tuple(Output(node, kinds[node]) for node in graph.outputs),
        uploads=binding.uploads,
        steps=step_budget(graph, library.tables["samplers"]),
        classes=frozenset(node.kind for node in graph.nodes.values()),
        files=model_files(graph),
    )
    return Compiled(graph, api_json.emit(graph), plan, (*binding.unsupported, *losses))


def step_budget(graph: Graph, samplers: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """Sampler steps by node id, as the node will report them (graphs/tables/samplers.json says where they stand)."""
    budget: dict[str, int] = {}
    for node_id, node in graph.nodes.items():
        row = samplers.get(node.kind)
        if row is not None:
            steps = _number(node, row["steps"], 1)
            end = min(steps, _number(node, row.get("end", ""), steps))
            budget[node_id] = max(1, end - _number(node, row.get("start", ""), 0))
    return budget


def _number(node: Node, name: str, default: int) -> int:
    value: Any = node.inputs.get(name, default)
    return default if isinstance(value, Ref) else int(value)


def model_files(graph: Graph) -> tuple[tuple[str, str], ...]:
    """(folder, file) of each model file named by a loader node."""
    found: list[tuple[str, str]] = []
    for node in graph.nodes.values():
        folder, name = _LOADERS.get(node.kind, ("", ""))
        value = node.inputs.get(name)
        if isinstance(value, str):
            found.append((folder, value))
    return tuple(found)


_LOADERS = {
    **{kind: (folder, name) for folder, (kind, name) in FOLDERS.items()},
    "LoraLoader": ("loras", "lora_name"),
}
