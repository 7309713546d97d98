"""Inputs that grow slot by slot: what ComfyUI's page does with gaps between them when it loads a file (1.35).

Every slot that was empty in the file is closed, the later links moving down by one: once for each, in slot order and
by position. So one gap closes well; of two, the second is closed at a place that has a link by then, which is lost.
"""

from __future__ import annotations

import re

from compiler.catalog import InputSpec
from compiler.workflow.model import Slot

_NUMBER = re.compile(r"\d+$")


def close_gaps(slots: list[Slot], spec: InputSpec) -> list[str]:
    """Closes the gaps of one autogrow input in place; returns the names of the slots whose links are lost."""
    grow = spec.autogrow
    if grow is None or len(grow.slots) != 1:
        return []
    before = {slot.link: slot.name for slot in slots if _in_group(slot, spec) and slot.link is not None}
    for index in [index for index, slot in enumerate(slots) if _in_group(slot, spec) and slot.link is None]:
        if index < len(slots) and _in_group(slots[index], spec):
            ordinal = _ordinal(slots[index], spec)
            if ordinal is not None and ordinal + 1 >= grow.minimum:
                _close(slots, spec, ordinal, grow.minimum)
    kept = {slot.link for slot in slots}
    return [name for link, name in before.items() if link not in kept]


def _in_group(slot: Slot, spec: InputSpec) -> bool:
    return slot.name.rpartition(".")[0] == spec.name


def _ordinal(slot: Slot, spec: InputSpec) -> int | None:
    """The number of a slot: its digits, or its place among the names where these do not count from 0."""
    name = slot.name[len(spec.name) + 1 :]
    names = spec.autogrow.names if spec.autogrow else ()
    if names and not names[0].endswith("0"):
        return names.index(name) if name in names else None
    digits = _NUMBER.search(name)
    return int(digits[0]) if digits else None


def _close(slots: list[Slot], spec: InputSpec, ordinal: int, minimum: int) -> None:
    group = [slot for slot in slots if _in_group(slot, spec)]
    for left, right in zip(group[ordinal:], group[ordinal + 1 :], strict=False):
        left.link = right.link
    group[-1].link = None
    spare = group[max(minimum - 1, 0) :]
    last = max((index for index, slot in enumerate(spare) if slot.link is not None), default=-1)
    dropped = {slot.name for slot in spare[last + 2 :]}
    slots[:] = [slot for slot in slots if slot.name not in dropped]
