"""Where a picture comes to lie on a canvas, in pixels. The same numbers as the compiler's compiler/sizes.py gives."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fit:
    """How a picture is brought onto a canvas: scaled, then padded, then cropped."""

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


def fit_to_area(width: int, height: int, side: int, multiple: int, method: str, seed: int = 0) -> Fit:
    """Brings a picture to the area of a square of that side.

    `pad` keeps all of it and pads up to whole multiples; `center` and `random` fill the canvas and crop what stands
    over, around the centre or at a place drawn from the seed.
    """
    scale = side / math.sqrt(width * height)
    if method == "pad":
        inner = max(1, round(width * scale)), max(1, round(height * scale))
        canvas = -(-inner[0] // multiple) * multiple, -(-inner[1] // multiple) * multiple
        spare = canvas[0] - inner[0], canvas[1] - inner[1]
        left, top = spare[0] // 2, spare[1] // 2
        return Fit(*inner, left, top, spare[0] - left, spare[1] - top, 0, 0, *canvas, *inner)
    canvas = _nearest(width * scale, multiple), _nearest(height * scale, multiple)
    cover = max(canvas[0] / width, canvas[1] / height)
    scaled = max(canvas[0], round(width * cover)), max(canvas[1], round(height * cover))
    over = scaled[0] - canvas[0], scaled[1] - canvas[1]
    x, y = (over[0] // 2, over[1] // 2) if method == "center" else (_spread(seed, over[0]), _spread(seed >> 7, over[1]))
    return Fit(*scaled, 0, 0, 0, 0, x, y, *canvas, *canvas)


def area_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height of the picture at the area of a square of that side, with its aspect ratio."""
    scale = side / math.sqrt(width * height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _nearest(value: float, multiple: int) -> int:
    return max(multiple, round(value / multiple) * multiple)


def _spread(seed: int, most: int) -> int:
    return (seed * 2654435761 >> 8) % (most + 1)  # Knuth's multiplicative hash: near seeds fall far apart
