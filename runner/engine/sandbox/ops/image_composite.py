"""Nodes that lay one picture over another: with a mask, with alpha, in Porter and Duff's ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from runner.engine.sandbox.node import NodeFailure
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.resample import common_upscale, resize_mask
from runner.engine.sandbox.ops.values import Floats


@op("ImageCompositeMasked")
def image_composite_masked(
    destination: Floats, source: Floats, x: int, y: int, resize_source: bool, mask: Floats | None = None
) -> Floats:
    """The source over the destination at x, y, where the mask allows it."""
    destination, source = _source_channels(destination, source)
    return composite(destination, source, x, y, mask, resize_source)


def _source_channels(destination: Floats, source: Floats) -> tuple[Floats, Floats]:
    have, want = source.shape[3], destination.shape[3]
    if have < want:  # ComfyUI fails here too (0.3.64, 0.8.0)
        raise NodeFailure("RuntimeError", f"The size of tensor a ({have}) must match the size of tensor b ({want + 1})")
    return destination, source[..., :want]


def composite(
    destination: Floats, source: Floats, x: int, y: int, mask: Floats | None = None, resize_source: bool = False
) -> Floats:
    """[B,H,W,C] over [B,H,W,C]; batches are repeated, what sticks out is cut."""
    made = np.array(destination, np.float32)
    rows, columns = made.shape[1:3]
    if resize_source:
        source = common_upscale(source, columns, rows, "bilinear", "disabled")
    source = repeated(source, len(made))
    height, width = source.shape[1:3]
    x, y = max(-width, min(x, columns)), max(-height, min(y, rows))
    if mask is None:
        alpha = np.ones((1, height, width, 1), np.float32)
    else:
        flat = mask.reshape(-1, *mask.shape[-2:])
        alpha = repeated(resize_mask(flat, width, height), len(made))[..., None]
    top, left, bottom, right = max(y, 0), max(x, 0), min(y + height, rows), min(x + width, columns)
    cut = (slice(None), slice(top - y, bottom - y), slice(left - x, right - x))
    under = made[:, top:bottom, left:right]
    made[:, top:bottom, left:right] = under * (1 - alpha[cut]) + source[cut] * alpha[cut]
    return made


def repeated(batch: Any, count: int) -> Any:
    """The batch cut or repeated to a number of entries."""
    if len(batch) == count:
        return batch
    return np.concatenate([batch] * -(-count // len(batch)))[:count]


@op("JoinImageWithAlpha")
def join_image_with_alpha(image: Floats, alpha: Floats) -> Floats:
    """RGBA pictures; the mask is 1 where they are transparent."""
    sized = resize_mask(alpha.reshape(-1, *alpha.shape[-2:]), image.shape[2], image.shape[1])
    count = min(len(image), len(sized))
    return np.concatenate([image[:count, ..., :3], 1 - sized[:count, ..., None]], axis=-1)


@op("SplitImageWithAlpha")
def split_image_with_alpha(image: Floats) -> tuple[Floats, Floats]:
    """RGB, and a mask that is 1 where the picture is transparent."""
    alpha = image[..., 3] if image.shape[3] > 3 else np.ones(image.shape[:3], np.float32)
    return image[..., :3], 1 - alpha


ALPHA_FLOOR: Final = 1e-5

# Porter and Duff's modes: (source, its alpha, destination, its alpha) → (colour, alpha), all premultiplied
Duff = Callable[[Floats, Floats, Floats, Floats], tuple[Floats, Floats]]


def _over_alpha(sa: Floats, da: Floats) -> Floats:
    return sa + da - sa * da


DUFF: Final[Mapping[str, Duff]] = {
    "ADD": lambda s, sa, d, da: (np.clip(s + d, 0, 1), np.clip(sa + da, 0, 1)),
    "CLEAR": lambda s, sa, d, da: (np.zeros_like(d), np.zeros_like(da)),
    "DARKEN": lambda s, sa, d, da: ((1 - da) * s + (1 - sa) * d + np.minimum(s, d), _over_alpha(sa, da)),
    "DST": lambda s, sa, d, da: (d, da),
    "DST_ATOP": lambda s, sa, d, da: (sa * d + (1 - da) * s, sa),
    "DST_IN": lambda s, sa, d, da: (d * sa, sa * da),
    "DST_OUT": lambda s, sa, d, da: ((1 - sa) * d, (1 - sa) * da),
    "DST_OVER": lambda s, sa, d, da: (d + (1 - da) * s, da + (1 - da) * sa),
    "LIGHTEN": lambda s, sa, d, da: ((1 - da) * s + (1 - sa) * d + np.maximum(s, d), _over_alpha(sa, da)),
    "MULTIPLY": lambda s, sa, d, da: (s * d, sa * da),
    "OVERLAY": lambda s, sa, d, da: (
        np.where(2 * d < da, 2 * s * d, sa * da - 2 * (da - s) * (sa - d)),
        _over_alpha(sa, da),
    ),
    "SCREEN": lambda s, sa, d, da: (s + d - s * d, _over_alpha(sa, da)),
    "SRC": lambda s, sa, d, da: (s, sa),
    "SRC_ATOP": lambda s, sa, d, da: (da * s + (1 - sa) * d, da),
    "SRC_IN": lambda s, sa, d, da: (s * da, sa * da),
    "SRC_OUT": lambda s, sa, d, da: ((1 - da) * s, (1 - da) * sa),
    "SRC_OVER": lambda s, sa, d, da: (s + (1 - sa) * d, sa + (1 - sa) * da),
    "XOR": lambda s, sa, d, da: ((1 - da) * s + (1 - sa) * d, (1 - da) * sa + (1 - sa) * da),
}


@op("PorterDuffImageComposite")
def porter_duff(
    source: Floats, source_alpha: Floats, destination: Floats, destination_alpha: Floats, mode: str
) -> tuple[Floats, Floats]:
    """Composites with alpha. Masks are 1 where a picture is transparent, as everywhere in ComfyUI."""
    if mode not in DUFF:
        raise NodeFailure("ValueError", f"unknown mode {mode}")
    count = min(len(source), len(source_alpha), len(destination), len(destination_alpha))
    colours: list[Floats] = []
    alphas: list[Floats] = []
    for index in range(count):
        d = destination[index : index + 1]
        rows, columns = d.shape[1:3]
        s = _sized(source[index : index + 1], columns, rows)
        sa, da = (
            1 - _sized(mask[index : index + 1, ..., None], columns, rows) for mask in (source_alpha, destination_alpha)
        )
        colour, alpha = DUFF[mode](s * sa, sa, d * da, da)
        plain = np.where(alpha > ALPHA_FLOOR, colour / np.maximum(alpha, ALPHA_FLOOR), 0)
        colours.append(np.clip(plain, 0, 1).astype(np.float32))
        alphas.append(1 - np.clip(alpha, 0, 1)[..., 0])
    return np.concatenate(colours), np.concatenate(alphas)


def _sized(picture: Floats, width: int, height: int) -> Floats:
    if picture.shape[1:3] == (height, width):
        return picture
    return common_upscale(picture, width, height, "bicubic", "center")
