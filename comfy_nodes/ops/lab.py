"""sRGB, linear RGB and CIELAB (D65, 2°). Colours are float32 tensors [..., 3]."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# IEC 61966-2-1, as rounded in scikit-image, which the tests compare with
TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
WHITE = (0.95047, 1.0, 1.08883)
LUMA = (0.2126, 0.7152, 0.0722)
"""Rec. 709."""
PORTION = 1 << 20
"""Pixels."""


def linear(colour: Tensor) -> Tensor:
    """sRGB → linear RGB, both 0 to 1."""
    return torch.where(colour > 0.04045, ((colour.clamp(min=0) + 0.055) / 1.055) ** 2.4, colour / 12.92)


def gamma(colour: Tensor) -> Tensor:
    """Linear RGB → sRGB."""
    return torch.where(colour > 0.0031308, 1.055 * colour.clamp(min=1e-12) ** (1 / 2.4) - 0.055, colour * 12.92)


def from_rgb(colour: Tensor) -> Tensor:
    """sRGB of 0 to 1 → L of 0 to 100, a, b."""
    return _portions(_from_rgb, colour)


def to_rgb(lab: Tensor) -> Tensor:
    """L, a, b → sRGB, cut to 0 to 1."""
    return _portions(_to_rgb, lab)


def _portions(change: Callable[[Tensor], Tensor], colours: Tensor) -> Tensor:
    """Some pixels at a time, so that the steps between need little memory."""
    done = [change(some) for some in colours.reshape(-1, 3).split(PORTION)]
    return torch.cat(done).reshape(colours.shape)


def _from_rgb(colour: Tensor) -> Tensor:
    xyz = linear(colour) @ (_matrix(colour).T / colour.new_tensor(WHITE))
    root = torch.where(xyz > 0.008856, xyz.clamp(min=1e-12) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = root.unbind(-1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def _to_rgb(lab: Tensor) -> Tensor:
    light, a, b = lab.unbind(-1)
    y = (light + 16) / 116
    root = torch.stack([y + a / 500, y, (y - b / 200).clamp(min=0)], -1)
    xyz = torch.where(root > 0.2068966, root**3, (root - 16 / 116) / 7.787) * lab.new_tensor(WHITE)
    return gamma(xyz @ torch.linalg.inv(_matrix(lab)).T).clamp(0, 1)


def luma(colour: Tensor) -> Tensor:
    """sRGB [..., 3] → brightness [...], 0 to 1."""
    return colour @ colour.new_tensor(LUMA)


def _matrix(like: Tensor) -> Tensor:
    return like.new_tensor(TO_XYZ)
