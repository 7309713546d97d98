"""Pictures in overlapping tiles, and back. A layout is a plain dict (COMFYC_TILES)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from .geometry import Layout, near, tile_layout
from .pixels import extended


def split(pictures: Tensor, tile_width: int, tile_height: int, overlap: int) -> tuple[Tensor, Layout, int]:
    """[B, H, W, C] → tiles [B · rows · columns, h, w, C], their layout and number. See ComfycTileSplit."""
    height, width = pictures.shape[1:3]
    layout = tile_layout(len(pictures), width, height, tile_width, tile_height, overlap)
    wide, high = layout["tile_width"], layout["tile_height"]
    pictures = extended(pictures, 0, 0, max(0, wide - width), max(0, high - height))
    tiles = [pictures[:, y : y + high, x : x + wide] for y in layout["rows"] for x in layout["columns"]]
    stacked = torch.stack(tiles, 1).flatten(0, 1)
    return stacked, layout, len(stacked)


def merge(tiles: Tensor, layout: Any) -> Tensor:
    """[B · n, h, w, C] → [B, H, W, C]. See ComfycTileMerge."""
    if not isinstance(layout, dict) or "columns" not in layout:
        raise ValueError("layout: not a layout of tiles. Link the layout of Tile split")
    rows, columns = layout["rows"], layout["columns"]
    wanted = layout["pictures"] * len(rows) * len(columns)
    if len(tiles) != wanted:
        raise ValueError(f"tiles: there are {len(tiles)}, but the layout has {wanted}. Link all tiles, in their order")
    high, wide = tiles.shape[1:3]
    down, across = high / layout["tile_height"], wide / layout["tile_width"]
    grid = tiles.unflatten(0, (layout["pictures"], len(rows), len(columns)))
    strips = (
        _joined(grid[:, row].unbind(1), [near(x * across) for x in columns], 2)  # one at a time, to bound the memory
        for row in range(len(rows))
    )
    whole = _joined(strips, [near(y * down) for y in rows], 1)
    return whole[:, : max(1, near(layout["height"] * down)), : max(1, near(layout["width"] * across))].contiguous()


def _joined(parts: Iterable[Tensor], starts: list[int], axis: int) -> Tensor:
    """Parts of one size side by side along an axis, each blended into what lies before it.

    a + w (b − a) gives a itself, bit for bit, where a and b are equal.
    """
    made, filled = None, 0
    for part, start in zip(parts, starts, strict=True):
        length = part.shape[axis]
        if made is None:
            shape = list(part.shape)
            shape[axis] = starts[-1] + length
            made = part.new_empty(shape)
        shared = filled - start
        if shared > 0:
            seam = made.narrow(axis, start, shared)
            seam += _weights(shared, axis, part) * (part.narrow(axis, 0, shared) - seam)
        made.narrow(axis, filled, length - shared).copy_(part.narrow(axis, shared, length - shared))
        filled = start + length
    assert made is not None  # a layout has tiles
    return made


def _weights(length: int, axis: int, like: Tensor) -> Tensor:
    """From 0 to 1 as a cosine, along that axis of four."""
    phase = (torch.arange(length, dtype=torch.float32, device=like.device) + 0.5) * (math.pi / length)
    shape = [1, 1, 1, 1]
    shape[axis] = length
    return (0.5 - 0.5 * torch.cos(phase)).to(like.dtype).view(shape)
