"""The drawing as SVG text: groups below, links over them, nodes on top."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from compiler.draw.boxes import HEAD, NOTE_SIZE, SIDE, TEXT_SIZE, TITLE_SIZE, VALUE, Box, Slot, Value
from compiler.draw.boxes import LINE as LINE_HEIGHT
from compiler.draw.layers import BEND_ROOM, Columns, Link
from compiler.draw.place import BACK_LANE, BACK_ROOM, Sheet
from compiler.draw.style import style_sheet, type_class
from compiler.draw.text import clip, clip_start, escape, width
from compiler.draw.zones import Zone
from compiler.graph.ir import Ref

RADIUS = 7
DOT = 4.2
LOOP = 30
"""Pixels by which a link against the direction swings out; a drawing's margin holds three quarters of it."""
PATH = re.compile(r"[/\\].*\.\w{2,12}$", re.DOTALL)
"""A file in a folder."""
MOST_TOLD: Final = 4000
"""Characters of a value in a tooltip: values may hold whole pictures."""


def svg(parts: Iterable[Columns], sheet: Sheet, boxes: Mapping[str, Box], zones: Iterable[Zone]) -> str:
    """The whole document; the same drawing gives the same text."""
    types = {slot.type for box in boxes.values() for slot in (*box.inputs, *box.outputs)}
    size = f'width="{n(sheet.width)}" height="{n(sheet.height)}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="comfyc-graph" {size} '
        f'viewBox="0 0 {n(sheet.width)} {n(sheet.height)}" role="img" aria-label="Graph of {len(boxes)} nodes">',
        f"<style>\n{style_sheet(types)}\n</style>",
        f'<rect class="paper" {size}/>',
        '<g class="groups">',
        *map(_zone, zones),
        '</g>\n<g class="links">',
        *(line for part in parts for line in _links(part, boxes)),
        '</g>\n<g class="nodes">',
        *("\n".join(_node(box)) for box in boxes.values()),
        "</g>\n</svg>\n",
    ]
    return "\n".join(lines)


def n(number: float) -> str:
    """A coordinate with at most one decimal."""
    return f"{number:.1f}".removesuffix(".0")


def _zone(zone: Zone) -> str:
    frame = f'x="{n(zone.x)}" y="{n(zone.y)}" width="{n(zone.width)}" height="{n(zone.height)}" rx="10"'
    name = escape(clip(zone.name, TEXT_SIZE, zone.width - 20))
    return f'<g class="group"><rect {frame}/><text x="{n(zone.x + 10)}" y="{n(zone.y + 15)}">{name}</text></g>'


# --- links -----------------------------------------------------------------------------------------------------


def _links(columns: Columns, boxes: Mapping[str, Box]) -> Iterator[str]:
    outputs: dict[Ref, list[Link]] = {}
    for link in columns.forward:
        outputs.setdefault(link.source, []).append(link)
    for links in outputs.values():  # the links of one output run together and cut none but others
        paths = [_forward(link, columns, boxes) for link in links]
        yield from (f'<path class="halo" d="{path}"/>' for path in paths)
        yield from (_path(link, boxes, path, "link") for link, path in zip(links, paths, strict=True))
    for number, link in enumerate(columns.backward):
        low = columns.bottom + BACK_ROOM + BACK_LANE * number
        yield _path(link, boxes, _backward(link, boxes, low), "link back")


def _path(link: Link, boxes: Mapping[str, Box], path: str, kind: str) -> str:
    output = boxes[link.source.node].outputs[link.source.output]
    classes = f"{kind} {type_class(output.type)}".rstrip()
    ends = f'data-from="{escape(link.source.node)}" data-to="{escape(link.target)}"'
    return f'<path class="{classes}" {ends} d="{path}"/>'


def _forward(link: Link, columns: Columns, boxes: Mapping[str, Box]) -> str:
    source, target = boxes[link.source.node], boxes[link.target]
    y = source.y + source.outputs[link.source.output].y
    x = source.x + source.width
    path = f"M{n(x)} {n(y)}"
    chain = columns.bends[link.source]
    for number in range(columns.items[source.id].layer + 1, columns.items[target.id].layer):
        if number not in chain:  # one link of too many
            break
        left, right = columns.spans[number]
        bend = chain[number].y + BEND_ROOM / 2
        path += _curve(x, y, left, bend) + f"H{n(right)}"
        x, y = right, bend
    return path + _curve(x, y, target.x, target.y + target.inputs[link.slot].y)


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    if abs(y - to_y) < 0.05:
        return f"H{n(to_x)}"
    middle = (to_x - x) * 0.5
    return f"C{n(x + middle)} {n(y)} {n(to_x - middle)} {n(to_y)} {n(to_x)} {n(to_y)}"


def _backward(link: Link, boxes: Mapping[str, Box], low: float) -> str:
    source, target = boxes[link.source.node], boxes[link.target]
    x, y = source.x + source.width, source.y + source.outputs[link.source.output].y
    to_x, to_y = target.x, target.y + target.inputs[link.slot].y
    down = f"C{n(x + LOOP)} {n(y)} {n(x + LOOP)} {n(low)} {n(x)} {n(low)}"
    return f"M{n(x)} {n(y)}{down}H{n(to_x)}C{n(to_x - LOOP)} {n(low)} {n(to_x - LOOP)} {n(to_y)} {n(to_x)} {n(to_y)}"


# --- nodes -----------------------------------------------------------------------------------------------------


def _node(box: Box) -> Iterator[str]:
    kind = next((slot.type for slot in box.outputs), "") or next((slot.type for slot in box.inputs), "")
    classes = " ".join(["node", *(["output"] if box.output else []), *([] if box.known else ["missing"])])
    yield (
        f'<g id="node-{escape(box.id)}" class="{classes}" data-node="{escape(box.id)}" '
        f'transform="translate({n(box.x)} {n(box.y)})">'
    )
    yield f"<title>{escape(_told(box))}</title>"
    yield f'<rect class="body" width="{n(box.width)}" height="{n(box.height)}" rx="{RADIUS}"/>'
    yield (
        f'<path class="head {type_class(kind)}" d="M0 {n(HEAD)}V{RADIUS}a{RADIUS} {RADIUS} 0 0 1 {RADIUS}-{RADIUS}'
        f'H{n(box.width - RADIUS)}a{RADIUS} {RADIUS} 0 0 1 {RADIUS} {RADIUS}V{n(HEAD)}z"/>'
    )
    yield f'<rect class="bar" y="{n(HEAD - 2)}" width="{n(box.width)}" height="2"/>'
    yield from _head(box)
    for index, slot in enumerate(box.inputs):
        yield _slot(slot, 0, SIDE, "start", _room(box, index, box.outputs), required=True)
    for index, slot in enumerate(box.outputs):
        yield _slot(slot, box.width, box.width - SIDE, "end", _room(box, index, box.inputs), required=False)
    for value in box.values:
        yield from _long(box, value) if value.lines else _short(box, value)
    if box.more:
        yield _text("slot idle", SIDE, box.height - 9, f"… {box.more} more")
    yield "</g>"


def _told(box: Box) -> str:
    """The tooltip: what the node is, and its values in full."""
    note = "" if box.known else " (not in the catalog)"
    return "\n".join([f"{box.id}: {box.kind}{note}", *(f"{value.name} = {_cut(value.text)}" for value in box.values)])


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TOLD else f"{text[:MOST_TOLD]}…"


def _head(box: Box) -> Iterator[str]:
    room = box.width - 2 * SIDE - (50 if box.output else 0)
    yield _text("name", SIDE, 17, clip(box.title, TITLE_SIZE, room))
    yield _text("note", SIDE, 30, clip(f"{box.kind} · {box.id}", NOTE_SIZE, box.width - 2 * SIDE))
    if box.output:
        yield (
            f'<g class="badge"><rect x="{n(box.width - SIDE - 44)}" y="6" width="48" height="15" rx="7.5"/>'
            f'<text x="{n(box.width - SIDE - 20)}" y="16.5" text-anchor="middle">OUTPUT</text></g>'
        )


def _room(box: Box, index: int, others: Sequence[Slot]) -> float:
    """For a slot's name: what the other side leaves, and half of the width at least."""
    whole = box.width - 2 * SIDE - 8
    taken = width(others[index].name, TEXT_SIZE) if index < len(others) else 0.0
    return whole - min(taken, whole / 2)


def _slot(slot: Slot, x: float, text_x: float, anchor: str, room: float, *, required: bool) -> str:
    idle = "" if slot.linked else " unmet" if required else " idle"
    dot = f'<circle class="dot {type_class(slot.type)}{idle}" cx="{n(x)}" cy="{n(slot.y)}" r="{DOT}"/>'
    return dot + _text(f"slot{idle}", text_x, slot.y + 4, clip(slot.name, TEXT_SIZE, room), anchor)


def _short(box: Box, value: Value) -> Iterator[str]:
    room = box.width - 2 * SIDE - 12
    key = clip(value.name, TEXT_SIZE, room * 0.6)
    left = room - width(key, TEXT_SIZE) - 10
    text = clip_start(value.text, TEXT_SIZE, left) if PATH.search(value.text) else clip(value.text, TEXT_SIZE, left)
    yield _field(box, value.y, VALUE)
    yield _text("key", SIDE + 6, value.y + 14.5, key)
    yield _text("value", box.width - SIDE - 6, value.y + 14.5, text, "end")


def _long(box: Box, value: Value) -> Iterator[str]:
    yield _field(box, value.y, value.height)
    yield _text("key", SIDE + 6, value.y + 14, value.name)
    for number, line in enumerate(value.lines):
        yield _text("long", SIDE + 6, value.y + 28 + number * LINE_HEIGHT, line)


def _field(box: Box, y: float, height: float) -> str:
    place = f'x="{n(SIDE)}" y="{n(y)}" width="{n(box.width - 2 * SIDE)}" height="{n(height)}"'
    return f'<rect class="field" {place} rx="5"/>'


def _text(kind: str, x: float, y: float, text: str, anchor: str = "start") -> str:
    place = f'x="{n(x)}" y="{n(y)}"' + (f' text-anchor="{anchor}"' if anchor != "start" else "")
    return f'<text class="{kind}" {place}>{escape(text)}</text>'
