"""Arithmetic of picture sizes, in pixels. Pure; every family's own numbers come from its stack."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


def round_up(value: int, multiple: int) -> int:
    """The least multiple that is not below the value."""
    return -(-value // multiple) * multiple


def both_up(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Width and height, each rounded up."""
    return round_up(size[0], multiple), round_up(size[1], multiple)


def round_near(value: float, multiple: int) -> int:
    """The nearest multiple, at least one."""
    return max(multiple, round(value / multiple) * multiple)


def of_area(width: int, height: int, area: int, multiple: int, most: int) -> tuple[int, int]:
    """Width and height of about that area with the aspect ratio of the picture, in whole multiples, up to `most`."""
    scale = min(math.sqrt(area / (width * height)), most / max(width, height))
    return round_near(width * scale, multiple), round_near(height * scale, multiple)


def within(width: int, height: int, area: int, multiple: int) -> tuple[int, int]:
    """Width and height in whole multiples: as near to the picture's as can be, and about `area` at most."""
    scale = min(1.0, math.sqrt(area / (width * height)))
    return round_near(width * scale, multiple), round_near(height * scale, multiple)


def completed(
    width: int | None, height: int | None, default: tuple[int, int], multiple: int, most: int
) -> tuple[int, int]:
    """Width and height as asked; one that is missing follows from the other and the default's aspect ratio."""
    if width is None and height is None:
        return default
    if height is None:
        assert width is not None
        return width, min(most, round_near(width * default[1] / default[0], multiple))
    if width is None:
        return min(most, round_near(height * default[0] / default[1], multiple)), height
    return width, height


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture lies on a larger canvas."""

    width: int
    """Of the picture."""
    height: int
    left: int
    """Padding."""
    top: int
    right: int
    bottom: int

    def facts(self) -> dict[str, Any]:
        return asdict(self)


def on_canvas(width: int, height: int, canvas: tuple[int, int]) -> Place:
    """The picture in the middle of the canvas; one that is larger is scaled down to fit, none is scaled up."""
    scale = min(1.0, canvas[0] / width, canvas[1] / height)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    spare = canvas[0] - inner[0], canvas[1] - inner[1]
    left, top = spare[0] // 2, spare[1] // 2
    return Place(*inner, left, top, spare[0] - left, spare[1] - top)


@dataclass(frozen=True, slots=True)
class Fit:
    """How a picture is brought onto a canvas: scaled, then padded, then cropped. The result is read off the canvas."""

    scaled_width: int
    scaled_height: int
    left: int
    """Padding; also where the picture begins on the canvas."""
    top: int
    right: int
    bottom: int
    x: int
    """Where the canvas begins on the scaled and padded picture."""
    y: int
    width: int
    """Of the canvas: a multiple, as the latent needs it."""
    height: int
    result_width: int
    """Of the picture on the canvas: what is left when the padding is cropped away."""
    result_height: int

    def facts(self) -> dict[str, Any]:
        return asdict(self)


def fit_to_area(width: int, height: int, side: int, multiple: int, method: str, seed: int = 0) -> Fit:
    """Brings a picture to the area of a square of that side.

    `pad` keeps all of it and pads up to whole multiples; `center` and `random` fill the canvas and crop what stands
    over, around the centre or at a place drawn from the seed.
    """
    scale = side / math.sqrt(width * height)
    if method == "pad":
        inner = max(1, round(width * scale)), max(1, round(height * scale))
        canvas = round_up(inner[0], multiple), round_up(inner[1], multiple)
        spare = canvas[0] - inner[0], canvas[1] - inner[1]
        left, top = spare[0] // 2, spare[1] // 2
        return Fit(*inner, left, top, spare[0] - left, spare[1] - top, 0, 0, *canvas, *inner)
    canvas = round_near(width * scale, multiple), round_near(height * scale, multiple)
    cover = max(canvas[0] / width, canvas[1] / height)
    scaled = max(canvas[0], round(width * cover)), max(canvas[1], round(height * cover))
    over = scaled[0] - canvas[0], scaled[1] - canvas[1]
    x, y = (over[0] // 2, over[1] // 2) if method == "center" else (_spread(seed, over[0]), _spread(seed >> 7, over[1]))
    return Fit(*scaled, 0, 0, 0, 0, x, y, *canvas, *canvas)


def _spread(seed: int, most: int) -> int:
    return (seed * 2654435761 >> 8) % (most + 1)  # Knuth's multiplicative hash: near seeds fall far apart
