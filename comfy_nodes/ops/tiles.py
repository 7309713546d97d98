"""Pictures in overlapping tiles, and back. A layout is a plain dict (COMFYC_TILES)."""

from __future__ import annotations

import math
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
    strips = [
        _joined([grid[:, row, column] for column in range(len(columns))], [near(x * across) for x in columns], 2)
        for row in range(len(rows))
    ]
    whole = _joined(strips, [near(y * down) for y in rows], 1)
    return whole[:, : max(1, near(layout["height"] * down)), : max(1, near(layout["width"] * across))].contiguous()


def _joined(parts: list[Tensor], starts: list[int], axis: int) -> Tensor:
    """Parts side by side along an axis, each blended into what lies before it.

    a + w (b − a) gives a itself, bit for bit, where a and b are equal.
    """
    length = parts[0].shape[axis]
    shape = list(parts[0].shape)
    shape[axis] = starts[-1] + length
    made, filled = parts[0].new_empty(shape), 0
    for part, start in zip(parts, starts, strict=True):
        shared = filled - start
        if shared > 0:
            seam = made.narrow(axis, start, shared)
            seam += _weights(shared, axis, part) * (part.narrow(axis, 0, shared) - seam)
        made.narrow(axis, filled, length - shared).copy_(part.narrow(axis, shared, length - shared))
        filled = start + length
    return made


def _weights(length: int, axis: int, like: Tensor) -> Tensor:
    """From 0 to 1 as a cosine, along that axis of four."""
    phase = (torch.arange(length, dtype=torch.float32, device=like.device) + 0.5) * (math.pi / length)
    shape = [1, 1, 1, 1]
    shape[axis] = length
    return (0.5 - 0.5 * torch.cos(phase)).to(like.dtype).view(shape)
