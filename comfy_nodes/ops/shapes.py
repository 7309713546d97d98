"""Shapes and how much of each pixel they cover: numpy alone, no loop over pixels.

Coordinates are pixels of the mask, where pixel (0, 0) reaches from 0 to 1. A coverage is a float32 array
[bottom - top, right - left] of 0 to 1, for a window of whole pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

Coverage = NDArray[np.float32]
Points = NDArray[np.float64]

LINES: Final = 16
"""Lines on which a pixel's coverage by a polygon is measured; along a line it is exact."""
CROSSING: Final = 16
"""Work for one crossing of an edge with a line, in values of a coverage: it is sorted."""
FLATNESS: Final = 0.02
"""Pixels that a polygon may lie inside the ellipse it stands for."""
PIECE: Final = 256.0
"""Pixels: longer parts of a stroke are drawn in pieces, so that the windows of slanting ones stay small."""


@dataclass(frozen=True)
class Window:
    """A part of the mask, in whole pixels; right and bottom excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        return max(0, self.right - self.left) * max(0, self.bottom - self.top)

    def within(self, other: Window) -> Window:
        """The part of this window that lies in another one; maybe empty."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        return Window(left, top, max(left, min(self.right, other.right)), max(top, min(self.bottom, other.bottom)))

    def inside(self, other: Window) -> tuple[slice, slice]:
        """Rows and columns of this window in an array of the other one."""
        rows = slice(self.top - other.top, self.bottom - other.top)
        return rows, slice(self.left - other.left, self.right - other.left)


@dataclass(frozen=True)
class Shape:
    """A shape that is added, or subtracted."""

    subtract: bool

    def window(self) -> Window:
        """The pixels that it touches."""
        raise NotImplementedError

    def cost(self, canvas: Window) -> int:
        """About how many values are computed to draw it on that canvas."""
        return self.window().within(canvas).area

    def coverage(self, window: Window) -> Coverage:
        """How much of each pixel of the window it covers."""
        raise NotImplementedError


@dataclass(frozen=True)
class Rectangle(Shape):
    """Exact."""

    x0: float
    y0: float
    x1: float
    y1: float

    def window(self) -> Window:
        return _window(self.x0, self.y0, self.x1, self.y1)

    def coverage(self, window: Window) -> Coverage:
        columns = _overlap(window.left, window.right, self.x0, self.x1)
        rows = _overlap(window.top, window.bottom, self.y0, self.y1)
        return np.outer(rows, columns).astype(np.float32)


@dataclass(frozen=True)
class Polygon(Shape):
    """Closed rings by the even-odd rule: what lies in an odd number of them is inside."""

    rings: tuple[Points, ...]

    def window(self) -> Window:
        points = np.concatenate(self.rings)
        return _window(*points.min(0), *points.max(0))

    def cost(self, canvas: Window) -> int:
        _, low, _, high = self._edges
        low, high = np.clip(low, canvas.top, canvas.bottom), np.clip(high, canvas.top, canvas.bottom)
        return super().cost(canvas) + int(((high - low) * LINES * CROSSING).sum())

    def coverage(self, window: Window) -> Coverage:
        across = window.right - window.left
        line, x = self._crossings(window.top * LINES, window.bottom * LINES)
        x = np.clip(x - window.left, 0, across)
        row, sign = line // LINES - window.top, np.where(np.arange(len(x)) % 2, -1.0, 1.0) / LINES
        column = x.astype(np.int64)
        part, place = x - column, row * (across + 2) + column
        steps = np.bincount(place, sign * (1 - part), minlength=(window.bottom - window.top) * (across + 2))
        steps += np.bincount(place + 1, sign * part, minlength=len(steps))
        filled = steps.reshape(-1, across + 2).cumsum(1)[:, :across]
        return np.clip(filled, 0, 1).astype(np.float32)

    @cached_property
    def _edges(self) -> tuple[Points, Points, Points, Points]:
        """x at the upper end, y of the upper and x, y of the lower end, without level edges; as x0, y0, slope, y1."""
        start = np.concatenate(self.rings)
        end = np.concatenate([np.roll(ring, -1, 0) for ring in self.rings])
        swap = (start[:, 1] > end[:, 1])[:, None]
        upper, lower = np.where(swap, end, start), np.where(swap, start, end)
        keep = upper[:, 1] < lower[:, 1]
        upper, lower = upper[keep], lower[keep]
        slope = (lower[:, 0] - upper[:, 0]) / (lower[:, 1] - upper[:, 1])
        return upper[:, 0], upper[:, 1], slope, lower[:, 1]

    def _crossings(self, first: int, last: int) -> tuple[NDArray[np.int64], Points]:
        """Line and x of each crossing of an edge with the lines first … last - 1, sorted; in and out take turns."""
        x0, y0, slope, y1 = self._edges
        begin = np.clip(np.ceil(y0 * LINES - 0.5), first, last).astype(np.int64)
        end = np.clip(np.ceil(y1 * LINES - 0.5), first, last).astype(np.int64)
        count = end - begin
        edge = np.repeat(np.arange(len(count)), count)
        line = begin[edge] + np.arange(len(edge)) - (count.cumsum() - count)[edge]
        x = x0[edge] + ((line + 0.5) / LINES - y0[edge]) * slope[edge]
        order = np.lexsort((x, line))
        return line[order], x[order]


@dataclass(frozen=True)
class Ellipse(Shape):
    """Drawn as a polygon that is never more than FLATNESS inside it."""

    x: float
    y: float
    rx: float
    ry: float

    def window(self) -> Window:
        return _window(self.x - self.rx, self.y - self.ry, self.x + self.rx, self.y + self.ry)

    def cost(self, canvas: Window) -> int:
        return self._polygon.cost(canvas)

    def coverage(self, window: Window) -> Coverage:
        return self._polygon.coverage(window)

    @cached_property
    def _polygon(self) -> Polygon:
        corners = max(32, math.ceil(math.pi * math.sqrt(max(self.rx, self.ry) / (2 * FLATNESS))))
        angles = np.arange(corners) * (2 * math.pi / corners)
        ring = np.stack([self.x + self.rx * np.cos(angles), self.y + self.ry * np.sin(angles)], 1)
        return Polygon(self.subtract, (ring,))


@dataclass(frozen=True)
class Stroke(Shape):
    """A line through points with round ends and joints."""

    points: Points
    radius: float

    def window(self) -> Window:
        low, high = self.points.min(0) - self.radius - 1, self.points.max(0) + self.radius + 1
        return _window(*low, *high)

    def cost(self, canvas: Window) -> int:
        return sum(piece.within(canvas).area for piece in self._windows) + 100 * len(self._windows)

    def coverage(self, window: Window) -> Coverage:
        made = np.zeros((window.bottom - window.top, window.right - window.left), np.float32)
        for (start, step), around in zip(self._pieces, self._windows, strict=True):
            part = around.within(window)
            if part.area:
                place = made[part.inside(window)]
                np.maximum(place, self._capsule(part, start, step), out=place)
        return made

    def _capsule(self, window: Window, start: Points, step: Points) -> Coverage:
        """What is no farther than the radius from the piece that begins at `start` and goes by `step`."""
        x = (np.arange(window.left, window.right) + 0.5 - start[0]).astype(np.float32)[None, :]
        y = (np.arange(window.top, window.bottom) + 0.5 - start[1]).astype(np.float32)[:, None]
        dx, dy = np.float32(step[0]), np.float32(step[1])
        along = np.clip((x * dx + y * dy) / np.float32(max(dx * dx + dy * dy, 1e-12)), 0, 1)
        away = np.hypot(x - along * dx, y - along * dy)
        # the share of a pixel's width, placed at that distance, that lies within the radius of the line
        return np.clip(np.minimum(away + 0.5, self.radius) - np.maximum(away - 0.5, -self.radius), 0, 1)

    @cached_property
    def _pieces(self) -> list[tuple[Points, Points]]:
        """Start and step of each piece, none longer than PIECE; a single point is a piece of no length."""
        starts, steps = self.points[:-1], np.diff(self.points, axis=0)
        if not len(steps):
            return [(self.points[0], np.zeros(2))]
        counts = np.maximum(1, np.ceil(np.hypot(steps[:, 0], steps[:, 1]) / PIECE)).astype(int)
        return [
            (start + step * at / count, step / count)
            for start, step, count in zip(starts, steps, counts, strict=True)
            for at in range(count)
        ]

    @cached_property
    def _windows(self) -> list[Window]:
        reach = self.radius + 1
        ends = ((start, start + step) for start, step in self._pieces)
        return [_window(*(np.minimum(a, b) - reach), *(np.maximum(a, b) + reach)) for a, b in ends]


@dataclass(frozen=True)
class Runs(Shape):
    """Run lengths, column by column, of 0 and 1 in turn; scaled to the mask."""

    counts: NDArray[np.int64]
    size: tuple[int, int]
    """Width and height of what is run-length coded."""
    canvas: Window

    def window(self) -> Window:
        return self.canvas

    def coverage(self, window: Window) -> Coverage:
        return self._scaled[window.top : window.bottom, window.left : window.right]

    @cached_property
    def _scaled(self) -> Coverage:
        from PIL import Image

        bits = np.repeat(np.arange(len(self.counts)) % 2, self.counts).astype(np.float32)
        bitmap = np.ascontiguousarray(bits.reshape(self.size).T)
        target = self.canvas.right, self.canvas.bottom
        if self.size == target:
            return bitmap
        return np.asarray(Image.fromarray(bitmap).resize(target, Image.Resampling.BILINEAR))


def _window(x0: float, y0: float, x1: float, y1: float) -> Window:
    return Window(math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1))


def _overlap(first: int, last: int, low: float, high: float) -> Points:
    """How much of each pixel first … last - 1 lies between two coordinates."""
    pixel = np.arange(first, last)
    return np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, 1)
