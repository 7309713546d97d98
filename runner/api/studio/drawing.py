"""What Studio shows of a request or a workflow: its drawing, its graph, and what there is to say about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from compiler import Catalog, Compiled, Library, Media, RequestError
from compiler.check import check_graph
from compiler.draw import draw, fragment_groups, subgraph_groups, subgraph_titles
from compiler.errors import Fault, GraphError
from compiler.graph import api_json
from compiler.workflow import WorkflowError, convert, is_png, kind_of, read_json, read_png, to_ui, unwrapped

STAND_INS: Final[Mapping[str, Media]] = {
    "studio:image": Media("comfyc/your-picture.png", "image", 1024, 768),
    "studio:mask": Media("comfyc/your-mask.png", "image", 1024, 768),
    "studio:video": Media("comfyc/your-video.mp4", "video", 832, 480, 81, 16.0),
    "studio:audio": Media("comfyc/your-sound.flac", "audio"),
}
"""Taken in a drawing for media that are not chosen yet; a job needs real ones. No square: a canvas has room to grow."""

UNKNOWN: Final = "unknown class"
MOST_NODES: Final = 3000
"""In a file that is drawn: more than a browser moves smoothly, and than a person can follow."""


def compiled_answer(compiled: Compiled, catalog: Catalog, library: Library) -> dict[str, Any]:
    """A request's graph."""
    plan = compiled.plan
    return {
        "svg": draw(compiled.graph, catalog, groups=fragment_groups(compiled, library)),
        "graph": compiled.api,
        "template": plan.template,
        "target": catalog.label,
        "nodes": len(compiled.api),
        "steps": sum(plan.steps.values()),
        "outputs": [{"node": one.node, "kind": one.kind} for one in plan.outputs],
        "files": [{"folder": folder, "file": file} for folder, file in plan.files],
        "warnings": [{"field": one.field, "why": one.why, "code": one.code} for one in compiled.unsupported],
    }


def opened_answer(data: bytes, catalog: Catalog) -> dict[str, Any]:
    """A file that was dropped on the page: a workflow, an API graph, or a PNG with one of them.

    Errors: RequestError where there is no graph to draw.
    """
    document = unwrapped(_document(data))
    kind = kind_of(document)
    if not kind:
        what, cure = "is neither a workflow nor an API graph", "Save it in ComfyUI, or drop a picture that ComfyUI made"
        raise RequestError(Fault("file", what, cure, "unknown"))
    api, faults, findings = _converted(document, kind, catalog)
    if len(api) > MOST_NODES:
        what, cure = f"has {len(api):,} nodes; at most {MOST_NODES:,} are drawn", "`comfyc check` and `convert` take it"
        raise RequestError(Fault("file", what, cure, "too_large"))
    try:
        graph = api_json.parse(_with_classes(api) if faults else api, where="file")
    except GraphError as error:
        raise RequestError(*error.faults) from error
    checked, titles = check_graph(api, catalog), subgraph_titles(document) if kind == "ui" else {}
    return {
        "kind": kind,
        "svg": draw(graph, catalog, groups=subgraph_groups(graph, titles)),
        "graph": api,
        "workflow": document if kind == "ui" else None,
        "target": catalog.label,
        "nodes": len(api),
        "valid": checked.valid and not faults,
        "faults": [*map(_row, faults), *_refusals(checked.error, checked.node_errors)],
        "findings": [*map(_row, findings), *(_placed(_row(one), api) for one in checked.findings)],
        "bad_nodes": sorted(checked.node_errors),
    }


def workflow_of(api: Mapping[str, Any], catalog: Catalog) -> dict[str, Any]:
    """A graph as ComfyUI's page opens it. Errors: RequestError."""
    return to_ui(api, catalog)


def _document(data: bytes) -> Any:
    if not is_png(data):
        return read_json(data, "file")
    document = read_png(data)
    if document is None:
        raise RequestError(Fault("file", "is a picture without a workflow", "Drop one that ComfyUI saved", "unknown"))
    return document


def _converted(document: Any, kind: str, catalog: Catalog) -> tuple[dict[str, Any], Iterable[Fault], Iterable[Fault]]:
    """The API graph, what is wrong with it, and what its author may not want."""
    if kind == "api":
        return cast("dict[str, Any]", document), (), ()
    try:
        made = convert(document, catalog)
    except WorkflowError as error:
        if not error.api:
            raise
        return dict(error.api), error.faults, error.findings
    return made.api, (), made.findings


def _with_classes(api: Mapping[str, Any]) -> dict[str, Any]:
    """A graph that can be drawn: ComfyUI's page sends nodes that it does not know without their class."""
    return {node_id: {**node, "class_type": node.get("class_type") or UNKNOWN} for node_id, node in api.items()}


def _refusals(error: Mapping[str, Any] | None, node_errors: Mapping[str, Any]) -> list[dict[str, str]]:
    """What the target's server would answer, as rows like faults."""
    rows: list[dict[str, str]] = []
    for node, entry in node_errors.items():
        for one in entry["errors"]:
            details = f": {one['details']}" if one["details"] else ""
            where = f"node {node} ({entry['class_type']})"
            fault = f"{one['message']}{details}"
            rows.append({"field": where, "fault": fault, "cure": "", "code": one["type"], "node": node})
    if error and not rows:
        rows.append({"field": "graph", "fault": str(error["message"]), "cure": "", "code": str(error["type"])})
    return rows


def _placed(row: dict[str, str], api: Mapping[str, Any]) -> dict[str, str]:
    """A finding with its node: that of `5:2.cfg` is `5:2`."""
    node = row["field"]
    while node and node not in api:
        node = node.rpartition(".")[0]
    return {**row, "node": node} if node else row


def _row(fault: Fault) -> dict[str, str]:
    return {"field": fault.where, "fault": fault.what, "cure": fault.cure, "code": fault.code}
