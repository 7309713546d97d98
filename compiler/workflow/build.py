"""One node of a workflow file → Knot: slots and widgets as ComfyUI's page makes them when it loads the file."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from compiler.catalog import DYNAMIC_COMBO, Catalog, InputSpec, NodeSchema
from compiler.errors import Fault
from compiler.workflow.autogrow import close_gaps
from compiler.workflow.faults import at
from compiler.workflow.layout import (
    CONTROL,
    SEEDS,
    Layout,
    WidgetSpec,
    is_widget,
    layout_of,
    sockets_of,
    widget_and_control,
)
from compiler.workflow.limits import NESTED, check_depth
from compiler.workflow.marks import KEY
from compiler.workflow.model import (
    ABSENT,
    BYPASSED,
    KINDS,
    MUTED,
    Knot,
    Role,
    Scope,
    Slot,
    Widget,
    items,
    link_ids,
    mapping,
    name_of,
    text,
)
from compiler.workflow.rules import Rules, core_classes
from compiler.workflow.shifts import fits_widget, odd, shift

_SAMPLERS: Final = ("KSampler", "KSamplerAdvanced")
"""Classes whose samplers were once called `sample_euler`; the page knows that of the root's nodes alone."""


@dataclass(slots=True)
class Loader:
    """What all nodes of a file are loaded with."""

    catalog: Catalog
    rules: Rules
    scopes: Mapping[str, Scope]
    """Subgraph definitions by id."""
    inside: str = ""
    """Name of the subgraph whose nodes are being loaded."""
    ranks: dict[str, int] = field(default_factory=dict[str, int])
    """Places of the definitions in the file."""
    faults: list[Fault] = field(default_factory=list[Fault])
    findings: list[Fault] = field(default_factory=list[Fault])

    def where(self, knot: Knot) -> str:
        return at(knot.id, knot.title, knot.kind, self.inside)

    def knot(self, raw: Mapping[str, Any]) -> Knot:
        """Reads one node; an instance's widgets come later, when its definition is whole."""
        kind = text(raw.get("type"))
        kind = self.rules.renames.get(kind, kind)
        properties, outputs = mapping(raw.get("properties")), items(raw.get("outputs"))
        _shallow(raw, properties)
        schema = self.catalog.get(kind)
        role, mode = self._role(kind, schema), raw.get("mode")
        knot = Knot(
            id=str(raw.get("id")),
            kind=kind,
            title=text(raw.get("title")) or self._shown(kind, schema),
            mode=mode if isinstance(mode, int) else 0,
            role=role,
            slots=[],
            outputs=[],
            out_links=[link_ids(mapping(item).get("links")) for item in outputs],
            widgets=[],
            schema=schema if role is Role.NODE else None,
            alias=text(properties.get("Node name for S&R")),
            raw=raw,
        )
        if role is Role.NODE and schema is not None:
            self._fill(knot, schema, outputs)
            return knot
        knot.slots = _saved_slots(raw)
        knot.outputs = [_type(item) for item in outputs]
        if role is Role.INSTANCE and kind in self.scopes:
            instance_slots(knot, self.scopes[kind])
        elif role is Role.REROUTE:
            link = knot.slots[0].link if knot.slots else None
            knot.slots, knot.outputs = [Slot("", "*", link)], ["*"]
        return knot

    def _role(self, kind: str, schema: NodeSchema | None) -> Role:
        if kind in self.scopes or kind.startswith(("workflow>", "workflow/")):
            return Role.INSTANCE
        return KINDS.get(kind) or (Role.UNKNOWN if schema is None else Role.NODE)

    def _shown(self, kind: str, schema: NodeSchema | None) -> str:
        return self.rules.titles.get(kind) or (schema.display_name if schema is not None else "") or kind

    def _fill(self, knot: Knot, schema: NodeSchema, outputs: list[Any]) -> None:
        layout = layout_of(schema, self.rules)
        values = self._values(knot, schema, layout)
        if knot.kind in _SAMPLERS and values and not self.inside:
            values = [text(value).removeprefix("sample_") if isinstance(value, str) else value for value in values]
        knot.outputs = [*layout.outputs, *map(_type, outputs[len(layout.outputs) :])]
        growing: list[InputSpec] = []
        if layout.fixed:
            knot.widgets, knot.slots, specs = _dealt(layout, values), _linked_slots(layout, knot.raw), layout.saved
        else:
            growing = self._grow(knot, layout, values)
            specs = [widget.spec for widget in knot.widgets if widget.spec.saved]
        if values and knot.mode not in (MUTED, BYPASSED):
            self.compare(knot, specs, values)
        for spec in growing:
            lost = close_gaps(knot.slots, spec)
            if lost:
                what = f"ComfyUI's page loses links when it closes gaps between slots: {', '.join(lost)}"
                cure = "Link the slots without gaps, the first one first"
                self.findings.append(Fault(self.where(knot), what, cure, "lost_link"))

    def _grow(self, knot: Knot, layout: Layout, values: list[Any] | None) -> list[InputSpec]:
        """Widgets and slots of a node whose layout depends on its values; returns its autogrow inputs."""
        knot.widgets = deal(layout.widgets, values, self.rules, self.rules.growing.get(knot.kind, ""))
        growing = _growing(knot, layout)
        own = [Slot(it.name, it.type, None, it.widget) for it in layout.sockets]
        knot.slots = merged_slots(own, knot, _saved_slots(knot.raw), self, tuple(f"{spec.name}." for spec in growing))
        return growing

    def compare(self, knot: Knot, specs: Sequence[WidgetSpec], values: list[Any]) -> None:
        """Holds saved values against the declared types: a shift is an error, an odd value a finding.

        `specs` are the saved widgets in order.
        """
        if all(map(fits_widget, specs, values)):
            return
        moved = shift(specs, values)
        if moved:
            cure = "Set the node's values in ComfyUI and save the workflow again"
            self.faults.append(Fault(self.where(knot), f"its saved values are shifted: {moved}", cure, "shifted"))
            return
        linked = {slot.name for slot in knot.slots if slot.link is not None}
        for name, what in odd((widget.spec, widget.value) for widget in knot.widgets if widget.name not in linked):
            self.findings.append(Fault(f"{self.where(knot)}.{name}", what, "Choose it anew in ComfyUI", "odd"))

    def _values(self, knot: Knot, schema: NodeSchema, layout: Layout) -> list[Any] | None:
        """`widgets_values` as a list; None where defaults stay."""
        raw = knot.raw.get("widgets_values")
        if isinstance(raw, dict):
            return self._by_name(knot, layout, mapping(raw))
        values = items(raw)
        return migrated(values, schema, layout, self.rules) if values else None

    def _by_name(self, knot: Knot, layout: Layout, given: Mapping[str, Any]) -> list[Any] | None:
        """An object instead of a list: node packs write names; ComfyUI's own classes cannot read it."""
        saved = [spec for spec in layout.widgets if spec.saved]
        if knot.kind not in core_classes():
            return [given.get(spec.name, spec.default) for spec in saved]
        became = "kept their defaults" if self.rules.object_is_ignored else "are not sent"
        what = f"widgets_values is an object; ComfyUI's page ignores it, and the widgets {became}"
        cure = "Save the workflow again in ComfyUI, with widgets_values as a list"
        self.findings.append(Fault(self.where(knot), what, cure, "ignored"))
        return None if self.rules.object_is_ignored else [ABSENT] * len(saved)


def _shallow(raw: Mapping[str, Any], properties: Mapping[str, Any]) -> None:
    """Errors: WorkflowError for values that nest too deep to be worked on."""
    given = raw.get("widgets_values")
    if not given and KEY not in properties:
        return
    nested = [value for value in items(given) or mapping(given).values() if value.__class__ in NESTED]
    if nested or KEY in properties:
        check_depth([nested, properties.get(KEY)], f"node {name_of(raw.get('id'))}")


def _type(raw: Any) -> str:
    kind = mapping(raw).get("type")
    return "COMBO" if kind.__class__ is list else name_of(kind) or "*"


def _saved_slots(raw: Mapping[str, Any]) -> list[Slot]:
    return [Slot(text(body.get("name")), _type(body), _link(body)) for body in map(mapping, items(raw.get("inputs")))]


def _link(slot: Mapping[str, Any]) -> int | str | None:
    link = slot.get("link")
    return link if isinstance(link, (int, str)) else None


def _linked_slots(layout: Layout, raw: Mapping[str, Any]) -> list[Slot]:
    """The slots of a fixed layout with the links that the file gives them by name; then slots that it does not know."""
    links = {text(body.get("name")): _link(body) for body in map(mapping, items(raw.get("inputs")))}
    slots = [Slot(name, kind, links.get(name), widget) for name, kind, widget in layout.sockets]
    if not links.keys() <= layout.names:
        slots += [slot for slot in _saved_slots(raw) if slot.name not in layout.names]
    return slots


def _dealt(layout: Layout, values: list[Any] | None) -> list[Widget]:
    """What `deal` makes of a fixed layout."""
    given = iter(values or ())
    return [Widget(spec, next(given, spec.default) if spec.saved else spec.default) for spec in layout.widgets]


def migrated(values: list[Any], schema: NodeSchema, layout: Layout, rules: Rules) -> list[Any]:
    """Values of old files, in which inputs with forceInput still had widgets: those entries are dropped.

    Such a file is told by the number of its values, as the page tells it (since 1.16).
    """
    specs = schema.by_name.values()
    if not layout.forced:
        return values
    names = {widget.name for widget in layout.widgets}
    owners = [spec for spec in specs if spec.name in names or spec.options.get("forceInput")]
    places = sum(2 if spec.options.get(CONTROL) or spec.name in SEEDS else 1 for spec in owners)
    if places != len(values):
        return values
    owned = [spec.options.get("forceInput") for spec in owners]
    return [value for index, value in enumerate(values) if index >= len(owned) or not owned[index]]


def deal(specs: Iterable[WidgetSpec], values: list[Any] | None, rules: Rules, growing: str = "") -> list[Widget]:
    """Deals saved values out to the widgets in order; the rest keep their defaults.

    A dynamic combo brings in the widgets of its choice as soon as it is set; a filled `growing` text, one more.
    """
    waiting, given, dealt = deque(specs), deque(values or ()), list[Widget]()
    while waiting:
        spec = waiting.popleft()
        value = given.popleft() if spec.saved and given else spec.default
        dealt.append(Widget(spec, spec.default if spec.kind in rules.detached else value))
        if spec.kind == DYNAMIC_COMBO and spec.spec is not None:
            waiting.extendleft(reversed(list(nested_widgets(spec.name, spec.spec, value, rules))))
        elif growing and spec.name == f"{growing}{len(dealt) - 2}" and value:
            waiting.append(WidgetSpec(f"{growing}{len(dealt) - 1}", "", ""))
    return dealt


def _nested(spec: InputSpec, value: Any) -> Iterator[InputSpec]:
    chosen = spec.branches.get(value, ()) if isinstance(value, str) else ()
    return (inner for inner in chosen if inner.group != "hidden")


def nested_growing(path: str, spec: InputSpec, value: Any) -> Iterator[InputSpec]:
    """Autogrow inputs that a dynamic combo's choice adds, named by their dotted path."""
    for inner in _nested(spec, value):
        if inner.autogrow is not None:
            yield replace(inner, name=f"{path}.{inner.name}")


def _growing(knot: Knot, layout: Layout) -> list[InputSpec]:
    """The autogrow inputs that a node has with its choices made."""
    chosen = [(one.name, one.spec.spec, one.value) for one in knot.widgets if one.spec.kind == DYNAMIC_COMBO]
    nested = (inner for path, spec, value in chosen if spec for inner in nested_growing(path, spec, value))
    return [*layout.growing, *nested]


def nested_widgets(path: str, spec: InputSpec, value: Any, rules: Rules) -> Iterator[WidgetSpec]:
    """Widgets that a dynamic combo's choice adds, under dotted names; deeper ones follow when these are set."""
    for inner in _nested(spec, value):
        if is_widget(inner, rules):
            yield from widget_and_control(f"{path}.{inner.name}", inner)


def _nested_slots(path: str, spec: InputSpec, knot: Knot, rules: Rules) -> Iterator[Slot]:
    widget = knot.widget(path)
    for inner in _nested(spec, widget.value if widget else None):
        name = f"{path}.{inner.name}"
        if is_widget(inner, rules):
            yield Slot(name, inner.type, None, name)
            if inner.type == DYNAMIC_COMBO:
                yield from _nested_slots(name, inner, knot, rules)
        else:
            yield from (Slot(one.name, one.type, None, one.widget) for one in sockets_of(name, inner))


def merged_slots(
    own: Iterable[Slot], knot: Knot, saved: list[Slot], loader: Loader, growing: tuple[str, ...]
) -> list[Slot]:
    """The class's slots with the links that the file gives them by name; then slots that the class does not know.

    `growing` are the prefixes of slots that autogrow inputs may have.
    """
    merged: list[Slot] = []
    combos: list[str] = []
    for slot in own:
        merged.append(slot)
        widget = knot.behind(slot)
        if widget is not None and widget.spec.kind == DYNAMIC_COMBO and widget.spec.spec is not None:
            combos.append(f"{slot.name}.")
            merged.extend(_nested_slots(slot.name, widget.spec.spec, knot, loader.rules))
    links = {slot.name: slot.link for slot in saved}
    names = {slot.name for slot in merged}
    for slot in merged:
        slot.link = links.get(slot.name)
    for slot in saved:
        if slot.name in names:
            continue
        if slot.name.startswith(growing) or not slot.name.startswith(tuple(combos)):
            merged.append(slot)
        elif slot.link is not None:
            where = loader.where(knot)
            what = f"the link into {slot.name!r} is dropped: the choice made does not have that input"
            loader.findings.append(Fault(where, what, "Choose the mode that the link belongs to", "dropped_link"))
    return merged


def rebuilt(knot: Knot, widget: Widget, rules: Rules) -> None:
    """A dynamic combo was set anew: its nested widgets start again with their defaults, links stay by name."""
    if widget.spec.kind != DYNAMIC_COMBO or widget.spec.spec is None:
        return
    prefix, place = f"{widget.name}.", knot.widgets.index(widget)
    fresh = deal(nested_widgets(widget.name, widget.spec.spec, widget.value, rules), None, rules)
    others = [one for one in knot.widgets if not one.name.startswith(prefix)]
    knot.widgets = [*others[: place + 1], *fresh, *others[place + 1 :]]
    links = {slot.name: slot.link for slot in knot.slots}
    slots: list[Slot] = []
    for slot in knot.slots:
        if slot.name.startswith(prefix):
            continue
        slots.append(slot)
        if slot.widget == widget.name:
            slots.extend(_nested_slots(widget.name, widget.spec.spec, knot, rules))
    for slot in slots:
        slot.link = links.get(slot.name)
    knot.slots = slots


def instance_slots(knot: Knot, scope: Scope) -> None:
    """An instance has its definition's slots; the file gives the links by name."""
    links = {slot.name: slot.link for slot in knot.slots}
    names = {port.name for port in scope.inputs}
    extra = [slot for slot in knot.slots if slot.name not in names]
    knot.slots = [Slot(port.name, port.type, links.get(port.name)) for port in scope.inputs] + extra
    knot.outputs = [port.type for port in scope.outputs]
    knot.inner = scope
