"""What becomes of a subject's mask [B, H, W], and what comes in place of the background."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

from .blur import gaussian, grown

COLOURS: Final[Mapping[str, tuple[float, float, float]]] = {
    "black": (0.0, 0.0, 0.0),
    "white": (1.0, 1.0, 1.0),
    "gray": (0.5, 0.5, 0.5),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "red": (1.0, 0.0, 0.0),
}


def refined(mask: Tensor, sensitivity: float, offset: int, blur: int, invert: bool) -> Tensor:
    """[B, H, W] → [B, H, W], each of these in turn:

    - sensitivity: the mask to the power of 2^(1 - 2 sensitivity): 0.5 changes nothing, 1 is the square root, 0 the
      square. What is sure stays sure.
    - offset: grown by so many pixels, or shrunk if below 0 (a square reaches out, as in most editors).
    - blur: a Gaussian with that sigma in pixels.
    - invert.
    """
    changed = mask.float().clamp(0, 1) ** (2.0 ** (1 - 2 * sensitivity))
    if offset > 0:
        changed = grown(changed, offset)
    elif offset < 0:
        changed = 1 - grown(1 - changed, -offset)
    changed = gaussian(changed, blur)
    return 1 - changed if invert else changed


def on_background(pictures: Tensor, mask: Tensor, background: str) -> Tensor:
    """[B, H, W, C] → RGBA [B, H, W, 4] for `Alpha`, else RGB [B, H, W, 3] on the colour.

    A picture's own alpha stays: what it hides is not shown.
    """
    colour = pictures[..., :3] if pictures.shape[-1] >= 3 else pictures[..., :1].expand(-1, -1, -1, 3)
    alpha = mask[..., None].to(colour)
    if pictures.shape[-1] == 4:
        alpha = alpha * pictures[..., 3:]
    if background == "Alpha":
        return torch.cat([colour, alpha], -1)
    return colour * alpha + torch.tensor(COLOURS[background]).to(colour) * (1 - alpha)
