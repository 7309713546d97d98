"""A workflow file → Workflow: its scopes, their nodes and links, and the widgets that subgraph instances promote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from compiler.catalog import Catalog
from compiler.errors import Fault
from compiler.workflow.build import Loader
from compiler.workflow.faults import WorkflowError
from compiler.workflow.groups import expand_group
from compiler.workflow.limits import check_size, definitions
from compiler.workflow.model import Knot, Link, Port, Role, Scope, items, link_ids, mapping, name_of, text
from compiler.workflow.promote import promote
from compiler.workflow.rules import Rules, rules_for
from compiler.workflow.types import settle_types


@dataclass(slots=True)
class Workflow:
    """A loaded file, ready to be settled."""

    root: Scope
    scopes: dict[str, Scope]
    """Subgraph definitions by id."""
    rules: Rules
    faults: list[Fault]
    findings: list[Fault]


def load(document: Mapping[str, Any], catalog: Catalog) -> Workflow:
    """Reads a workflow in the page's format, versions 0.4 and 1.

    Errors: WorkflowError if it is none, too large, or names a node twice.
    """
    if not isinstance(document.get("nodes"), list):
        cure = "Give a workflow as ComfyUI saves it (Save, not Export (API))"
        raise WorkflowError(Fault("workflow", "has no list of nodes", cure))
    check_size(document)
    rules = rules_for(catalog.version)
    raws = {text(raw.get("id")): raw for raw in definitions(document)}
    scopes = {name: _definition(raw) for name, raw in raws.items()}
    loader = Loader(catalog, rules, scopes, ranks={name: rank for rank, name in enumerate(scopes)})
    root = Scope("", "")
    for scope, raw in ((root, document), *((scopes[name], raws[name]) for name in scopes)):
        loader.inside = scope.name or scope.id
        scope.links = dict(_links(items(raw.get("links"))))
        scope.nodes = _nodes(scope, items(raw.get("nodes")), loader)
    for scope in (root, *scopes.values()):
        _expand_groups(scope, document, loader)
        loader.inside = scope.name or scope.id
        settle_types(scope, loader)
    _promote_all(root, scopes, loader)
    return Workflow(root, scopes, rules, loader.faults, loader.findings)


def _definition(raw: Mapping[str, Any]) -> Scope:
    return Scope(
        id=text(raw.get("id")),
        name=text(raw.get("name")),
        inputs=[_port(item) for item in items(raw.get("inputs"))],
        outputs=[_port(item) for item in items(raw.get("outputs"))],
    )


def _port(raw: Any) -> Port:
    body = mapping(raw)
    return Port(text(body.get("name")), name_of(body.get("type", "*")) or "*", link_ids(body.get("linkIds")))


def _links(raws: list[Any]) -> Iterator[tuple[int | str, Link]]:
    """Links of either form: lists in the root of version 0.4, objects elsewhere; others are left out."""
    for raw in raws:
        if raw.__class__ is list and len(raw) >= 5:
            number, origin, origin_slot, target, target_slot = raw[:5]
        elif raw.__class__ is dict:
            number, origin, target = raw.get("id"), raw.get("origin_id"), raw.get("target_id")
            origin_slot, target_slot = raw.get("origin_slot"), raw.get("target_slot")
        else:
            continue
        if isinstance(number, (int, str)):
            yield number, Link(name_of(origin), _slot(origin_slot), name_of(target), _slot(target_slot))


def _slot(value: Any) -> int:
    if value.__class__ is int:
        return value
    whole = isfinite(value) if isinstance(value, float) else text(value).isdecimal()
    return int(value) if whole else 0


def _nodes(scope: Scope, raws: list[Any], loader: Loader) -> dict[str, Knot]:
    found: dict[str, Knot] = {}
    inside = f" in subgraph {scope.name!r}" if scope.id else ""
    for index, raw in enumerate(raws):
        body = mapping(raw)
        if not isinstance(body.get("id"), (int, str)) or not isinstance(body.get("type"), str):
            cure = "Give every node an id and a type"
            raise WorkflowError(Fault(f"nodes[{index}]{inside}", "has no id or no type", cure))
        knot = loader.knot(body)
        if knot.id in found:
            raise WorkflowError(Fault(f"nodes[{index}]{inside}", f"the id {knot.id!r} is taken", "Number it anew"))
        found[knot.id] = knot
    return found


def _expand_groups(scope: Scope, document: Mapping[str, Any], loader: Loader) -> None:
    groups = mapping(mapping(document.get("extra")).get("groupNodes"))
    for knot in scope.nodes.values():
        if knot.role is Role.INSTANCE and knot.inner is None:
            expand_group(knot, groups, loader, inside=scope.name if scope.id else "")


def _promote_all(root: Scope, scopes: Mapping[str, Scope], loader: Loader) -> None:
    """Gives the instances their widgets, innermost definitions first."""
    done: set[str] = set()

    def visit(scope: Scope) -> None:
        if scope.id in done:
            return
        done.add(scope.id)
        for knot in scope.nodes.values():
            if knot.inner is not None and knot.kind in scopes:
                visit(knot.inner)
                loader.inside = scope.name or scope.id
                promote(knot, knot.inner, loader, outer=scope)

    visit(root)
    for scope in scopes.values():
        visit(scope)
