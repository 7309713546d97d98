"""The order of a drawing's columns: few crossings, and the nodes of a group side by side."""

from __future__ import annotations

from bisect import bisect_right, insort
from itertools import pairwise
from typing import Final, Literal

from compiler.draw.layers import Item

SWEEPS: Final = 24
PATIENCE: Final = 6
"""Sweeps without a better order before it is left at that."""
SWAPS: Final = 6

Side = Literal["before", "after"]


def order(columns: list[list[Item]]) -> None:
    """Sorts each column in place: barycentres, sweep by sweep, then swaps of neighbours that uncross links."""
    best, least, stale = [list(column) for column in columns], crossings(columns), 0
    for sweep in range(SWEEPS):
        rightward = sweep % 2 == 0
        for column in columns[1:] if rightward else columns[-2::-1]:
            _sort(column, "before" if rightward else "after", columns)
        count = crossings(columns)
        if count < least:
            best, least, stale = [list(column) for column in columns], count, 0
        else:
            stale += 1
        if not least or stale > PATIENCE:
            break
    for column, kept in zip(columns, best, strict=True):
        column[:] = kept
    _uncross(columns)


def crossings(columns: list[list[Item]]) -> int:
    """How many pairs of links cross between the columns."""
    total = 0
    for column, following in pairwise(columns):
        rank = {id(item): index for index, item in enumerate(following)}
        ends = [
            (index, leaves, rank[id(other)], arrives)
            for index, item in enumerate(column)
            for other, leaves, arrives in item.after
        ]
        ends.sort()
        met: list[tuple[int, float]] = []
        for _, _, index, arrives in ends:
            total += len(met) - bisect_right(met, (index, arrives))
            insort(met, (index, arrives))
    return total


def _place(item: Item, rank: dict[int, int], at: float) -> float:
    """Where a link meets its item, in items from the top: the middle of the second one is 1.5."""
    return rank[id(item)] + at / item.height


def _sort(column: list[Item], side: Side, columns: list[list[Item]]) -> None:
    number = column[0].layer + (-1 if side == "before" else 1)
    rank = {id(item): index for index, item in enumerate(columns[number])}
    keys: dict[int, float] = {}
    for index, item in enumerate(column):
        ends = item.before if side == "before" else item.after
        places = [_place(other, rank, leaves if side == "before" else arrives) for other, leaves, arrives in ends]
        keys[id(item)] = sum(places) / len(places) if places else index * len(rank) / max(1, len(column))
    groups: dict[str, list[float]] = {}
    for item in column:
        if item.group:
            groups.setdefault(item.group, []).append(keys[id(item)])
    centre = {group: sum(members) / len(members) for group, members in groups.items()}
    column.sort(key=lambda item: (centre.get(item.group, keys[id(item)]), item.group, keys[id(item)]))


def _uncross(columns: list[list[Item]]) -> None:
    for _ in range(SWAPS):
        better = False
        for number, column in enumerate(columns):
            ranks = [
                {id(item): index for index, item in enumerate(columns[other])} if 0 <= other < len(columns) else {}
                for other in (number - 1, number + 1)
            ]
            for index in range(len(column) - 1):
                upper, lower = column[index], column[index + 1]
                if _may_swap(column, index) and _crossed(upper, lower, ranks) > _crossed(lower, upper, ranks):
                    column[index], column[index + 1] = lower, upper
                    better = True
        if not better:
            return


def _may_swap(column: list[Item], index: int) -> bool:
    """Whether exchanging two neighbours keeps every group together."""
    upper, lower = column[index], column[index + 1]
    if upper.group == lower.group:
        return True
    above = index > 0 and upper.group and column[index - 1].group == upper.group
    below = index + 2 < len(column) and lower.group and column[index + 2].group == lower.group
    return not above and not below


def _crossed(upper: Item, lower: Item, ranks: list[dict[int, int]]) -> int:
    count = 0
    for side, rank in zip(("before", "after"), ranks, strict=True):
        high, low = (_ends(item, side, rank) for item in (upper, lower))
        count += sum(one > two for one in high for two in low)
    return count


def _ends(item: Item, side: str, rank: dict[int, int]) -> list[float]:
    if side == "before":
        return [_place(other, rank, leaves) for other, leaves, _ in item.before]
    return [_place(other, rank, arrives) for other, _, arrives in item.after]
