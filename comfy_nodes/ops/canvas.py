"""Pictures on canvases. A picture is ComfyUI's IMAGE: a float tensor [B, H, W, C] with values of 0 to 1."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .fit import Fit, area_size

LANCZOS_LOBES = 3


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
    rows = _lanczos_weights(pictures.shape[1], height).to(pictures)
    columns = _lanczos_weights(pictures.shape[2], width).to(pictures)
    return torch.einsum("bhwc,yh,xw->byxc", pictures, rows, columns)


def _lanczos_weights(source: int, target: int) -> Tensor:
    """[target, source]: how much of each source pixel is in each target pixel; each row sums to 1."""
    ratio = source / target
    centres = (torch.arange(target, dtype=torch.float64) + 0.5) * ratio
    pixels = torch.arange(source, dtype=torch.float64) + 0.5
    distance = (pixels[None, :] - centres[:, None]) / max(ratio, 1.0)
    weights = torch.sinc(distance) * torch.sinc(distance / LANCZOS_LOBES)
    weights = weights.where(distance.abs() < LANCZOS_LOBES, torch.zeros_like(weights))
    return weights / weights.sum(dim=1, keepdim=True)
