"""Pictures on canvases. A picture is ComfyUI's IMAGE: a float tensor [B, H, W, C] with values of 0 to 1."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from .fit import Fit, area_size

LANCZOS_LOBES = 3
TAP = 80
"""So many products of a matrix cost as much as one step that adds a weighted copy (torch 2.13, one core)."""


def finite(values: Tensor) -> Tensor:
    """The same without what overflowed in half precision, which would spoil all that is computed from it.

    NaN and −∞ become 0, ∞ becomes 1. Where all is well nothing is copied.
    """
    return values if values.sum(dtype=torch.float32).isfinite() else values.nan_to_num(0.0, 1.0, 0.0)


def as_rgb(pictures: Tensor) -> Tensor:
    """[B, H, W, 1 to 4] → [B, H, W, 3]: grey is repeated, and what is transparent becomes white."""
    channels = pictures.shape[-1]
    pictures = finite(pictures).float()
    if channels in (2, 4):
        alpha = pictures[..., -1:]
        pictures = pictures[..., :-1] * alpha + (1 - alpha)
    return pictures.expand(-1, -1, -1, 3) if pictures.shape[-1] == 1 else pictures[..., :3]


def resized(pictures: Tensor, width: int, height: int, method: str) -> Tensor:
    """[B, H, W, C] → [B, height, width, C].

    `lanczos`, `bicubic` and `bilinear` widen their kernel when they shrink, so that fine patterns do not alias;
    `area` is the mean of what a pixel covers, `nearest-exact` picks one.
    """
    if (width, height) == (pictures.shape[2], pictures.shape[1]):
        return pictures
    pictures = finite(pictures)
    if method == "lanczos":
        return _lanczos(pictures, width, height).clamp(0, 1)
    smooth = {"align_corners": False, "antialias": True} if method in ("bicubic", "bilinear") else {}
    done = functional.interpolate(pictures.movedim(-1, 1), size=(height, width), mode=method, **smooth)
    return done.movedim(1, -1).clamp(0, 1)


def on_canvas(pictures: Tensor, fit: Fit, method: str) -> Tensor:
    """[B, H, W, C] → [B, fit.height, fit.width, C]: scaled, padded by repeating the border, cropped."""
    scaled = resized(pictures, fit.scaled_width, fit.scaled_height, method)
    if fit.left or fit.right or fit.top or fit.bottom:
        edges = (fit.left, fit.right, fit.top, fit.bottom)
        scaled = functional.pad(scaled.movedim(-1, 1), edges, mode="replicate").movedim(1, -1)
    return scaled[:, fit.y : fit.y + fit.height, fit.x : fit.x + fit.width]


def in_view(pictures: Tensor, fit: Fit) -> Tensor:
    """[B, H, W, C] → [B, h, w, C]: the part of the picture that the canvas shows, in its own pixels."""
    height, width = pictures.shape[1:3]
    across, down = width / fit.scaled_width, height / fit.scaled_height
    left, top = round(fit.x * across), round(fit.y * down)
    wide, high = max(1, round(fit.result_width * across)), max(1, round(fit.result_height * down))
    return pictures[:, top : top + high, left : left + wide]


def at_area(pictures: Tensor, side: int, method: str) -> Tensor:
    """[B, H, W, C] → about `side`² pixels, with the aspect ratio of the picture; shrunk by the mean of areas."""
    height, width = pictures.shape[1:3]
    size = area_size(width, height, side)
    return resized(pictures, *size, "area" if size[0] <= width and size[1] <= height else method)


def _lanczos(pictures: Tensor, width: int, height: int) -> Tensor:
    """One axis after the other, the one that shrinks more first. Memory: about three copies between the two sizes."""
    steps = [(1, height), (2, width)]
    for axis, target in sorted(steps, key=lambda step: step[1] / pictures.shape[step[0]]):
        if target != pictures.shape[axis]:
            pictures = _lanczos_along(pictures, axis, target)
    return pictures


def _lanczos_along(pictures: Tensor, axis: int, target: int) -> Tensor:
    picks, weights = (one.to(pictures.device) for one in _lanczos_taps(pictures.shape[axis], target))
    weights = weights.to(pictures.dtype)
    if pictures.shape[axis] < TAP * picks.shape[1]:  # never a matrix of more than 36 MB, at a side of 16,384
        matrix = pictures.new_zeros(target, pictures.shape[axis]).scatter_add_(1, picks, weights)
        return torch.tensordot(pictures, matrix, ([axis], [1])).movedim(-1, axis)
    shape = [1, 1, 1, 1]
    shape[axis] = target
    made = pictures.index_select(axis, picks[:, 0]).mul_(weights[:, 0].view(shape))
    for pick, weight in zip(picks.T[1:], weights.T[1:], strict=True):
        made.addcmul_(pictures.index_select(axis, pick), weight.view(shape))
    return made


def _lanczos_taps(source: int, target: int) -> tuple[Tensor, Tensor]:
    """[target, taps] each: which source pixels are in each target pixel, and how much of them; rows sum to 1."""
    ratio = source / target
    scale = max(ratio, 1.0)
    reach = LANCZOS_LOBES * scale
    centres = (torch.arange(target, dtype=torch.float64) + 0.5) * ratio
    first = torch.floor(centres - reach).long()
    picks = first[:, None] + torch.arange(math.ceil(2 * reach) + 1)
    distance = (picks + 0.5 - centres[:, None]) / scale
    weights = torch.sinc(distance) * torch.sinc(distance / LANCZOS_LOBES)
    counts = (distance.abs() < LANCZOS_LOBES) & (picks >= 0) & (picks < source)
    weights = weights.where(counts, torch.zeros_like(weights))
    return picks.clamp(0, source - 1), weights / weights.sum(dim=1, keepdim=True)
