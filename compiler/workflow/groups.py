"""Legacy group nodes (`workflow>Name`, extra.groupNodes): each becomes an instance of a scope of its own.

Inner node number i is sent as `<id>:<i>`. The group shows what is not linked inside: sockets of all inner nodes, their
widgets, then inputs that were converted from widgets. The page keeps links by number, of the inner node's slots and of
the group's own; a converted input's number is that of another widget wherever not all of them were converted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from compiler.errors import Fault
from compiler.workflow.build import Loader
from compiler.workflow.faults import WorkflowError, at
from compiler.workflow.layout import CONTROL, WidgetSpec, has_control
from compiler.workflow.model import FROM_OUTSIDE, Knot, Link, Port, Role, Scope, Slot, Widget, items, mapping, text

_End = tuple[int, int]
"""(number of an inner node, number of a slot)."""


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
    scope = Scope(knot.kind, knot.kind, group=True)
    for index, raw in enumerate(items(config.get("nodes"))):
        inner = loader.knot({**mapping(raw), "id": index})
        if inner.role is Role.INSTANCE:
            what = f"holds another group node or subgraph, {inner.kind!r}, and ComfyUI's page fails on it"
            raise WorkflowError(Fault(where, what, "Flatten it in ComfyUI", "unsupported"))
        scope.nodes[inner.id] = inner
        for slot in inner.slots:
            slot.link = None
    _Expansion(knot, scope, config).expand()


@dataclass(slots=True)
class _Expansion:
    """One group node on its way to a scope."""

    knot: Knot
    scope: Scope
    config: Mapping[str, Any]
    seen: dict[str, int] = field(default_factory=dict[str, int])
    """Names given so far → how often."""
    links: dict[_End, tuple[_End, str]] = field(default_factory=dict["_End", "tuple[_End, str]"])
    """(target, its slot) → (source, its slot), type."""
    used: set[_End] = field(default_factory=set["_End"])
    """Outputs that are linked inside."""
    sockets: list[Slot] = field(default_factory=list[Slot])
    fed: dict[_End, int] = field(default_factory=dict["_End", int])
    """Inner slot → number of the group's slot that feeds it."""
    count: int = 0
    """Slots of the group that were numbered."""

    def expand(self) -> None:
        self._read_links()
        early, late = list[tuple[str, Widget, Widget | None]](), list[tuple[Knot, str, int]]()
        for knot in self.scope.nodes.values():
            if self._shows(knot):
                early += self._widgets(knot)
                self._open_sockets(knot)
                late += self._converted(knot)
        for knot, name, number in late:
            early += self._open_converted(knot, name, number)
        self._give_values(early)
        self._connect()
        self._open_outputs()

    def _read_links(self) -> None:
        for raw in items(self.config.get("links")):
            parts = cast("list[Any]", raw) if isinstance(raw, list) else []
            if len(parts) >= 4 and all(type(part) is int for part in parts[:4]) and str(parts[0]) in self.scope.nodes:
                kind = text(parts[5]) if len(parts) > 5 else ""
                self.links[parts[2], parts[3]] = ((parts[0], parts[1]), kind)
                self.used.add((parts[0], parts[1]))

    def _shows(self, knot: Knot) -> bool:
        """Whether the group shows inputs and outputs of an inner node."""
        if knot.role is Role.REROUTE:
            internal = (int(knot.id), 0) in self.links and (int(knot.id), 0) in self.used
            return not internal or (int(knot.id), 0) in self._external()
        if knot.role is Role.PRIMITIVE:
            return (int(knot.id), 0) in self.used
        return knot.role is not Role.NOTE

    def _external(self) -> set[_End]:
        ends = (tuple(items(item)[:2]) for item in items(self.config.get("external")))
        return {cast("_End", end) for end in ends if len(end) == 2 and all(type(part) is int for part in end)}

    def _custom(self, knot: Knot, side: str, name: str) -> dict[str, Any]:
        return mapping(mapping(mapping(mapping(self.config.get("config")).get(knot.id)).get(side)).get(name))

    def _name(self, knot: Knot, name: str) -> str:
        """How the page names an input of the group; a name seen before gets the node's title."""
        raws = map(mapping, items(knot.raw.get("inputs")))
        saved = next((raw for raw in raws if raw.get("name") == name), dict[str, Any]())
        shown = key = str(self._custom(knot, "input", name).get("name") or saved.get("label") or name)
        title = text(knot.raw.get("title"))
        if (knot.role is Role.PRIMITIVE and title) or shown in self.seen:
            key = shown = f"{title or knot.kind} {name}"
            if shown in self.seen:
                shown = f"{title or knot.kind} {self.seen[key]} {name}"
        self.seen[key] = self.seen.get(key, 1) + 1
        return shown

    def _widgets(self, knot: Knot) -> Iterator[tuple[str, Widget, Widget | None]]:
        """(name in the group, inner widget, the control behind it) of widgets that were not converted."""
        if knot.role is Role.PRIMITIVE:
            yield from self._primitive(knot)
            return
        converted = {name for _, name, _ in self._converted(knot)}
        for index, widget in enumerate(knot.widgets):
            if widget.spec.saved and widget.name not in converted and not _is_control(widget):
                control = knot.widgets[index + 1] if index + 1 < len(knot.widgets) else None
                yield self._name(knot, widget.name), widget, control if control and _is_control(control) else None

    def _primitive(self, knot: Knot) -> Iterator[tuple[str, Widget, Widget | None]]:
        """A primitive's widget is that of the first input that it feeds; its value goes to all of them."""
        fed = [end for end, (source, _) in self.links.items() if source == (int(knot.id), 0)]
        targets = [(self.scope.nodes.get(str(number)), slot) for number, slot in fed]
        widgets = [found for target, slot in targets if target and (found := self._at_converted(target, slot))]
        if widgets:
            first = widgets[0]
            control = Widget(WidgetSpec(CONTROL, "", "fixed", sent=False), "fixed")
            main = Widget(first.spec, first.spec.default)
            self.scope.copies += [(main, widget) for widget in widgets]
            yield self._name(knot, "value"), main, control if first.spec.kind in ("INT", "COMBO") else None

    def _at_converted(self, knot: Knot, number: int) -> Widget | None:
        """The widget whose converted input has a number, counted as the group counts."""
        return next((knot.widget(name) for _, name, place in self._converted(knot) if place == number), None)

    def _converted(self, knot: Knot) -> list[tuple[Knot, str, int]]:
        """Inputs saved as converted from widgets, in the page's order (by number, as text), with their numbers."""
        raws = map(mapping, items(knot.raw.get("inputs")))
        named = {str(i): raw["name"] for i, raw in enumerate(raws) if text(mapping(raw.get("widget")).get("name"))
                 and mapping(raw.get("widget")).get("name") == raw.get("name")}  # fmt: skip
        names = [named[index] for index in sorted(named) if knot.widget(named[index])]
        start = len(_sockets(knot))
        return [(knot, name, start + place) for place, name in enumerate(names)]

    def _open_sockets(self, knot: Knot) -> None:
        for number, slot in enumerate(_sockets(knot)):
            if (int(knot.id), number) in self.links:
                continue
            kind = slot.type if knot.role is not Role.REROUTE else self._rerouted(knot)
            name = self._name(knot, slot.name or kind)
            if self._custom(knot, "input", slot.name or kind).get("visible") is not False:
                self.sockets.append(Slot(name, kind))
                self._feed(knot, number)

    def _rerouted(self, knot: Knot) -> str:
        """The type of a reroute that the group shows: that of the first input that it feeds."""
        for (target, number), (source, _) in self.links.items():
            if source == (int(knot.id), 0) and str(target) in self.scope.nodes:
                slots = self.scope.nodes[str(target)].slots
                return slots[number].type if number < len(slots) else "*"
        return "*"

    def _open_converted(self, knot: Knot, name: str, number: int) -> Iterator[tuple[str, Widget, Widget | None]]:
        if (int(knot.id), number) not in self.links:
            shown, widget = self._name(knot, name), knot.widget(name)
            self._feed(knot, number)
            if widget:
                seeded = widget.spec.spec is not None and has_control(widget.spec.spec)
                control = Widget(WidgetSpec(CONTROL, "", "fixed", sent=False), "fixed") if seeded else None
                yield shown, widget, control

    def _feed(self, knot: Knot, number: int) -> None:
        self.fed[int(knot.id), number] = self.count
        self.count += 1

    def _give_values(self, shown: list[tuple[str, Widget, Widget | None]]) -> None:
        """The group's widgets, with their slots, and its values dealt out to them."""
        given = iter(items(self.knot.raw.get("widgets_values")))
        for name, inner, control in shown:
            value = next(given, inner.spec.default)
            self.knot.widgets.append(Widget(replace(inner.spec, name=name), value))
            self.scope.copies.insert(0, (self.knot.widgets[-1], inner))
            if control is not None:
                next(given, None)
        saved = {slot.name: slot.link for slot in self.knot.slots}
        slots = [*self.sockets, *(Slot(one.name, one.spec.kind, None, one.name) for one in self.knot.widgets)]
        names = {slot.name for slot in slots}
        for slot in slots:
            slot.link = saved.get(slot.name)
        self.knot.slots = [*slots, *(slot for slot in self.knot.slots if slot.name not in names)]
        self.knot.inner = self.scope

    def _connect(self) -> None:
        """Links of the inner nodes, by the numbers of their slots."""
        for (target, number), ((source, output), _) in self.links.items():
            if (target, number) not in self.fed:
                self._link(str(target), number, str(source), output)
        for (target, number), outer in self.fed.items():
            self._link(str(target), number, FROM_OUTSIDE, outer)

    def _link(self, target: str, number: int, source: str, output: int) -> None:
        slots = self.scope.nodes[target].slots if target in self.scope.nodes else []
        if 0 <= number < len(slots):
            name = f"{target}.{number}"
            slots[number].link = name
            self.scope.links[name] = Link(source, output, target, number)

    def _open_outputs(self) -> None:
        """Outputs that are not linked inside, or that the file calls external."""
        external = self._external()
        for knot in self.scope.nodes.values():
            for index, kind in enumerate(knot.outputs if self._shows(knot) else ()):
                hidden = (int(knot.id), index) in self.used and (int(knot.id), index) not in external
                if self._custom(knot, "output", str(index)).get("visible", not hidden):
                    number = f"out{len(self.scope.outputs)}"
                    self.scope.links[number] = Link(knot.id, index, "-20")
                    self.scope.outputs.append(Port(kind, kind, [number]))
        self.knot.outputs = [port.type for port in self.scope.outputs]


def _sockets(knot: Knot) -> list[Slot]:
    """The slots of a class that are no widgets; those that only the file has do not count."""
    if knot.schema is None:
        return knot.slots
    return [slot for slot in knot.slots if not slot.widget and slot.name.partition(".")[0] in knot.schema.by_name]


def _is_control(widget: Widget) -> bool:
    return widget.name == CONTROL and not widget.spec.kind
