"""Coordinates: columns beside each other, links as straight as the order allows, nothing on top of anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from compiler.draw.layers import Columns, Item

MARGIN: Final = 28.0
GAP_Y: Final = 20.0
BEND_GAP: Final = 5.0
GROUP_ROOM: Final = 22.0
"""Pixels above the first node of a group, for its name; half of it below the last."""
GAP_X: Final = 52.0
LANE: Final = 5.0
"""Pixels that each output with links adds to the gap to its right."""
WIDEST_GAP: Final = 120.0
BACK_ROOM: Final = 18.0
BACK_LANE: Final = 7.0
"""Pixels below a part for the first link against the direction, and for each."""
ROUNDS: Final = 14


@dataclass(frozen=True, slots=True)
class Sheet:
    """The drawing's size in pixels."""

    width: float
    height: float


def place(parts: Sequence[Columns]) -> Sheet:
    """Gives every item its place: each part by itself, then the parts in rows, none wider than the widest."""
    sizes = [_place(part) for part in parts]
    widest = max((width for width, _ in sizes), default=0.0)
    x = y = MARGIN
    row = right = 0.0
    for part, (width, height) in zip(parts, sizes, strict=True):
        if x > MARGIN and x + width > MARGIN + widest:
            x, y, row = MARGIN, y + row + GAP_Y * 2, 0.0
        _move(part, x, y)
        x, row = x + width + GAP_X, max(row, height)
        right = max(right, x - GAP_X)
    return Sheet(right + MARGIN, y + row + MARGIN)


def _move(part: Columns, x: float, y: float) -> None:
    part.spans = [(left + x, right + x) for left, right in part.spans]
    part.bottom += y
    for column, (left, right) in zip(part.columns, part.spans, strict=True):
        for item in column:
            item.y += y
            if item.box:
                item.box.x, item.box.y, item.box.width = left, item.y, right - left


def _place(columns: Columns) -> tuple[float, float]:
    """Lays out one part from (0, 0) on. Returns its width and height."""
    for column in columns.columns:
        for index, (item, top) in enumerate(zip(column, _tops(column), strict=True)):
            item.y = top if index else 0.0
    for sweep in range(ROUNDS):
        rightward = sweep % 2 == 0
        for column in columns.columns if rightward else reversed(columns.columns):
            _settle(column, before=rightward or sweep >= ROUNDS - 4, after=not rightward or sweep >= ROUNDS - 4)
    top = min((item.y - _room_above(column, 0) for column in columns.columns for item in column[:1]), default=0.0)
    for column in columns.columns:
        for item in column:
            item.y -= top
    columns.spans = _spread(columns)
    columns.bottom = max(_bottom(column) for column in columns.columns)
    back = BACK_ROOM + BACK_LANE * len(columns.backward) if columns.backward else 0.0
    return columns.spans[-1][1], columns.bottom + back


def _bottom(column: list[Item]) -> float:
    return column[-1].y + column[-1].height + _room_below(column, len(column) - 1)


def _tops(column: list[Item]) -> list[float]:
    """The least y of each item if the first is at 0."""
    tops: list[float] = []
    y = 0.0
    for index, item in enumerate(column):
        tops.append(y)
        if index + 1 < len(column):
            y += item.height + _gap(column, index)
    return tops


def _gap(column: list[Item], index: int) -> float:
    upper, lower = column[index], column[index + 1]
    plain = BEND_GAP if upper.box is None and lower.box is None else GAP_Y * (1 if upper.box and lower.box else 0.7)
    return plain + _room_below(column, index) + _room_above(column, index + 1)


def _room_above(column: list[Item], index: int) -> float:
    group = column[index].group
    return GROUP_ROOM if group and (index == 0 or column[index - 1].group != group) else 0.0


def _room_below(column: list[Item], index: int) -> float:
    group = column[index].group
    return GROUP_ROOM / 2 if group and (index + 1 == len(column) or column[index + 1].group != group) else 0.0


def _settle(column: list[Item], *, before: bool, after: bool) -> None:
    """Moves a column's items as near as their order allows to where their links would be straight.

    With the least distances taken off, that is an isotonic regression: pool adjacent violators.
    """
    tops = _tops(column)
    pools: list[list[float]] = []  # [weight, weighted sum, members]
    for item, top in zip(column, tops, strict=True):
        weight, wanted = _wish(item, before=before, after=after)
        pools.append([weight, weight * (wanted - top), 1])
        while len(pools) > 1 and pools[-2][1] / pools[-2][0] >= pools[-1][1] / pools[-1][0]:
            last = pools.pop()
            pools[-1] = [one + two for one, two in zip(pools[-1], last, strict=True)]
    index = 0
    for weight, total, members in pools:
        for _ in range(int(members)):
            column[index].y = total / weight + tops[index]
            index += 1


def _wish(item: Item, *, before: bool, after: bool) -> tuple[float, float]:
    """(weight, y) at which the item's links would be straight; bends insist more than boxes."""
    weight, total = 0.001, 0.001 * item.y
    if before:
        for other, leaves, arrives in item.before:
            strength = _strength(item, other)
            weight, total = weight + strength, total + strength * (other.y + leaves - arrives)
    if after:
        for other, leaves, arrives in item.after:
            strength = _strength(item, other)
            weight, total = weight + strength, total + strength * (other.y + arrives - leaves)
    return weight, total / weight


def _strength(one: Item, two: Item) -> float:
    return 8.0 if one.box is None and two.box is None else 2.0 if one.box is None or two.box is None else 1.0


def _spread(columns: Columns) -> list[tuple[float, float]]:
    """Columns from left to right, each as wide as its widest box."""
    spans: list[tuple[float, float]] = []
    x = 0.0
    for column in columns.columns:
        width = max((item.box.width for item in column if item.box), default=0.0)
        lanes = sum(len({leaves for _, leaves, _ in item.after}) for item in column)
        spans.append((x, x + width))
        x += width + min(WIDEST_GAP, GAP_X + LANE * lanes)
    return spans
