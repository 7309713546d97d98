"""Before converting, ComfyUI's page lets nodes write into others: primitives into the widgets that they feed, and
subgraph instances into the inner widgets that they promote.

The second matters where a promoted input is fed from outside by something that is never sent, e.g. a primitive: the
inner widget's own value is then sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from compiler.catalog import DYNAMIC_COMBO
from compiler.errors import Fault
from compiler.workflow.build import rebuilt
from compiler.workflow.faults import at
from compiler.workflow.javascript import as_javascript
from compiler.workflow.load import Workflow
from compiler.workflow.model import ABSENT, Knot, Role, Scope, Widget, items, mapping
from compiler.workflow.primitive import NUMBERS, primitive_value, taken
from compiler.workflow.promote import connected
from compiler.workflow.shared_texts import SharedTexts

REPLACES: Final = "Run widget replace on values"
"""Property of a PrimitiveNode whose text has `%Node.widget%` replaced."""


def settle(workflow: Workflow, replaced: Callable[[str, Scope], str]) -> list[Fault]:
    """Writes primitives' and promoted values where the page writes them; returns what it cannot do."""
    faults: list[Fault] = []
    texts = SharedTexts(workflow)
    texts.load(workflow)
    for scope in _in_use(workflow):
        for knot in () if scope.group else scope.nodes.values():
            if knot.role is Role.PRIMITIVE and any(knot.out_links[:1]):
                if scope.id and not workflow.rules.primitive_in_subgraph:
                    cure = "Set the values where they are used, or convert for ComfyUI 0.8.0 or newer"
                    what = f"the page of frontend {workflow.rules.frontend} fails on it inside a subgraph"
                    faults.append(Fault(at(knot.id, knot.title, knot.kind), what, cure, "unsupported"))
                _apply_primitive(knot, scope, workflow, replaced, texts)
    for scope in _in_use(workflow):
        for knot in scope.nodes.values():
            if knot.inner is not None:
                _push_down(knot, knot.inner, workflow)
    return faults


def _in_use(workflow: Workflow) -> list[Scope]:
    """The root and all definitions that it uses, outer ones first."""
    found, index = [workflow.root], 0
    while index < len(found):
        for knot in found[index].nodes.values():
            if knot.inner is not None and not any(knot.inner is scope for scope in found):
                found.append(knot.inner)
        index += 1
    return found


def _apply_primitive(
    knot: Knot, scope: Scope, workflow: Workflow, replaced: Callable[[str, Scope], str], texts: SharedTexts
) -> None:
    fed = list(_fed(knot.out_links[0], scope))
    if not fed:
        return
    widgets = [widget for _, widget in fed]
    values = items(knot.raw.get("widgets_values"))
    if _leads_to_reroute(knot, scope):
        values = _lost_behind_reroute(knot, scope, values, widgets, workflow)
    value = primitive_value(values[0] if values else widgets[0].value, widgets)
    if isinstance(value, str) and mapping(knot.raw.get("properties")).get(REPLACES):
        value = replaced(value, scope)
    for target, widget in fed:
        made = taken(widget, value)
        if values and as_javascript(made) != as_javascript(values[0]) and widget.spec.kind in NUMBERS:
            what = f"the primitive's {values[0]!r} arrives as {as_javascript(made)!r}: the page keeps range and step"
            where = f"{at(target.id, target.title, target.kind)}.{widget.name}"
            workflow.findings.append(Fault(where, what, "Set it to a value that the widget has", "rounded"))
        _write(target, widget, made, workflow)
        texts.write(widget, widget.value)


def _lost_behind_reroute(
    knot: Knot, scope: Scope, values: list[Any], widgets: list[Widget], workflow: Workflow
) -> list[Any]:
    """The page makes the primitive's widget too late for its value: it has the default of the one behind the Reroute,
    which comes first among `widgets` from here on."""
    hidden = _behind_reroutes(knot, scope)
    found = hidden.spec.default if hidden else ABSENT
    if hidden:
        widgets.insert(0, hidden)
    if values and values[0] != found:
        shown = repr(found) if hidden else "nothing"
        what = f"the page loses its value {values[0]!r} and sends {shown}, since its first link leads to a Reroute"
        cure = "Link it to a widget first"
        workflow.findings.append(Fault(at(knot.id, knot.title, knot.kind), what, cure, "lost"))
    return [found]


def _leads_to_reroute(knot: Knot, scope: Scope) -> bool:
    link = scope.links.get(knot.out_links[0][0])
    target = scope.nodes.get(link.target) if link else None
    return target is not None and target.role is Role.REROUTE


def _behind_reroutes(knot: Knot, scope: Scope) -> Widget | None:
    """The widget that the first links of the Reroutes lead to."""
    for _ in range(len(scope.nodes)):
        links = knot.out_links[0][:1] if knot.out_links else []
        found = next(_fed(links, scope), None)
        if found is not None:
            return found[1]
        link = scope.links.get(links[0]) if links else None
        target = scope.nodes.get(link.target) if link else None
        if target is None or target.role is not Role.REROUTE:
            return None
        knot = target
    return None


def _fed(links: Sequence[int | str], scope: Scope) -> Iterator[tuple[Knot, Widget]]:
    """The widgets at the ends of a primitive's links, in their order."""
    for number in links:
        link = scope.links.get(number)
        target = scope.nodes.get(link.target) if link else None
        slot = next((slot for slot in target.slots if slot.link == number), None) if target else None
        widget = target.behind(slot) if target and slot else None
        if target and widget:
            yield target, widget


def _push_down(knot: Knot, scope: Scope, workflow: Workflow) -> None:
    for source, copy in scope.copies:
        copy.value = source.value
    for widget in knot.widgets:
        port = next((port for port in scope.inputs if port.name == widget.name), None)
        for inner, _, target in list(connected(port, scope)) if port else ():
            _write(inner, target, widget.value, workflow)


def _write(knot: Knot, widget: Widget, value: Any, workflow: Workflow) -> None:
    widget.value = value
    if widget.spec.kind != DYNAMIC_COMBO:
        return
    before = {one.name: one.value for one in knot.widgets}
    rebuilt(knot, widget, workflow.rules)
    lost = [one.name for one in knot.widgets if one.name in before and one.value != before[one.name]]
    if lost:
        what = f"ComfyUI's page sets {', '.join(lost)} back to the default when {widget.name!r} is promoted"
        cure = f"Promote {', '.join(lost)} too, or do not promote {widget.name}"
        workflow.findings.append(Fault(at(knot.id, knot.title, knot.kind), what, cure, "reset"))
