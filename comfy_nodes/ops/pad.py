"""A picture on a larger canvas."""

from __future__ import annotations

import torch
from torch import Tensor

from .canvas import resized
from .geometry import anchored, fitting
from .pixels import extended

LEVELS = {"gray": 0.5, "black": 0.0, "white": 1.0}


def to_canvas(
    pictures: Tensor, width: int, height: int, anchor: str, feather: int, fill: str
) -> tuple[Tensor, Tensor, int, int]:
    """[B, H, W, C] → canvas [B, height, width, C], mask [1, height, width], x, y. See ComfycPadToCanvas."""
    size = fitting(pictures.shape[2], pictures.shape[1], width, height)
    inner = resized(pictures.float(), *size, "lanczos").to(pictures.dtype)
    high, wide = inner.shape[1:3]
    x, y = anchored(width - wide, height - high, anchor)
    mask = torch.ones(1, height, width, device=pictures.device)
    mask[:, y : y + high, x : x + wide] = _reach(wide, high, x, y, width, height, feather).to(mask)
    if fill == "edge":
        return extended(inner, x, y, width - wide - x, height - high - y), mask, x, y
    made = inner.new_full((len(inner), height, width, inner.shape[-1]), LEVELS[fill])
    if inner.shape[-1] in (2, 4):
        made[..., -1] = 1
    made[:, y : y + high, x : x + wide] = inner
    return made, mask, x, y


def _reach(wide: int, high: int, x: int, y: int, width: int, height: int, feather: int) -> Tensor:
    """[high, wide]: the mask inside the picture: ((feather - distance) / feather)² at edges that touch new area."""
    columns = _fade(wide, feather, x > 0, x + wide < width)
    rows = _fade(high, feather, y > 0, y + high < height)
    return torch.maximum(rows[:, None], columns[None, :])


def _fade(length: int, feather: int, before: bool, after: bool) -> Tensor:
    middle, reach = torch.arange(length) + 0.5, min(feather, length / 2)
    away = torch.full((length,), float("inf"))
    if before:
        away = torch.minimum(away, middle)
    if after:
        away = torch.minimum(away, length - middle)
    return (1 - away / reach).clamp(min=0) ** 2 if reach else torch.zeros(length)
