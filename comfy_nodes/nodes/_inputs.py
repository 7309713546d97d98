"""How inputs are declared: one short call each, in the V1 contract's shape `(type, options)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Declared = tuple[Any, dict[str, Any]]

MAX_SIDE = 16384
"""Pixels: the largest side that core nodes take too."""


def whole(default: int, least: int, most: int, tooltip: str, step: int = 1) -> Declared:
    return "INT", {"default": default, "min": least, "max": most, "step": step, "tooltip": tooltip}


def number(default: float, least: float, most: float, tooltip: str, step: float = 0.01) -> Declared:
    return "FLOAT", {"default": default, "min": least, "max": most, "step": step, "tooltip": tooltip}


def text(default: str, tooltip: str, *, lines: bool = False) -> Declared:
    return "STRING", {"default": default, "multiline": lines, "tooltip": tooltip}


def choice(values: Sequence[str], tooltip: str, default: str = "") -> Declared:
    return list(values), {"default": default or values[0], "tooltip": tooltip}


def link(kind: str, tooltip: str) -> Declared:
    return kind, {"tooltip": tooltip}


def image(tooltip: str) -> Declared:
    return link("IMAGE", tooltip)


def mask(tooltip: str) -> Declared:
    return link("MASK", tooltip)
