"""Sizes and places of pictures, tiles, frames and crops. Numbers only; no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

MULTIPLE = 8
"""Pixels: sides of crops and of small tiles, as latents need them."""
MAX_SIDE = 16384
"""Pixels of a result."""
MAX_FRAMES = 20_000
Place = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole pixels."""


class Layout(TypedDict):
    """COMFYC_TILES: where the tiles of each picture lie."""

    pictures: int
    width: int
    """Of the picture."""
    height: int
    tile_width: int
    tile_height: int
    columns: list[int]
    """x of each tile of a row."""
    rows: list[int]
    """y of each row."""


def fitting(width: int, height: int, canvas_width: int, canvas_height: int) -> tuple[int, int]:
    """The size of a picture on a canvas: its own, or the largest that fits with its aspect ratio."""
    scale = min(1.0, canvas_width / width, canvas_height / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def anchored(spare_x: int, spare_y: int, anchor: str) -> tuple[int, int]:
    """Where a picture begins on a canvas that is so much larger: `center`, `top`, `bottom-left`, …"""
    x = 0 if "left" in anchor else spare_x if "right" in anchor else spare_x // 2
    return x, 0 if "top" in anchor else spare_y if "bottom" in anchor else spare_y // 2


def tile_layout(pictures: int, width: int, height: int, tile_width: int, tile_height: int, overlap: int) -> Layout:
    """The tiles of pictures of one size. A tile is never larger than the picture filled up to a MULTIPLE.

    Errors: ValueError if the overlap is more than half a tile.
    """
    side = min(tile_width, tile_height)
    if overlap > side // 2:
        raise ValueError(f"overlap: {overlap} is more than half a tile of {side}. Give at most {side // 2}")
    wide, high = (min(tile, _multiple(length)) for length, tile in ((width, tile_width), (height, tile_height)))
    return {
        "pictures": pictures,
        "width": width,
        "height": height,
        "tile_width": wide,
        "tile_height": high,
        "columns": _starts(width, wide, overlap),
        "rows": _starts(height, high, overlap),
    }


def near(value: float) -> int:
    """The nearest whole number. Halves go up, all of them, so that equal steps stay equal."""
    return math.floor(value + 0.5)


def shown_frames(count: int, fps_in: float, fps_out: float) -> list[int]:
    """Which old frame is shown at the middle of each new one, at least one; the length in seconds stays.

    Errors: ValueError for more than MAX_FRAMES.
    """
    wanted = max(1, int(count * fps_out / fps_in + 0.5))
    if wanted > MAX_FRAMES:
        cure = f"A video may have {MAX_FRAMES:,}: give a lower rate, or cut the video"
        raise ValueError(f"fps_out: {fps_out} a second makes {wanted:,} frames. {cure}")
    return [min(math.floor((frame + 0.5) / fps_out * fps_in), count - 1) for frame in range(wanted)]


def frame_size(width: int, height: int, wanted_width: int, wanted_height: int) -> tuple[int, int]:
    """0 and 0 keeps the size; one 0 keeps the aspect ratio.

    Errors: ValueError for a side of more than MAX_SIDE.
    """
    if not wanted_width and not wanted_height:
        return width, height
    across = wanted_width or max(1, round(width * wanted_height / height))
    down = wanted_height or max(1, round(height * wanted_width / width))
    if max(across, down) > MAX_SIDE:
        raise ValueError(f"width, height: {across} × {down} is too large. No side may be more than {MAX_SIDE} pixels")
    return across, down


def crop_places(
    boxes: Sequence[Sequence[float]], expand: float, size: int, width: int, height: int
) -> tuple[tuple[int, int], list[Place]]:
    """Width and height of all crops, and where each is taken from a picture of that size.

    Boxes are grown by `expand` of themselves on each side, then to the geometric mean of their aspect ratios; places
    are moved into the picture as far as they fit.
    """
    grown = [_grown(box, expand) for box in boxes]
    across, down = _shared_size(grown, size)
    return (across, down), [_place(box, across / down, width, height) for box in grown]


def _multiple(length: int) -> int:
    return -(-length // MULTIPLE) * MULTIPLE


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    """As few tiles as the overlap allows, spread evenly."""
    if length <= tile:
        return [0]
    count = math.ceil((length - overlap) / (tile - overlap))
    return [near(index * (length - tile) / (count - 1)) for index in range(count)]


def _grown(box: Sequence[float], expand: float) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box
    across, down = (x1 - x0) * expand, (y1 - y0) * expand
    return x0 - across, y0 - down, x1 + across, y1 + down


def _shared_size(boxes: Sequence[Sequence[float]], size: int) -> tuple[int, int]:
    logs = [math.log((x1 - x0) / (y1 - y0)) for x0, y0, x1, y1 in boxes]
    aspect = math.exp(sum(logs) / len(logs))
    shorter = max(MULTIPLE, round(size * min(aspect, 1 / aspect) / MULTIPLE) * MULTIPLE)
    return (size, shorter) if aspect >= 1 else (shorter, size)


def _place(box: Sequence[float], aspect: float, width: int, height: int) -> Place:
    x0, y0, x1, y1 = box
    across, down = max(x1 - x0, (y1 - y0) * aspect), max(y1 - y0, (x1 - x0) / aspect)
    left, wide = _span((x0 + x1) / 2, across, width)
    top, high = _span((y0 + y1) / 2, down, height)
    return left, top, left + wide, top + high


def _span(middle: float, length: float, limit: int) -> tuple[int, int]:
    whole = max(1, round(length))
    low, high = sorted((0, limit - whole))
    return min(max(round(middle - whole / 2), low), high), whole
