"""Legacy group nodes (`workflow>Name`, extra.groupNodes): each becomes an instance of a subgraph of its own.

Inner node number i is sent as `<id>:<i>`. The group shows what is not linked inside: slots of all inner nodes, then
inputs that were converted from widgets. Its widgets_values are those of the inner nodes, one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from compiler.errors import Fault
from compiler.workflow.build import Loader, instance_slots
from compiler.workflow.faults import WorkflowError, at
from compiler.workflow.layout import CONTROL
from compiler.workflow.model import FROM_OUTSIDE, Knot, Link, Port, Role, Scope, Slot, items, mapping


def expand_group(knot: Knot, groups: Mapping[str, Any], loader: Loader, inside: str) -> None:
    """Gives a group node its inner scope.

    Errors: WorkflowError for a group inside a subgraph or inside a group, or one that the file does not define.
    """
    config = mapping(groups.get(knot.kind[len("workflow>") :]))
    where = at(knot.id, knot.title, knot.kind)
    if inside:
        what, cure = f"is a group node inside the subgraph {inside!r}", "Convert the group node to a subgraph"
        raise WorkflowError(Fault(where, what, cure, "unsupported"))
    if not config:
        cure = "Save the workflow with its group nodes, or give it the missing subgraph"
        raise WorkflowError(Fault(where, "its group node is not defined in the file", cure, "unknown"))
    scope = Scope(knot.kind, knot.kind)
    for index, raw in enumerate(items(config.get("nodes"))):
        inner = loader.knot({**mapping(raw), "id": index})
        if inner.role is Role.INSTANCE:
            raise WorkflowError(Fault(where, "holds another group node or subgraph", "Flatten it in ComfyUI"))
        scope.nodes[inner.id] = inner
        for slot in inner.slots:
            slot.link = None
    _inner_links(scope, config)
    _ports(scope, config)
    _values(knot, scope, config)
    saved = {slot.name: slot for slot in knot.slots}
    instance_slots(knot, scope)
    for slot in knot.slots:
        slot.link = saved[slot.name].link if slot.name in saved else None


def _inner_links(scope: Scope, config: Mapping[str, Any]) -> None:
    for number, raw in enumerate(items(config.get("links"))):
        parts = cast("list[Any]", raw) if isinstance(raw, list) else []
        if len(parts) < 4 or any(not isinstance(part, int) for part in parts[:4]):
            continue
        source, source_slot, target, target_slot = parts[:4]
        knot = scope.nodes.get(str(target))
        slot = _numbered(knot, config, target_slot) if knot else None
        if slot is not None and str(source) in scope.nodes:
            slot.link = number
            scope.links[number] = Link(str(source), source_slot, str(target))
            scope.nodes[str(source)].feed(source_slot, number)


def _numbered(knot: Knot, config: Mapping[str, Any], number: int) -> Slot | None:
    """The slot that a link of the group names by its number in the saved node."""
    saved = items(mapping(items(config.get("nodes"))[int(knot.id)]).get("inputs"))
    name = mapping(saved[number]).get("name") if number < len(saved) else None
    return next((slot for slot in knot.slots if slot.name == name), None)


def _converted(knot: Knot) -> list[str]:
    """Names of inputs that the group saved as converted from widgets, in the page's order (by number, as text)."""
    saved = [(index, mapping(raw)) for index, raw in enumerate(items(knot.raw.get("inputs")))]
    named = {
        str(index): raw["name"] for index, raw in saved if mapping(raw.get("widget")).get("name") == raw.get("name")
    }
    return [named[index] for index in sorted(named)]


def _ports(scope: Scope, config: Mapping[str, Any]) -> None:
    """The group's inputs and outputs, named as the page names them; a name seen before gets the node's title."""
    seen: dict[str, int] = {}
    late: list[tuple[Knot, Slot]] = []
    for knot in scope.nodes.values():
        if knot.role in (Role.NOTE, Role.PRIMITIVE, Role.REROUTE) and knot.role is not Role.REROUTE:
            continue
        converted = _converted(knot)
        for slot in knot.slots:
            if slot.widget and slot.widget not in converted:
                _seen_name(knot, slot.widget, config, seen)
        for slot in knot.slots:
            if not slot.widget and slot.link is None:
                _open(scope, knot, slot, _seen_name(knot, slot.name or slot.type, config, seen))
        by_name = {slot.name: slot for slot in knot.slots}
        late += [(knot, by_name[name]) for name in converted if name in by_name and by_name[name].link is None]
    for knot, slot in late:
        _open(scope, knot, slot, _seen_name(knot, slot.name, config, seen))
    _outputs(scope, config)


def _open(scope: Scope, knot: Knot, slot: Slot, name: str) -> None:
    number = f"in{len(scope.inputs)}"
    slot.link = number
    scope.links[number] = Link(FROM_OUTSIDE, len(scope.inputs), knot.id)
    scope.inputs.append(Port(name, slot.type, [number]))


def _seen_name(knot: Knot, name: str, config: Mapping[str, Any], seen: dict[str, int]) -> str:
    custom = mapping(mapping(mapping(mapping(config.get("config")).get(knot.id)).get("input")).get(name)).get("name")
    key = shown = str(custom or name)
    if key in seen:
        prefix = f"{knot.raw.get('title') or knot.kind} "
        key = shown = f"{prefix}{name}"
        if key in seen:
            shown = f"{prefix}{seen[key]} {name}"
    seen[key] = seen.get(key, 1) + 1
    return shown


def _outputs(scope: Scope, config: Mapping[str, Any]) -> None:
    """Outputs that are not linked inside, or that the file calls external."""
    external = {tuple(items(item)[:2]) for item in items(config.get("external"))}
    used = {(int(link.origin), link.origin_slot) for link in scope.links.values() if link.origin != FROM_OUTSIDE}
    for knot in scope.nodes.values():
        custom = mapping(mapping(mapping(config.get("config")).get(knot.id)).get("output"))
        for index, kind in enumerate(knot.outputs if knot.role is not Role.PRIMITIVE else ()):
            hidden = (int(knot.id), index) in used and (int(knot.id), index) not in external
            if mapping(custom.get(str(index))).get("visible", not hidden):
                number = f"out{len(scope.outputs)}"
                scope.links[number] = Link(knot.id, index, "-20")
                scope.outputs.append(Port(kind, kind, [number]))


def _values(knot: Knot, scope: Scope, config: Mapping[str, Any]) -> None:
    """Deals the group's values out: per inner node the widgets left, then those converted to inputs."""
    given: Iterator[Any] = iter(items(knot.raw.get("widgets_values")))
    late: list[tuple[Knot, str]] = []
    for inner in scope.nodes.values():
        converted = set(_converted(inner))
        for index, widget in enumerate(inner.widgets):
            behind = inner.widgets[index - 1].name if widget.name == CONTROL and index else widget.name
            if widget.spec.saved and behind not in converted:
                widget.value = next(given, widget.value)
        late += [(inner, name) for name in _converted(inner)]
    for inner, name in late:
        if widget := inner.widget(name):
            widget.value = next(given, widget.value)
