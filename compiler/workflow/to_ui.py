"""API-format graph → UI workflow: opens in ComfyUI, can be read by a person, and converts back to the same graph."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from compiler.catalog import DYNAMIC_COMBO, Autogrow, Catalog, InputSpec, NodeSchema
from compiler.errors import Fault
from compiler.graph.api_json import VALUE_KEY
from compiler.workflow.build import nested_growing, nested_widgets
from compiler.workflow.faults import WorkflowError, at
from compiler.workflow.layout import CONTROL, Layout, WidgetSpec, layout_of
from compiler.workflow.limits import MAX_NODES, check_depth
from compiler.workflow.marks import KEY, is_changed, written
from compiler.workflow.model import MUTED, mapping, text
from compiler.workflow.place import arrange
from compiler.workflow.rules import Rules, rules_for

_WIDTH: Final = 320
_ROW: Final = 24
_TEXT_ROWS: Final = 5
MAX_OUTPUTS: Final = 256
"""Output slots that a node may be said to have."""


@dataclass(slots=True)
class _Draft:
    """One node on its way to the page's format."""

    id: str
    schema: NodeSchema
    title: str
    slots: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    links: list[tuple[int, str, int]] = field(default_factory=list[tuple[int, str, int]])
    """(own slot, source, source's slot)."""
    gaps: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    """(own slot, type) of slots that must stay empty though the page would close them."""
    values: list[Any] = field(default_factory=list[Any])
    rows: int = 0
    mode: int = 0
    marks: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the page has no place for (`marks`)."""

    @property
    def size(self) -> tuple[int, int]:
        return _WIDTH, 40 + _ROW * max(self.rows, len(self.schema.outputs))


def to_ui(api: Mapping[str, Any], catalog: Catalog) -> dict[str, Any]:
    """A workflow in the page's format, version 0.4, for the page of the catalog's ComfyUI.

    Errors: WorkflowError, one Fault for each node that the page cannot show.
    """
    check_depth(api, "graph")
    if len(api) > MAX_NODES:
        raise WorkflowError(Fault("graph", f"has {len(api)} nodes; at most {MAX_NODES} are converted", "Split it"))
    rules, faults = rules_for(catalog.version), list[Fault]()
    drafts: dict[str, _Draft] = {}
    for node_id, raw in api.items():
        draft = _draft(node_id, mapping(raw), catalog, rules, faults)
        if draft is not None:
            drafts[node_id] = draft
    for draft in drafts.values():
        for index, source, output in draft.links:
            name = draft.slots[index]["name"]
            what = f"input {name!r} is linked to node {source}, which is not there"
            if source in api:
                what = f"input {name!r} is linked to output number {output} of node {source}, which is too many"
            if source not in api or not 0 <= output < MAX_OUTPUTS:
                faults.append(Fault(at(draft.id, draft.title, draft.schema.name), what, "Link it to another node"))
    if faults:
        raise WorkflowError(*faults)
    _left_out(drafts, catalog, rules)
    return _document(drafts)


def _left_out(drafts: dict[str, _Draft], catalog: Catalog, rules: Rules) -> None:
    """Muted nodes behind slots that an autogrow input leaves out: the page would close the gaps otherwise."""
    for draft in list(drafts.values()):
        for index, kind in draft.gaps:
            name = f"left_out_{kind.lower()}"
            if name not in drafts:
                schema = _any_source(kind, catalog)
                if schema is None:
                    continue
                drafts[name] = _Draft(name, schema, "left out", mode=MUTED)
                _Filling(drafts[name], {}, layout_of(schema, rules), rules, []).fill()
                drafts[name].marks.clear()
            draft.links.append((index, name, 0))


def _any_source(kind: str, catalog: Catalog) -> NodeSchema | None:
    """A class that gives a value of a type and needs nothing."""
    found = [
        schema
        for schema in catalog.nodes.values()
        if schema.outputs and schema.outputs[0][0] == kind and schema.required <= schema.defaults.keys()
        if not (schema.api_node or schema.output_node or schema.deprecated or schema.experimental)
    ]
    return min(found, key=lambda schema: (len(schema.inputs), schema.name), default=None)


def _draft(node_id: str, raw: Mapping[str, Any], catalog: Catalog, rules: Rules, faults: list[Fault]) -> _Draft | None:
    kind, inputs = raw.get("class_type"), raw.get("inputs")
    title = text(mapping(raw.get("_meta")).get("title"))
    if not isinstance(kind, str) or not isinstance(inputs, dict):
        cure = 'Write {"class_type": "…", "inputs": {…}}'
        faults.append(Fault(f"node {node_id}", "has no class_type or no inputs", cure))
        return None
    schema = catalog.get(kind)
    if schema is None:
        cure = catalog.did_you_mean(kind) or "Give a catalog that has it: --catalog URL of a ComfyUI with its node pack"
        faults.append(Fault(at(node_id, title, kind), f"the class {kind!r} is not known", cure, "unknown"))
        return None
    draft = _Draft(node_id, schema, title or rules.titles.get(kind, schema.display_name or kind))
    _Filling(draft, cast("dict[str, Any]", inputs), layout_of(schema, rules), rules, faults).fill()
    return draft


def is_link(value: Any) -> bool:
    """Whether an API-format value is a link."""
    if not isinstance(value, list) or len(cast("list[Any]", value)) != 2:
        return False
    source, index = cast("list[Any]", value)
    return isinstance(source, str) and type(index) is int


@dataclass(slots=True)
class _Filling:
    """Deals a node's inputs out to its slots and widgets."""

    draft: _Draft
    inputs: Mapping[str, Any]
    layout: Layout
    rules: Rules
    faults: list[Fault]
    done: set[str] = field(default_factory=set[str])
    growing: list[InputSpec] = field(init=False)
    """Autogrow inputs, those of the choices made among them."""

    def __post_init__(self) -> None:
        self.growing = list(self.layout.growing)

    def fill(self) -> None:
        widgets = list(self._widgets())
        for socket in self.layout.sockets:
            if not socket.widget and not self._grows(socket.name):
                self._slot(socket.name, socket.type)
        for spec in self.growing:
            self._autogrow(spec)
        for name in [name for name in self.inputs if name not in self.done and is_link(self.inputs[name])]:
            if not any(widget.name == name for widget in widgets):
                self._slot(name, "*")
        for widget in widgets:
            if widget.kind:
                self._slot(widget.name, widget.kind, widget)
            elif widget.name != CONTROL:
                self.draft.rows += 1
        self._rest(widgets)

    def _widgets(self) -> Iterator[WidgetSpec]:
        """The widgets that the given values make, and their values into the draft."""
        waiting, growing = deque(self.layout.widgets), self.rules.growing.get(self.draft.schema.name, "")
        place = 0
        while waiting:
            spec = waiting.popleft()
            value = self._value(spec)
            if spec.saved:
                self.draft.values.append(value)
            if spec.kind == DYNAMIC_COMBO and spec.spec is not None:
                waiting.extendleft(reversed(list(nested_widgets(spec.name, spec.spec, value, self.rules))))
                self.growing.extend(nested_growing(spec.name, spec.spec, value))
            elif growing and spec.name == f"{growing}{place - 1}" and value:
                waiting.append(WidgetSpec(f"{growing}{place}", "", ""))
            place += 1
            yield spec

    def _value(self, spec: WidgetSpec) -> Any:
        given = self.inputs.get(spec.name)
        if spec.name == CONTROL and not spec.kind:
            return "fixed"
        if spec.name not in self.inputs and spec.sent:
            self.draft.marks.setdefault("left_out", []).append(spec.name)
        if spec.name not in self.inputs or is_link(given) or not spec.sent:
            return self._branch(spec) if spec.kind == DYNAMIC_COMBO else spec.default
        self.done.add(spec.name)
        value = mapping(given)[VALUE_KEY] if list(mapping(given)) == [VALUE_KEY] else given
        shown = written(value, spec)
        if is_changed(shown, spec):
            self.draft.marks.setdefault("exact", {})[spec.name] = value
        return shown

    def _branch(self, spec: WidgetSpec) -> Any:
        """The choice of a dynamic combo that is fed by a link: the one that has the nested inputs given."""
        prefix = f"{spec.name}."
        given = {name[len(prefix) :].partition(".")[0] for name in self.inputs if name.startswith(prefix)}
        branches = spec.spec.branches if spec.spec is not None else dict[str, tuple[InputSpec, ...]]()
        fitting = (key for key, nested in branches.items() if given == {inner.name for inner in nested})
        return next(fitting, spec.default)

    def _grows(self, name: str) -> bool:
        return any(name.startswith(f"{spec.name}.") for spec in self.growing)

    def _autogrow(self, spec: InputSpec) -> None:
        """An autogrow's slots: at least its minimum, all up to the last that is linked, then names that it lacks."""
        grow = cast("Autogrow", spec.autogrow)
        kind = grow.slots[0].type if grow.slots else "*"
        names = [f"{spec.name}.{name}" for name in grow.names]
        last = max((index for index, name in enumerate(names) if name in self.inputs), default=-1)
        for index, name in enumerate(names[: max(last + 1, grow.minimum)]):
            if name not in self.inputs and grow.minimum <= index + 1 <= last:
                self.draft.gaps.append((len(self.draft.slots), kind))
            self._slot(name, kind)
        for name in self.inputs:
            if name.startswith(f"{spec.name}.") and name not in names:
                self._slot(name, kind)

    def _slot(self, name: str, kind: str, widget: WidgetSpec | None = None) -> None:
        value = self.inputs.get(name)
        slot: dict[str, Any] = {"name": name, "type": kind, "link": None}
        if widget is not None:
            slot["widget"] = {"name": name}
        if is_link(value):
            source, output = cast("list[Any]", value)
            self.draft.links.append((len(self.draft.slots), source, output))
            self.done.add(name)
        self.draft.slots.append(slot)
        tall = widget is not None and widget.spec is not None and widget.spec.options.get("multiline")
        self.draft.rows += _TEXT_ROWS if tall else 1

    def _rest(self, widgets: list[WidgetSpec]) -> None:
        """Values that the page has no widget for: those that the server ignores are noted, others are faults."""
        shown = {widget.name for widget in widgets}
        where = at(self.draft.id, self.draft.title, self.draft.schema.name)
        for name, value in self.inputs.items():
            if name in self.done or name in shown:
                continue
            if name in self.draft.schema.by_name:
                cure = "Link it to a node that gives this value"
                self.faults.append(Fault(f"{where}.{name}", "the page has no widget for this input", cure, "unknown"))
            else:
                self.draft.marks.setdefault("extra", {})[name] = value


def _document(drafts: Mapping[str, _Draft]) -> dict[str, Any]:
    """The file: numbers for ids where they are numbers, links numbered from 1."""
    points = arrange(
        {name: draft.size for name, draft in drafts.items()},
        [(source, name) for name, draft in drafts.items() for _, source, _ in draft.links],
    )
    outputs = {name: _outputs(draft) for name, draft in drafts.items()}
    links: list[list[Any]] = []
    for name, draft in drafts.items():
        for index, source, source_slot in draft.links:
            number, slot = len(links) + 1, draft.slots[index]
            slot["link"] = number
            made = outputs[source]
            made.extend({"name": "*", "type": "*", "links": list[int]()} for _ in range(source_slot + 1 - len(made)))
            links.append([number, _id(source), source_slot, _id(name), index, made[source_slot]["type"]])
            made[source_slot]["links"].append(number)
    nodes = [_node(draft, outputs[name], points[name], order) for order, (name, draft) in enumerate(drafts.items())]
    numbers = [node["id"] for node in nodes if isinstance(node["id"], int)]
    return {
        "last_node_id": max(numbers, default=0),
        "last_link_id": len(links),
        "nodes": nodes,
        "links": links,
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def _id(name: str) -> int | str:
    return int(name) if name.isdecimal() and str(int(name)) == name and int(name) < 2**53 else name


def _outputs(draft: _Draft) -> list[dict[str, Any]]:
    return [{"name": name, "type": kind, "links": list[int]()} for kind, name in draft.schema.outputs]


def _node(draft: _Draft, outputs: list[dict[str, Any]], point: tuple[int, int], order: int) -> dict[str, Any]:
    return {
        "id": _id(draft.id),
        "type": draft.schema.name,
        "title": draft.title,
        "pos": list(point),
        "size": list(draft.size),
        "flags": {},
        "order": order,
        "mode": draft.mode,
        "inputs": draft.slots,
        "outputs": outputs,
        "properties": {"Node name for S&R": draft.schema.name, **({KEY: draft.marks} if draft.marks else {})},
        "widgets_values": draft.values,
    }
