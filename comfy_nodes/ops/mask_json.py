"""Masks as JSON: the text of ComfycMaskFromJson read into shapes in pixels. The node's page has the format.

No torch. Errors: ValueError "mask_json: where: what is wrong. What to write".
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .shapes import Ellipse, Polygon, Rectangle, Runs, Shape, Stroke, Window

MAX_TEXT: Final = 4_000_000
MAX_SHAPES: Final = 2_000
MAX_POINTS: Final = 100_000
MAX_SIDE: Final = 16_384
MAX_COORDINATE: Final = 1e6
"""Pixels from the corner: farther points are mistakes."""
UNITS: Final = ("pixels", "fraction")
OPS: Final = ("add", "subtract")
KEYS: Final = ("shapes", "units", "size", "invert")


@dataclass(frozen=True)
class Drawing:
    """What to draw, in pixels of the mask."""

    width: int
    height: int
    shapes: tuple[Shape, ...]
    invert: bool


@dataclass
class Reader:
    """Reads numbers of one text: scales them to the mask, counts points."""

    canvas: Window
    across: float
    """Pixels of the mask for one unit of x."""
    down: float
    thick: float
    """The same for a length that has no direction."""
    points_left: int = MAX_POINTS

    def points(self, value: Any, where: str, least: int) -> NDArray[np.float64]:
        """[n, 2] in pixels."""
        if not isinstance(value, list) or len(value) < least:
            raise fault(where, f"needs at least {least} points", "Write [[x, y], …]")
        self.points_left -= len(value)
        if self.points_left < 0:
            raise fault(where, f"makes more than {MAX_POINTS:,} points in all", "Simplify the outlines")
        for number, point in enumerate(value):
            if not isinstance(point, list) or len(point) != 2 or not all(map(is_number, point)):
                raise fault(f"{where}[{number}]", "is no point", "Write [x, y], two numbers")
        found = np.asarray(value, np.float64) * (self.across, self.down)
        if np.abs(found).max() > MAX_COORDINATE:
            raise fault(where, "has a point far outside of the mask", "Are `units` right?")
        return found

    def number(self, shape: Mapping[str, Any], key: str, where: str, scale: float, *, positive: bool = False) -> float:
        value = shape.get(key)
        if not is_number(value):
            raise fault(f"{where}.{key}", "is not a number" if key in shape else "is missing", "Write a number")
        if positive and value <= 0:
            raise fault(f"{where}.{key}", f"is {value}", "Write a number above 0")
        if abs(value * scale) > MAX_COORDINATE:
            raise fault(f"{where}.{key}", "is far outside of the mask", "Are `units` right?")
        return value * scale


def parsed(text: str, width: int, height: int) -> Drawing:
    """The drawing of a text, for a mask of that size.

    Errors: ValueError.
    """
    given = _object(text)
    reader = _reader(given, width, height)
    listed = given.get("shapes")
    if not isinstance(listed, list):
        raise fault("shapes", "is missing" if listed is None else "is not a list", 'Write {"shapes": [{"type": …}, …]}')
    if len(listed) > MAX_SHAPES:
        raise fault("shapes", f"has {len(listed):,} shapes, more than {MAX_SHAPES:,}", "Join shapes into one polygon")
    invert = given.get("invert", False)
    if not isinstance(invert, bool):
        raise fault("invert", f"is {invert!r}", "Write true or false")
    return Drawing(width, height, tuple(_shape(one, f"shapes[{at}]", reader) for at, one in enumerate(listed)), invert)


def fault(where: str, what: str, cure: str) -> ValueError:
    return ValueError(f"mask_json: {where} {what}. {cure}")


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _object(text: str) -> Mapping[str, Any]:
    if len(text) > MAX_TEXT:
        raise fault("the text", f"is longer than {MAX_TEXT:,} characters", "Simplify the shapes")
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise fault("the text", f"is not JSON: {error}", 'Write {"shapes": […]}') from error
    given = {"shapes": given} if isinstance(given, list) else given
    if not isinstance(given, dict):
        raise fault("the text", "is neither an object nor a list", 'Write {"shapes": […]}')
    for key in given:
        if key not in KEYS:
            raise fault(key, "is not known", f"Known are {', '.join(KEYS)}")
    return given


def _reader(given: Mapping[str, Any], width: int, height: int) -> Reader:
    canvas = Window(0, 0, width, height)
    units = given.get("units", "pixels")
    if not isinstance(units, str) or units not in UNITS:
        raise fault("units", f"is {units!r}", f"Write {' or '.join(UNITS)}")
    if units == "fraction":
        return Reader(canvas, width, height, min(width, height))
    size = given.get("size", [width, height])
    if not isinstance(size, list) or len(size) != 2 or not all(is_number(one) and one > 0 for one in size):
        raise fault("size", f"is {size!r}", "Write [width, height]")
    across, down = width / size[0], height / size[1]
    return Reader(canvas, across, down, math.sqrt(across * down))


def _shape(given: Any, where: str, reader: Reader) -> Shape:
    if not isinstance(given, dict):
        raise fault(where, "is not an object", 'Write {"type": "polygon", "points": …}')
    kind = given.get("type")
    if not isinstance(kind, str) or kind not in READERS:
        raise fault(f"{where}.type", f"is {kind!r}", f"Write one of {', '.join(READERS)}")
    operation = given.get("op", "add")
    if not isinstance(operation, str) or operation not in OPS:
        raise fault(f"{where}.op", f"is {operation!r}", f"Write {' or '.join(OPS)}")
    keys, read = READERS[kind]
    for key in given:
        if key not in ("type", "op", *keys):
            raise fault(f"{where}.{key}", f"is not known of a {kind}", f"Known are {', '.join(keys)}, op")
    return read(given, where, reader, operation == "subtract")


def _polygon(given: Mapping[str, Any], where: str, reader: Reader, subtract: bool) -> Shape:
    if ("points" in given) == ("rings" in given):
        raise fault(where, "needs either points or rings", "Write points for one outline, rings for several")
    rings = [given["points"]] if "points" in given else given["rings"]
    if not isinstance(rings, list) or not rings:
        raise fault(f"{where}.rings", "is not a list of outlines", "Write [[[x, y], …], …]")
    name = f"{where}.points" if "points" in given else f"{where}.rings"
    return Polygon(subtract, tuple(reader.points(ring, name, 3) for ring in rings))


def _rectangle(given: Mapping[str, Any], where: str, reader: Reader, subtract: bool) -> Shape:
    x, y = reader.number(given, "x", where, reader.across), reader.number(given, "y", where, reader.down)
    wide = reader.number(given, "width", where, reader.across, positive=True)
    high = reader.number(given, "height", where, reader.down, positive=True)
    return Rectangle(subtract, x, y, x + wide, y + high)


def _ellipse(given: Mapping[str, Any], where: str, reader: Reader, subtract: bool) -> Shape:
    x, y = reader.number(given, "x", where, reader.across), reader.number(given, "y", where, reader.down)
    across = reader.number(given, "rx", where, reader.across, positive=True)
    down = reader.number(given, "ry", where, reader.down, positive=True)
    return Ellipse(subtract, x, y, across, down)


def _stroke(given: Mapping[str, Any], where: str, reader: Reader, subtract: bool) -> Shape:
    points = reader.points(given.get("points"), f"{where}.points", 1)
    return Stroke(subtract, points, reader.number(given, "width", where, reader.thick, positive=True) / 2)


def _runs(given: Mapping[str, Any], where: str, reader: Reader, subtract: bool) -> Shape:
    counts, size = given.get("counts"), given.get("size")
    if isinstance(counts, str):
        raise fault(f"{where}.counts", "is COCO's compressed text", "Write the run lengths as a list of numbers")
    if not isinstance(size, list) or len(size) != 2 or not all(_is_count(one) and 0 < one <= MAX_SIDE for one in size):
        raise fault(f"{where}.size", f"is {size!r}", f"Write [height, width], each 1 to {MAX_SIDE}")
    if not isinstance(counts, list) or not all(map(_is_count, counts)):
        raise fault(f"{where}.counts", "is not a list of whole numbers", "Write run lengths, beginning with a run of 0")
    if sum(counts) != size[0] * size[1]:
        cure = f"A mask of {size[0]} × {size[1]} has {size[0] * size[1]}"
        raise fault(f"{where}.counts", f"covers {sum(counts)} pixels", cure)
    return Runs(subtract, np.asarray(counts, np.int64), (size[1], size[0]), reader.canvas)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


READERS: Final[Mapping[str, tuple[tuple[str, ...], Callable[[Any, str, Reader, bool], Shape]]]] = {
    "polygon": (("points", "rings"), _polygon),
    "rectangle": (("x", "y", "width", "height"), _rectangle),
    "ellipse": (("x", "y", "rx", "ry"), _ellipse),
    "stroke": (("points", "width"), _stroke),
    "rle": (("counts", "size"), _runs),
}
