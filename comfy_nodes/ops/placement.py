"""Where a picture comes to lie on a canvas of another shape, around its subject. Numbers only; no torch."""

from __future__ import annotations

import math
import re
from dataclasses import astuple, dataclass
from typing import NamedTuple

from .geometry import MAX_SIDE

AUTO = 0.05
"""Share of the aspect ratio up to which `auto` crops."""
_RATIO = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:[:/x×]\s*(\d+(?:\.\d+)?))?\s*")


@dataclass(frozen=True)
class Margins:
    """Distances from the subject to the edges, as shares of the height (top, bottom) and the width."""

    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    left: float = 0.0

    def __bool__(self) -> bool:
        return any(astuple(self))

    def filled(self, other: Margins) -> Margins:
        """Margins that are 0, from another set."""
        return Margins(*(own or theirs for own, theirs in zip(astuple(self), astuple(other), strict=True)))


class Box(NamedTuple):
    """x0, y0, x1, y1 in pixels."""

    x0: float
    y0: float
    x1: float
    y1: float

    def margins(self, width: int, height: int) -> Margins:
        """Of this box in a picture of that size."""
        return Margins(self.y0 / height, 1 - self.x1 / width, 1 - self.y1 / height, self.x0 / width)


@dataclass(frozen=True)
class Wish:
    """What is asked of a picture. Zeros: not asked."""

    mode: str
    aspect: float = 0.0
    width: int = 0
    height: int = 0
    margins: Margins = Margins()
    position: str = "center"
    tolerance: float = 0.0
    proportion: float = 1.0


@dataclass(frozen=True)
class Placement:
    """A canvas, as a window on the picture that may reach beyond it, and the size that the window is scaled to."""

    x: float
    """Of the window, in pixels of the picture."""
    y: float
    wide: float
    high: float
    width: int
    """Of the result."""
    height: int

    def across(self, width: int) -> Span:
        """What is seen of a picture that is so wide, and where."""
        return _span(self.x, self.wide, width, self.width)

    def down(self, height: int) -> Span:
        """The same for heights."""
        return _span(self.y, self.high, height, self.height)


class Span(NamedTuple):
    """Along one axis, in whole pixels."""

    first: int
    """What of the picture is seen: from here."""
    end: int
    """To there, excluded."""
    low: int
    """Where that begins on the canvas; may lie beyond its edge."""
    high: int
    """Where it ends, excluded."""


def aspect_of(text: str) -> float:
    """Width by height of `3:4`, `3/4`, `3x4` or `0.75`; 0 for an empty text.

    Errors: ValueError.
    """
    if not text.strip():
        return 0.0
    found = _RATIO.fullmatch(text)
    across, down = (float(found[1]), float(found[2] or 1)) if found else (0.0, 0.0)
    if not across or not down or not 0.01 <= across / down <= 100:
        raise ValueError(f"aspect_ratio: {text!r} is no aspect ratio. Write width to height, such as 3:4 or 0.75")
    return across / down


def placed(wish: Wish, width: int, height: int, subject: Box | None, margins: Margins) -> Placement | None:
    """Where the picture's window is; None if the picture fulfils the wish as it is.

    Errors: ValueError for margins that leave no room, for a size that contradicts the aspect ratio, and for a result
    with a side of more than MAX_SIDE.
    """
    if margins.left + margins.right > 0.95 or margins.top + margins.bottom > 0.95:
        raise ValueError("margins: they leave no room for the subject. Two that face each other must be below 0.95")
    aspect = _aspect(wish, width, height)
    target = _target(wish, aspect, width, height)
    subject = subject if margins else None
    mode = wish.mode if wish.mode != "auto" else "pad" if abs(width / height / aspect - 1) > AUTO else "crop"
    if _fulfilled(wish, mode, aspect, target, width, height, subject, margins):
        return None
    high = _height(mode, aspect, width, height, subject, margins, wish.proportion)
    wide = high * aspect
    x, y = _origin(mode, wish.position, width - wide, height - high)
    if subject:
        if mode == "scale":
            x, y = (subject.x0 + subject.x1 - wide) / 2, (subject.y0 + subject.y1 - high) / 2
        x = _held(x, subject.x1 + margins.right * wide - wide, subject.x0 - margins.left * wide)
        y = _held(y, subject.y1 + margins.bottom * high - high, subject.y0 - margins.top * high)
    size = target or (max(1, round(wide)), max(1, round(high)))
    if max(size) > MAX_SIDE:
        raise ValueError(
            f"the result would have {size[0]} × {size[1]} pixels. Give a target size of at most {MAX_SIDE}"
        )
    if target:
        return Placement(x, y, wide, high, *target)
    return Placement(round(x), round(y), *size, *size)  # whole pixels: nothing is scaled


def _aspect(wish: Wish, width: int, height: int) -> float:
    if not (wish.width and wish.height):
        return wish.aspect or width / height
    if wish.aspect and abs(wish.height * wish.aspect - wish.width) > max(1.0, wish.aspect):
        fault = f"aspect_ratio: {wish.aspect:.4g} is not that of {wish.width} × {wish.height}"
        raise ValueError(f"{fault}. Give the aspect ratio or the target size")
    return wish.width / wish.height


def _target(wish: Wish, aspect: float, width: int, height: int) -> tuple[int, int] | None:
    if not wish.width and not wish.height:
        return None
    return wish.width or max(1, round(wish.height * aspect)), wish.height or max(1, round(wish.width / aspect))


def _fulfilled(
    wish: Wish,
    mode: str,
    aspect: float,
    target: tuple[int, int] | None,
    width: int,
    height: int,
    subject: Box | None,
    margins: Margins,
) -> bool:
    off = [abs(width / height / aspect - 1)]
    off += [abs(width / target[0] - 1), abs(height / target[1] - 1)] if target else []
    if subject:
        if mode == "scale":  # asks for margins that are exact
            return False
        present = subject.margins(width, height)
        off += [wanted - given for wanted, given in zip(astuple(margins), astuple(present), strict=True)]
    return max(off) <= wish.tolerance + 1e-9


def _height(
    mode: str, aspect: float, width: int, height: int, subject: Box | None, margins: Margins, proportion: float
) -> float:
    """Of the window, in pixels of the picture."""
    by_width = width / aspect
    if not subject:
        return _mixed(height, by_width, proportion) if mode == "scale" else _base(mode, height, by_width)
    needed = (subject.y1 - subject.y0) / (1 - margins.top - margins.bottom)
    by_width_needed = (subject.x1 - subject.x0) / (1 - margins.left - margins.right) / aspect
    if mode != "scale":
        return max(_base(mode, height, by_width), needed, by_width_needed)
    if not (margins.top or margins.bottom):
        return by_width_needed
    return _mixed(needed, by_width_needed, proportion if margins.left or margins.right else 1.0)


def _base(mode: str, height: float, by_width: float) -> float:
    return min(height, by_width) if mode == "crop" else max(height, by_width)


def _mixed(height: float, by_width: float, proportion: float) -> float:
    return math.pow(height, proportion) * math.pow(by_width, 1 - proportion)


def _origin(mode: str, position: str, spare_x: float, spare_y: float) -> tuple[float, float]:
    """Of the window; spare is what the picture is larger by."""
    if mode != "crop":
        return spare_x / 2, spare_y / 2
    x = {"left": 0.0, "right": spare_x}.get(position, spare_x / 2)
    return x, {"top": 0.0, "bottom": spare_y}.get(position, spare_y / 2)


def _held(value: float, low: float, high: float) -> float:
    return min(max(value, low), high) if low <= high else (low + high) / 2


def _span(begin: float, length: float, limit: int, pixels: int) -> Span:
    scale = pixels / length
    first, end = max(0, math.floor(begin + 1e-6)), min(limit, math.ceil(begin + length - 1e-6))
    first = min(first, limit - 1)
    end = max(end, first + 1)
    low = round((first - begin) * scale)
    return Span(first, end, low, max(round((end - begin) * scale), low + 1))
