"""Colours of a reference for a picture. Each picture of a batch on its own, to bound the memory."""

from __future__ import annotations

import torch
from torch import Tensor

from . import lab
from .conditioning import as_long_as
from .pixels import masks, parts, whole

LEVELS = 65536
"""Steps of a channel that histograms tell apart: exact for pictures of 8 and 16 bits."""
FLAT = 1e-3
"""Spread in Lab below which a channel is one colour, and is only moved."""


def matched(pictures: Tensor, reference: Tensor, method: str, strength: float, mask: Tensor | None) -> Tensor:
    """[B, H, W, C] in the colours of the reference. See ComfycColorMatch."""
    if strength <= 0:
        return pictures
    colour, alpha = parts(pictures)
    (references,) = as_long_as(len(pictures), [reference.to(pictures.device)])
    weights = masks(mask, pictures) if mask is not None else None
    made = [
        _one(
            colour[index],
            None if alpha is None else alpha[index, ..., 0],
            references[index : index + 1],
            method,
            strength,
            None if weights is None else weights[index],
        )
        for index in range(len(pictures))
    ]
    return whole(torch.stack(made), alpha, pictures)


def _one(
    colour: Tensor, alpha: Tensor | None, reference: Tensor, method: str, strength: float, mask: Tensor | None
) -> Tensor:
    wanted, opaque = parts(reference)
    seen = mask if alpha is None else alpha if mask is None else alpha * mask
    if any(weights is not None and weights.sum() < 1 for weights in (seen, opaque)):
        return colour  # nothing to measure
    transfer = by_lab if method == "lab" else by_histogram
    other = None if opaque is None else opaque.reshape(-1)
    made = transfer(colour.reshape(-1, 3), wanted.reshape(-1, 3), None if seen is None else seen.reshape(-1), other)
    amount = strength if mask is None else strength * mask[..., None]
    return colour + (made.reshape(colour.shape) - colour) * amount


def by_lab(colour: Tensor, reference: Tensor, weights: Tensor | None, other: Tensor | None) -> Tensor:
    """[n, 3] → [n, 3] with the reference's mean and standard deviation in each channel of CIELAB."""
    given = lab.from_rgb(colour)
    mean, spread = _moments(given, weights)
    mean_wanted, spread_wanted = _moments(lab.from_rgb(reference), other)
    scale = torch.where(spread > FLAT, spread_wanted / spread.clamp(min=FLAT), torch.ones_like(spread))
    return lab.to_rgb((given - mean) * scale + mean_wanted)


def by_histogram(colour: Tensor, reference: Tensor, weights: Tensor | None, other: Tensor | None) -> Tensor:
    """[n, 3] → [n, 3]: each channel's values replaced by those of the reference at the same quantile."""
    made = torch.empty_like(colour)
    for channel in range(3):
        level = _levels(colour[:, channel])
        made[:, channel] = _table(level, weights, _levels(reference[:, channel]), other)[level]
    return made


def _moments(values: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
    if weights is None:
        return values.mean(0), values.std(0, correction=0)
    share = (weights / weights.sum())[:, None]
    mean = (values * share).sum(0)
    return mean, (((values - mean) ** 2 * share).sum(0)).sqrt()


def _levels(values: Tensor) -> Tensor:
    return (values.clamp(0, 1) * (LEVELS - 1)).round().long()


def _table(level: Tensor, weights: Tensor | None, wanted: Tensor, other: Tensor | None) -> Tensor:
    """[LEVELS]: the new value of each level. Quantiles between two of the reference's are interpolated."""
    own, quantile = _quantiles(level, weights)
    theirs, steps = _quantiles(wanted, other)
    upper = torch.searchsorted(steps, quantile).clamp(max=len(steps) - 1)
    lower = (upper - 1).clamp(min=0)
    part = ((quantile - steps[lower]) / (steps[upper] - steps[lower]).clamp(min=1e-12)).clamp(0, 1)
    table = torch.zeros(LEVELS, device=level.device)
    table[own] = (torch.lerp(theirs[lower].double(), theirs[upper].double(), part) / (LEVELS - 1)).float()
    return table


def _quantiles(level: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
    """The levels that there are, ascending, and the share of all values up to each."""
    counts = torch.bincount(level, None if weights is None else weights.double(), LEVELS)
    present = counts.nonzero()[:, 0]
    share = counts[present].double().cumsum(0)
    return present, share / share[-1]
