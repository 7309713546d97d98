"""Another colour for a light background."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from . import blur, lab, subject
from .conditioning import as_long_as
from .pixels import masks, parts, smooth, whole

BINS = 32
"""Steps of each channel among which the palette's most frequent colour is sought."""


@dataclass(frozen=True)
class Edge:
    """How the subject is kept."""

    sigma: float
    """Blur in pixels."""
    expansion: float
    """Share of the longer side."""


@dataclass(frozen=True)
class Tones:
    """Brightness, 0 to 1: above `light` all changes, below `shadow` nothing."""

    light: float
    shadow: float


def recolored(
    pictures: Tensor, palette: Tensor, strategy: str, edge: Edge, tones: Tones, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """[B, H, W, C] → the pictures, and how much each pixel changed [B, H, W]. See ComfycBackgroundRecolor."""
    colour, alpha = parts(pictures)
    kept = masks(mask, pictures) if mask is not None else subject.found(pictures)
    (palettes,) = as_long_as(len(pictures), [palette.to(pictures.device)])
    weights = torch.stack([_weight(*pair, edge, tones) for pair in zip(colour, kept, strict=True)])
    made = [
        _one(one, frequent(wanted), weight, STRATEGIES[strategy])
        for one, wanted, weight in zip(colour, palettes.split(1), weights, strict=True)
    ]
    return whole(torch.stack(made), alpha, pictures), weights


def frequent(palette: Tensor) -> Tensor:
    """[3]: the most frequent colour of a picture [1, h, w, C]: the mean of what is near the fullest of 32³ bins."""
    colour, alpha = parts(palette)
    colour = colour.reshape(-1, 3).clamp(0, 1)
    if alpha is not None and (alpha >= 0.5).any():
        colour = colour[alpha.reshape(-1) >= 0.5]
    step = (colour * BINS).long().clamp(max=BINS - 1)
    fullest = torch.bincount((step[:, 0] * BINS + step[:, 1]) * BINS + step[:, 2], minlength=BINS**3).argmax()
    middle = torch.stack([fullest // BINS**2, fullest // BINS % BINS, fullest % BINS]) / BINS + 0.5 / BINS
    near = ((colour - middle).abs() <= 1 / BINS).all(1)
    return colour[near].mean(0)


def _weight(colour: Tensor, kept: Tensor, edge: Edge, tones: Tones) -> Tensor:
    """[H, W]: how much of the change a pixel gets."""
    reach = round(edge.expansion * max(kept.shape))
    soft = blur.gaussian(blur.grown(kept[None], reach), edge.sigma)[0]
    span = max(tones.light - tones.shadow, 1e-6)
    return (1 - soft) * smooth((lab.luma(colour) - tones.shadow) / span)


def _one(colour: Tensor, wanted: Tensor, weight: Tensor, change: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
    if weight.sum() < 1:
        return colour  # no background to measure
    share = (weight / weight.sum())[..., None]
    return colour + (change(colour, wanted, share) - colour) * weight[..., None]


def _shift(colour: Tensor, wanted: Tensor, share: Tensor) -> Tensor:
    given = lab.from_rgb(colour)
    return lab.to_rgb(given + lab.from_rgb(wanted) - (given * share).sum((0, 1)))


def _multiply(colour: Tensor, wanted: Tensor, share: Tensor) -> Tensor:
    given = lab.linear(colour)
    ratio = lab.linear(wanted) / (given * share).sum((0, 1)).clamp(min=1e-4)
    return lab.gamma(given * ratio).clamp(0, 1)


def _replace(colour: Tensor, wanted: Tensor, share: Tensor) -> Tensor:
    return wanted.expand_as(colour)


STRATEGIES: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "shift": _shift,
    "multiply": _multiply,
    "replace": _replace,
}
