"""What the picture operations share: colour beside alpha, masks of any size, ramps.

A picture is ComfyUI's IMAGE: [B, H, W, C], 0 to 1, one to four channels. Work is done in float32.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .canvas import finite
from .conditioning import as_long_as


def parts(pictures: Tensor) -> tuple[Tensor, Tensor | None]:
    """[B, H, W, C] → colour [B, H, W, 3] in float32 (grey is repeated), and alpha [B, H, W, 1] if there is one."""
    channels = pictures.shape[-1]
    pictures = finite(pictures)
    alpha = pictures[..., -1:].float() if channels in (2, 4) else None
    colour = pictures[..., :1].expand(-1, -1, -1, 3) if channels < 3 else pictures[..., :3]
    return colour.float(), alpha


def whole(colour: Tensor, alpha: Tensor | None, like: Tensor) -> Tensor:
    """The reverse of `parts`, in the type of the picture that it came from."""
    joined = colour if alpha is None else torch.cat([colour, alpha], -1)
    return joined.to(like.dtype)


def masks(mask: Tensor, pictures: Tensor) -> Tensor:
    """A mask of any size and batch for those pictures: [B, H, W] float32 of 0 to 1, on their device."""
    height, width = pictures.shape[1:3]
    mask = finite(mask.reshape(-1, *mask.shape[-2:]).to(pictures.device)).float()
    if mask.shape[1:] != (height, width):
        mask = functional.interpolate(
            mask[:, None], size=(height, width), mode="bilinear", align_corners=False, antialias=True
        )[:, 0]
    return as_long_as(len(pictures), [mask])[0].clamp(0, 1)


def smooth(values: Tensor) -> Tensor:
    """0 to 1 → 0 to 1 with level ends: 3 t² − 2 t³; what lies outside is cut."""
    values = values.clamp(0, 1)
    return values * values * (3 - 2 * values)


def ramp(length: int, rise: int, fall: int, device: torch.device | None = None) -> Tensor:
    """[length] weights that rise smoothly from 0 over the first pixels and fall over the last, 1 between.

    Ramps are cut to half of the length. Errors: none.
    """
    middle = torch.arange(length, dtype=torch.float32, device=device) + 0.5
    half = length / 2
    weights = torch.ones_like(middle)
    if rise:
        weights = weights * smooth(middle / min(rise, half))
    if fall:
        weights = weights * smooth((length - middle) / min(fall, half))
    return weights


def extended(pictures: Tensor, left: int, top: int, right: int, bottom: int) -> Tensor:
    """[B, H, W, C] with its border repeated by so many pixels."""
    if not (left or top or right or bottom):
        return pictures
    padded = functional.pad(pictures.movedim(-1, 1).float(), (left, right, top, bottom), mode="replicate")
    return padded.movedim(1, -1).to(pictures.dtype)
