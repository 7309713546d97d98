"""What stands before a plain background, without a model."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from . import lab
from .pixels import parts
from .placement import Box

APART = 10.0
"""Distance in CIELAB (CIE76) from the border's colour; just noticeable is about 2.3."""
BORDER = 50
"""The border is a fiftieth of the shorter side."""
ALL = 0.98
"""A subject that covers more than this share is none."""


def found(pictures: Tensor) -> Tensor:
    """[B, H, W, C] → [B, H, W] of 0 and 1: what is opaque, or else differs from the median colour of the border.

    Specks of one or two pixels do not count.
    """
    colour, alpha = parts(pictures)
    if alpha is not None and (alpha < 0.5).any():
        return (alpha[..., 0] >= 0.5).float()
    return torch.stack([_apart(one) for one in colour])


def box(mask: Tensor) -> Box | None:
    """Around everything in [B, H, W]; None if there is nothing, or next to everything."""
    seen = (mask >= 0.5).any(0)
    if not seen.any() or seen.float().mean() > ALL:
        return None
    rows, columns = seen.any(1).nonzero()[:, 0], seen.any(0).nonzero()[:, 0]
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def _apart(colour: Tensor) -> Tensor:
    height, width = colour.shape[:2]
    edge = max(1, min(height, width) // BORDER)
    border = [colour[:edge], colour[-edge:], colour[:, :edge], colour[:, -edge:]]
    plain = torch.cat([one.reshape(-1, 3) for one in border]).median(0).values
    away = (lab.from_rgb(colour) - lab.from_rgb(plain)).square().sum(-1).sqrt()
    return _opened((away > APART).float())


def _opened(mask: Tensor) -> Tensor:
    """Without what is narrower than three pixels."""
    shrunk = -functional.max_pool2d(-mask[None, None], 3, 1, 1)
    return functional.max_pool2d(shrunk, 3, 1, 1)[0, 0]
