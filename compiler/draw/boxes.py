"""What a node looks like before it has a place: its slots, its values and its size, in pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from compiler.catalog import Catalog, InputSpec, NodeSchema
from compiler.draw.text import shown, width, wrap
from compiler.graph.ir import Graph, Node, Ref

TITLE_SIZE: Final = 13.5
"""As wide as the style sheet's 12.5 in bold."""
TEXT_SIZE: Final = 11.0
NOTE_SIZE: Final = 9.5
HEAD: Final = 38.0
SLOT: Final = 19.0
VALUE: Final = 21.0
LINE: Final = 14.0
PAD: Final = 8.0
SIDE: Final = 11.0
"""Pixels: of the header, of a slot, a value, a line of long text, above and below, left and right."""
NARROWEST: Final = 150.0
WIDEST: Final = 244.0
MOST_LINES: Final = 5
"""Of a long text."""
MOST_VALUES: Final = 14
"""Values shown of one node; how many more there are is said."""
MOST_OUTPUTS: Final = 256
"""A link to an output beyond has no end to be drawn from: a box has a slot for every number before it."""


@dataclass(slots=True)
class Slot:
    """One end of a link; `y` is measured from the top of its box."""

    name: str
    type: str
    y: float = 0.0
    linked: bool = True


@dataclass(slots=True)
class Value:
    """A widget's value: one row, or lines of long text."""

    name: str
    text: str
    lines: list[str] = field(default_factory=list[str])
    y: float = 0.0

    @property
    def height(self) -> float:
        return VALUE if not self.lines else LINE * len(self.lines) + 24.0


@dataclass(slots=True)
class Box:
    """A node with its content and size; `layer`, `x` and `y` are the layout's."""

    id: str
    kind: str
    title: str
    inputs: list[Slot] = field(default_factory=list[Slot])
    outputs: list[Slot] = field(default_factory=list[Slot])
    values: list[Value] = field(default_factory=list[Value])
    more: int = 0
    """Values that are not shown."""
    output: bool = False
    known: bool = True
    """Whether the catalog has its class."""
    group: str = ""
    width: float = NARROWEST
    height: float = HEAD
    x: float = 0.0
    y: float = 0.0


def boxes(graph: Graph, catalog: Catalog | None, groups: Mapping[str, str]) -> dict[str, Box]:
    """A box for each node, and one for each node that a link names but the graph lacks."""
    used = _used_outputs(graph)
    found: dict[str, Box] = {}
    for node_id, node in graph.nodes.items():
        schema = catalog.get(node.kind) if catalog else None
        box = Box(node_id, node.kind, node.title or (schema.display_name if schema else "") or node.kind)
        box.output = node_id in graph.outputs if graph.outputs else bool(schema and schema.output_node)
        box.known = catalog is None or schema is not None
        box.group = groups.get(node_id, "")
        box.outputs = list(_outputs(schema, used.get(node_id, {})))
        _fill(box, node, schema)
        _measure(box)
        found[node_id] = box
    for node_id in used:
        if node_id not in found:
            found[node_id] = _missing(node_id, used[node_id])
    return found


def _used_outputs(graph: Graph) -> dict[str, dict[int, str]]:
    """Node id → output number → the input that takes it."""
    used: dict[str, dict[int, str]] = {}
    for node in graph.nodes.values():
        for name, ref in node.links():
            outputs = used.setdefault(ref.node, {})
            if ref.output < MOST_OUTPUTS:
                outputs.setdefault(ref.output, name)
    return used


def _missing(node_id: str, used: Mapping[int, str]) -> Box:
    box = Box(node_id, "not in the graph", node_id, outputs=list(_outputs(None, used)), known=False)
    _measure(box)
    return box


def _outputs(schema: NodeSchema | None, used: Mapping[int, str]) -> Iterator[Slot]:
    declared = schema.outputs if schema else ()
    for index in range(max([len(declared), *(number + 1 for number in used)])):
        kind, label = declared[index] if index < len(declared) else (_guess(used.get(index, "")), "")
        yield Slot(label or kind.lower(), kind, linked=index in used)


def _guess(name: str) -> str:
    """The type behind an input's name where no catalog tells: `model` is most likely a MODEL."""
    return name.upper() if name in ("model", "clip", "vae", "image", "images", "mask") else ""


def _fill(box: Box, node: Node, schema: NodeSchema | None) -> None:
    specs: Mapping[str, InputSpec] = schema.active(node.inputs) if schema else {}
    for name, value in node.inputs.items():
        spec = specs.get(name)
        if isinstance(value, Ref):
            box.inputs.append(Slot(name, spec.type if spec else _guess(name)))
        elif len(box.values) < MOST_VALUES:
            box.values.append(_value(name, value, spec))
        else:
            box.more += 1
    for name, spec in specs.items():
        if name not in node.inputs and spec.required and not spec.is_widget and spec.autogrow is None:
            box.inputs.append(Slot(name, spec.type, linked=False))


def _value(name: str, value: Any, spec: InputSpec | None) -> Value:
    text = shown(value)
    is_long = "\n" in text.strip() or len(text) > 60 or bool(spec and spec.options.get("multiline") and len(text) > 20)
    if isinstance(value, str) and is_long and not (spec and spec.type == "COMBO"):
        return Value(name, text, wrap(text, TEXT_SIZE, WIDEST - 2 * SIDE - 14, MOST_LINES))
    return Value(name, text)


def _measure(box: Box) -> None:
    box.width = min(WIDEST, max(NARROWEST, *_widths(box)))
    y = HEAD + PAD
    for slots in (box.inputs, box.outputs):
        for index, slot in enumerate(slots):
            slot.y = y + SLOT * index + SLOT / 2
    y += SLOT * max(len(box.inputs), len(box.outputs))
    if box.values and (box.inputs or box.outputs):
        y += 4
    for value in box.values:
        value.y = y
        y += value.height + 3
    box.height = y + PAD - (3 if box.values else 0) + (LINE if box.more else 0)


def _widths(box: Box) -> Iterator[float]:
    yield width(box.title, TITLE_SIZE) + 2 * SIDE + (50 if box.output else 0)
    yield width(f"{box.kind} · {box.id}", NOTE_SIZE) + 2 * SIDE
    for index in range(max(len(box.inputs), len(box.outputs))):
        row = [slots[index].name for slots in (box.inputs, box.outputs) if index < len(slots)]
        yield sum(width(name, TEXT_SIZE) for name in row) + 2 * SIDE + 26
    for value in box.values:
        text = max((width(line, TEXT_SIZE) for line in value.lines), default=0.0)
        yield 2 * SIDE + 14 + (text or width(value.name, TEXT_SIZE) + width(value.text, TEXT_SIZE) + 14)
