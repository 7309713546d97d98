"""Promoted widgets: what a subgraph instance shows of its definition's widgets, and the values that it gives them.

An input of the definition that leads to a widget makes a widget of the instance (frontend 1.24 on). From 1.35 on,
`properties.proxyWidgets` may list them in another order, together with windows on inner widgets, which have no value
of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, cast

from compiler.errors import Fault
from compiler.workflow.build import Loader
from compiler.workflow.layout import WidgetSpec
from compiler.workflow.model import Knot, Port, Scope, Slot, Widget, items, mapping

LINKED: Final = "-1"
"""The node id that stands for the instance's own inputs in proxyWidgets."""


def connected(port: Port, scope: Scope) -> Iterator[tuple[Knot, Slot, Widget]]:
    """Inner widgets that an input of a definition feeds, in the order of its links."""
    for number in port.links:
        link = scope.links.get(number)
        knot = scope.nodes.get(link.target) if link else None
        slot = next((slot for slot in knot.slots if slot.link == number), None) if knot else None
        widget = knot.behind(slot) if knot and slot else None
        if knot and slot and widget:
            yield knot, slot, widget


def _numbered(port: Port, scope: Scope) -> Iterator[tuple[Knot, Slot, Widget]]:
    """Inner widgets at the slots that the links' numbers name: wrong ones, where the file leaves out inputs."""
    for number in port.links:
        link = scope.links.get(number)
        knot = scope.nodes.get(link.target) if link else None
        if link and knot and 0 <= link.target_slot < len(knot.slots):
            slot = knot.slots[link.target_slot]
            widget = knot.behind(slot)
            if widget:
                yield knot, slot, widget


def promote(knot: Knot, scope: Scope, loader: Loader, outer: Scope) -> None:
    """Makes an instance's widgets and gives them their values; the instance is a node of `outer`."""
    for port, slot in zip(scope.inputs, knot.slots, strict=False):
        first = next(connected(port, scope), None)
        if loader.rules.promotes_by_number:
            first = _as_numbered(knot, port, scope, first, loader)
        if first is not None:
            inner = first[2]
            slot.widget = port.name
            spec = WidgetSpec(port.name, inner.spec.kind, spec=inner.spec.spec)
            knot.widgets.append(Widget(spec, inner.value, inner=inner))
    given = items(knot.raw.get("widgets_values"))
    proxies = _proxies(knot, loader) if loader.rules.proxy_widgets else []
    if proxies is None:
        return
    before = [(widget, widget.value) for widget in knot.widgets]
    for widget, value in zip(knot.widgets, given, strict=False):
        widget.value, widget.given = value, True
    if given and not proxies:
        loader.compare(knot, [widget.spec for widget in knot.widgets if widget.spec.saved], given)
    if proxies:
        _by_proxies(knot, proxies, given, loader)
    if loader.ranks.get(scope.id, 0) > loader.ranks.get(outer.id, len(loader.ranks)):
        _defined_late(knot, before, loader)


def _as_numbered(
    knot: Knot, port: Port, scope: Scope, linked: tuple[Knot, Slot, Widget] | None, loader: Loader
) -> tuple[Knot, Slot, Widget] | None:
    """The widget that an old page promotes; a finding where it is another one than the linked one."""
    found = next(_numbered(port, scope), None)
    if (found and found[2]) is not (linked and linked[2]):
        shown = f"the widget {found[2].name!r} of node {found[0].id}" if found else "no widget"
        what = f"for {port.name!r} the page promotes {shown}, since an inner link has the number of another input"
        cure = "Open the subgraph in ComfyUI, link the input anew and save the workflow"
        loader.findings.append(Fault(loader.where(knot), what, cure, "misplaced"))
    return found


def _proxies(knot: Knot, loader: Loader) -> list[tuple[str, str]] | None:
    """[(node id, widget name)], empty if there are none; None if they cannot be read."""
    raw = mapping(knot.raw.get("properties")).get("proxyWidgets")
    if isinstance(raw, str):
        try:
            raw = json.loads(raw)
        except (ValueError, RecursionError):
            raw = 0
    if raw is None:
        return []
    pairs = cast("list[Any]", raw) if isinstance(raw, list) else [None]
    if all(isinstance(pair, list) and [type(part) for part in cast("list[Any]", pair)] == [str, str] for pair in pairs):
        return [(str(pair[0]), str(pair[1])) for pair in cast("list[list[Any]]", pairs)]
    what = "properties.proxyWidgets is no list of [node id, widget name]; the page then leaves the inner values"
    cure = "Save the workflow again in ComfyUI"
    loader.findings.append(Fault(loader.where(knot), what, cure, "ignored"))
    return None


def _by_proxies(knot: Knot, proxies: list[tuple[str, str]], given: list[Any], loader: Loader) -> None:
    """Values by their place in proxyWidgets; widgets whose name another entry takes are dropped."""
    linked = {name for node_id, name in proxies if node_id == LINKED}
    named = {name for _, name in proxies}
    knot.widgets = [widget for widget in knot.widgets if widget.name in linked or widget.name not in named]
    placed: set[str] = set()
    for (node_id, name), value in zip(proxies, given, strict=False):
        widget = knot.widget(name) if node_id == LINKED else None
        if widget is not None and value is not None:
            widget.value, widget.given = value, True
            placed.add(name)
    for widget in knot.widgets[: len(given)]:
        if widget.name not in placed and len(given) and not _all_null(given):
            what = f"the value of {widget.name!r} is taken by its number, since proxyWidgets gives it none"
            cure = "Set it in ComfyUI and save the workflow again"
            loader.findings.append(Fault(loader.where(knot), what, cure, "doubtful"))


def _defined_late(knot: Knot, before: list[tuple[Widget, Any]], loader: Loader) -> None:
    """The page loads definitions in the file's order and loses what an instance says of a later one."""
    lost = [widget.name for widget, value in before if widget.value != value]
    for widget, value in before:
        widget.value, widget.given = value, False
    if lost:
        what = f"the page loses {', '.join(lost)} here, since the subgraph is defined later in the file"
        loader.findings.append(Fault(loader.where(knot), what, "Define inner subgraphs before outer ones", "lost"))


def _all_null(values: list[Any]) -> bool:
    return all(value is None for value in values)
