"""Fusara's visual references as pictures that a stack is shown (contract §5, §7.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from compiler.providers.fusara.requests.base import (
    CHARACTER,
    COMPOSITION,
    CONTOUR,
    DEPTH,
    IMAGE,
    STYLE,
    Preset,
)
from compiler.references import Shown

PURPOSES: Final[Mapping[int, str]] = {
    IMAGE: "image",
    STYLE: "style",
    CHARACTER: "character",
    CONTOUR: "contour",
    DEPTH: "depth",
    COMPOSITION: "composition",
}
"""A preset's `__type` → what a stack is shown the picture for."""


def pictures(visual: Iterator[tuple[str, Preset]]) -> Iterator[Shown]:
    """The pictures of (field, preset) pairs, in order."""
    for field, preset in visual:
        yield Shown(PURPOSES[preset.type_], preset.source, preset.weight, field)
