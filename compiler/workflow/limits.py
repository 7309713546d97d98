"""How much a workflow may hold; what is larger is refused before it is worked on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from compiler.errors import Fault
from compiler.workflow.faults import WorkflowError
from compiler.workflow.model import items, mapping, text

MAX_BYTES: Final = 8 * 1024 * 1024
MAX_NODES: Final = 10_000
"""Nodes in the file, and nodes after subgraphs are expanded."""
MAX_LINKS: Final = 100_000
MAX_DEPTH: Final = 100
"""Nesting of lists and objects in the file."""
MAX_SUBGRAPH_DEPTH: Final = 32
NESTED: Final = (dict, list)
"""Types of JSON values that hold others."""


def read_json(data: bytes | str, where: str = "workflow") -> Any:
    """Parses a file, but not one that is too large or nested too deep.

    Errors: WorkflowError.
    """
    if len(data) > MAX_BYTES:
        what = f"is {len(data) / 1e6:.1f} MB; at most {MAX_BYTES / 1e6:.1f} MB are read"
        raise WorkflowError(Fault(where, what, "Take large values out, e.g. images in base64", "too_large"))
    try:
        document = json.loads(data)
    except RecursionError:
        raise _too_deep(where) from None
    except ValueError as error:
        raise WorkflowError(Fault(where, f"is not JSON: {error}", "Give a workflow as ComfyUI saves it")) from None
    check_depth(document, where)
    return document


def _too_deep(where: str) -> WorkflowError:
    what = f"nests lists or objects more than {MAX_DEPTH} deep"
    return WorkflowError(Fault(where, what, "Give a workflow as ComfyUI saves it", "too_deep"))


def check_depth(value: Any, where: str) -> None:
    """Errors: WorkflowError if lists and objects nest deeper than MAX_DEPTH."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer) if inner.__class__ in NESTED]
        if not level:
            return
    raise _too_deep(where)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).values()
    return cast("list[Any]", value) if isinstance(value, list) else ()


def check_size(document: Mapping[str, Any]) -> None:
    """Errors: WorkflowError for too many nodes or links, in the file or once its subgraphs are expanded."""
    scopes = {text(raw.get("id")): raw for raw in definitions(document)}
    whole = [document, *scopes.values()]
    _at_most("nodes", sum(len(items(scope.get("nodes"))) for scope in whole), MAX_NODES)
    _at_most("links", sum(len(items(scope.get("links"))) for scope in whole), MAX_LINKS)
    _at_most("nodes", _expanded(document, scopes, {}, ()), MAX_NODES, " once its subgraphs are expanded")


def definitions(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The subgraph definitions of a workflow file, nested lists of them included."""
    found: list[dict[str, Any]] = []
    waiting = [document]
    while waiting:
        for raw in items(mapping(waiting.pop().get("definitions")).get("subgraphs")):
            if isinstance(raw, dict):
                found.append(cast("dict[str, Any]", raw))
                waiting.append(found[-1])
    return found


def _at_most(what: str, count: int, most: int, when: str = "") -> None:
    if count > most:
        raise WorkflowError(Fault("workflow", f"has {count} {what}{when}; at most {most} are converted", "Split it"))


def _expanded(
    scope: Mapping[str, Any], scopes: Mapping[str, Mapping[str, Any]], known: dict[str, int], path: tuple[str, ...]
) -> int:
    """Nodes that a scope amounts to. Errors: WorkflowError for a subgraph that holds itself."""
    total = 0
    for raw in items(scope.get("nodes")):
        kind = text(mapping(raw).get("type"))
        total += 1
        if kind not in scopes:
            continue
        if kind in path:
            cure = "Take the inner instance out: a subgraph may not hold itself"
            raise WorkflowError(Fault(f"subgraph {kind}", "holds itself", cure, "cycle"))
        if len(path) > MAX_SUBGRAPH_DEPTH:
            raise WorkflowError(Fault("workflow", f"nests subgraphs more than {MAX_SUBGRAPH_DEPTH} deep", "Flatten it"))
        if kind not in known:
            known[kind] = _expanded(scopes[kind], scopes, known, (*path, kind))
        total += known[kind]
    return total
