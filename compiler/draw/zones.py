"""Frames around the nodes that belong together: as few as hold no other node."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from compiler.draw.boxes import Box
from compiler.draw.layers import Item
from compiler.draw.place import GROUP_ROOM

ROOM = 10.0
"""Pixels left and right of the nodes."""


@dataclass(slots=True)
class Zone:
    """A frame with a name."""

    name: str
    x: float
    y: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.x

    @property
    def height(self) -> float:
        return self.bottom - self.y

    def with_(self, other: Zone) -> Zone:
        return Zone(
            self.name,
            min(self.x, other.x),
            min(self.y, other.y),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def meets(self, other: Zone) -> bool:
        apart = self.right <= other.x or other.right <= self.x or self.bottom <= other.y or other.bottom <= self.y
        return not apart


def zones(columns: list[list[Item]]) -> list[Zone]:
    """The frames, column by column; one grows to the right as long as it holds nothing else."""
    boxes = [item.box for column in columns for item in column if item.box]
    found: dict[str, list[Zone]] = {}
    for column in columns:
        for zone in _of_column(item.box for item in column if item.box):
            mine = found.setdefault(zone.name, [])
            joined = mine[-1].with_(zone) if mine else zone
            strangers = (_around(box) for box in boxes if box.group != zone.name)
            if mine and not any(joined.meets(other) for other in strangers):
                mine[-1] = joined
            else:
                mine.append(zone)
    return [zone for group in found.values() for zone in group]


def _of_column(boxes: Iterable[Box]) -> list[Zone]:
    found: list[Zone] = []
    last = ""
    for box in boxes:
        if box.group:
            here = _around(box)
            if box.group == last:
                found[-1] = found[-1].with_(here)
            else:
                found.append(here)
        last = box.group
    return found


def _around(box: Box) -> Zone:
    if not box.group:
        return Zone("", box.x, box.y, box.x + box.width, box.y + box.height)
    above, below = GROUP_ROOM - 2, GROUP_ROOM / 2 - 2
    return Zone(box.group, box.x - ROOM, box.y - above, box.x + box.width + ROOM, box.y + box.height + below)
