"""Mask nodes. A mask is [B,H,W]; 1 means: here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.values import Floats

CHANNELS: Final = ("red", "green", "blue", "alpha")


def batch(mask: Floats) -> Floats:
    """[B,H,W] of a mask with any leading dimensions."""
    return mask.reshape(-1, *mask.shape[-2:])


@op("SolidMask")
def solid_mask(value: float, width: int, height: int) -> Floats:
    return np.full((1, height, width), value, np.float32)


@op("InvertMask")
def invert_mask(mask: Floats) -> Floats:
    return 1.0 - mask


@op("MaskToImage")
def mask_to_image(mask: Floats) -> Floats:
    return np.repeat(batch(mask)[..., None], 3, axis=-1)


@op("ImageToMask")
def image_to_mask(image: Floats, channel: str) -> Floats:
    """One channel as it is. Errors: IndexError for alpha of a picture without."""
    return image[..., CHANNELS.index(channel)]


@op("ImageColorToMask")
def image_color_to_mask(image: Floats, color: int) -> Floats:
    """1 where the picture has exactly the colour 0xRRGGBB."""
    wanted = np.array([(color >> 16) & 255, (color >> 8) & 255, color & 255])
    whole = np.round(np.clip(image[..., :3], 0, 1) * 255).astype(int)
    return (whole == wanted).all(-1).astype(np.float32)


COMBINE: Final[Mapping[str, Callable[[Floats, Floats], Floats]]] = {
    "multiply": lambda d, s: d * s,
    "add": lambda d, s: d + s,
    "subtract": lambda d, s: d - s,
    "and": lambda d, s: np.logical_and(np.round(d), np.round(s)).astype(np.float32),
    "or": lambda d, s: np.logical_or(np.round(d), np.round(s)).astype(np.float32),
    "xor": lambda d, s: np.logical_xor(np.round(d), np.round(s)).astype(np.float32),
}


@op("MaskComposite")
def mask_composite(destination: Floats, source: Floats, x: int, y: int, operation: str) -> Floats:
    """Combines two masks where they overlap."""
    made, over = np.array(batch(destination), np.float32), batch(source)
    right, bottom = min(x + over.shape[2], made.shape[2]), min(y + over.shape[1], made.shape[1])
    part = over[:, : bottom - y, : right - x]
    made[:, y:bottom, x:right] = COMBINE[operation](made[:, y:bottom, x:right], part)
    return np.clip(made, 0, 1)


@op("CropMask")
def crop_mask(mask: Floats, x: int, y: int, width: int, height: int) -> Floats:
    return batch(mask)[:, y : y + height, x : x + width]


@op("FeatherMask")
def feather_mask(mask: Floats, left: int, top: int, right: int, bottom: int) -> Floats:
    """Linear ramps towards the edges."""
    made = np.array(batch(mask), np.float32)
    made *= _ramp(made.shape[2], left, right)[None, None, :]
    made *= _ramp(made.shape[1], top, bottom)[None, :, None]
    return made


def _ramp(size: int, before: int, after: int) -> Floats:
    """The far ramp sits one pixel further on, its outermost value on the first pixel: so ComfyUI does it."""
    ramp = np.ones(size, np.float32)
    before, after = min(before, size), min(after, size)
    ramp[:before] *= (np.arange(before) + 1) / max(before, 1)
    ramp[-np.arange(after)] *= (np.arange(after) + 1) / max(after, 1)
    return ramp


@op("GrowMask")
def grow_mask(mask: Floats, expand: int, tapered_corners: bool) -> Floats:
    """Grows by pixels, or shrinks if negative; tapered corners grow along the axes only."""
    made = batch(mask)
    pick = np.minimum.reduce if expand < 0 else np.maximum.reduce
    for _ in range(abs(expand)):
        made = pick(_neighbours(made, tapered_corners))
    return made


def _neighbours(mask: Floats, tapered: bool) -> list[Floats]:
    around = np.pad(mask, ((0, 0), (1, 1), (1, 1)), mode="symmetric")
    rows, columns = mask.shape[1:]
    steps = [(y, x) for y in range(3) for x in range(3) if not tapered or (y - 1) * (x - 1) == 0]
    return [around[:, y : y + rows, x : x + columns] for y, x in steps]


@op("ThresholdMask")
def threshold_mask(mask: Floats, value: float) -> Floats:
    return (mask > value).astype(np.float32)
