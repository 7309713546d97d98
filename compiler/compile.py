"""The whole story on one screen: bind → expand → PASSES → emit. A pure function of values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from compiler.binding import Binding
from compiler.catalog import FOLDERS, Catalog
from compiler.errors import RequestError, TargetError, TemplateError
from compiler.graph import api_json
from compiler.graph.ir import Graph, Node, Ref
from compiler.loras import LoraUse
from compiler.media import Media
from compiler.passes import PassContext, run_passes
from compiler.plan import Compiled, Output, OutputKind, Plan, named_packs
from compiler.provider import Provider, Request
from compiler.template.bind import TemplateRequest, bind_template, in_the_callers_words
from compiler.template.expand import Attachment, expand, substitutes
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
    return compile_binding(provider.binding(request, media, library, catalog), library, catalog, prefix, watch)


def compile_template(
    template_id: str,
    params: Mapping[str, Any],
    media: Mapping[str, Media],
    library: Library,
    catalog: Catalog,
    *,
    prefix: str = "comfyc",
    loras: Iterable[LoraUse] = (),
    stack: str = "",
    profile: str = "",
    outputs: Iterable[str] = (),
    attachments: Iterable[Attachment] = (),
    watch: Watch | None = None,
) -> Compiled:
    """Compiles a template with a caller's parameters, for one target; `media`, `prefix` and `watch` as above.

    `stack` gives files and sampling for what `params` leaves open; empty: that of the template's first example.
    Errors: RequestError with a Fault for each field (`template`, `params.width`, `loras[0].id`, …); TargetError.
    """
    asked = TemplateRequest(template_id, params, tuple(loras), stack, profile, tuple(outputs), tuple(attachments))
    binding = bind_template(asked, media, library, catalog)
    try:
        return compile_binding(binding, library, catalog, prefix, watch)
    except TargetError as error:
        raise in_the_callers_words(error, library.template(template_id), params) or error from error
    except TemplateError as error:  # the template loads, so it is what was given that does not fit it
        raise RequestError(*(replace(fault, where="params") for fault in error.faults)) from error


def compile_binding(
    binding: Binding, library: Library, catalog: Catalog, prefix: str = "comfyc", watch: Watch | None = None
) -> Compiled:
    """The graph and plan of a binding. Errors: TargetError, TemplateError."""
    template = library.template(binding.template)
    attachments, losses = substitutes(binding.attachments, library, catalog)
    params = complete(template.manifest.params, {**binding.params, "filename_prefix": prefix}, template.id)
    needs = [template.manifest.needs, *(library.fragment(one.fragment).manifest.needs for one in attachments)]
    packs = tuple(sorted({pack for need in needs for pack in need.packs}))
    graph = expand(template, params, binding.outputs)
    if watch is not None:
        watch("expand", graph)
    try:
        graph = run_passes(graph, PassContext(library, catalog, attachments, params), watch)
    except TargetError as error:
        raise _with_packs(error, packs) from error
    wanted = binding.outputs or tuple(template.manifest.outputs)
    kinds: list[OutputKind] = [template.manifest.outputs[name].kind for name in wanted]
    plan = Plan(
        template=binding.template,
        outputs=tuple(map(Output, graph.outputs, kinds)),  # their ids may have been counted anew
        uploads=binding.uploads,
        steps=step_budget(graph, library.tables["samplers"]),
        classes=frozenset(node.kind for node in graph.nodes.values()),
        files=model_files(graph),
        fragments=tuple(dict.fromkeys(one.fragment for one in attachments)),
        packs=packs,
    )
    return Compiled(graph, api_json.emit(graph), plan, (*binding.unsupported, *losses))


def _with_packs(error: TargetError, packs: tuple[str, ...]) -> TargetError:
    """The same, where a class is missing with the packs that the graph needs as the cure."""
    if not packs:
        return error
    cure = f"It needs {' and '.join(named_packs(packs))}"
    missing = "missing_node_type"
    return TargetError(*(replace(one, cure=cure) if one.code == missing else one for one in error.faults))


def step_budget(graph: Graph, samplers: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """Sampler steps by node id, as the node will report them (graphs/tables/samplers.json says where they stand)."""
    budget: dict[str, int] = {}
    for node_id, node in graph.nodes.items():
        row = samplers.get(node.kind)
        if row is not None:
            steps = _number(graph, node, row["steps"], 1)
            end = min(steps, _number(graph, node, row.get("end", ""), steps))
            budget[node_id] = max(1, end - _number(graph, node, row.get("start", ""), 0))
    return budget


def _number(graph: Graph, node: Node, path: str, default: int) -> int:
    """An input's value; `sigmas.steps` is the input `steps` of the node that `sigmas` is linked to."""
    name, _, rest = path.partition(".")
    value: Any = node.inputs.get(name, default)
    if isinstance(value, Ref):
        source = graph.nodes.get(value.node)
        return _number(graph, source, rest, default) if rest and source else default
    return int(value)


def model_files(graph: Graph) -> tuple[tuple[str, str], ...]:
    """(folder, file) of each model file named by a loader node."""
    found: list[tuple[str, str]] = []
    for node in graph.nodes.values():
        for folder, name in _LOADERS.get(node.kind, ()):
            value = node.inputs.get(name)
            if isinstance(value, str):
                found.append((folder, value))
    return tuple(found)


_LOADERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    **{kind: ((folder, name),) for folder, (kind, name) in FOLDERS.items()},
    "LoraLoader": (("loras", "lora_name"),),
    "DualCLIPLoader": tuple(("text_encoders", f"clip_name{number}") for number in (1, 2)),
    "TripleCLIPLoader": tuple(("text_encoders", f"clip_name{number}") for number in (1, 2, 3)),
    "QuadrupleCLIPLoader": tuple(("text_encoders", f"clip_name{number}") for number in (1, 2, 3, 4)),
}
"""Loader class → (model folder, input) of each file that it names."""
