"""Nodes that change what is seen: geometry, blending, blur, colours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from PIL import Image

from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.resample import common_upscale
from runner.engine.sandbox.ops.values import Floats, Octets, octets


@op("ImageInvert")
def image_invert(image: Floats) -> Floats:
    return 1.0 - image


@op("ImageFlip")
def image_flip(image: Floats, flip_method: str) -> Floats:
    return np.flip(image, 1 if flip_method.startswith("x") else 2)


@op("ImageRotate")
def image_rotate(image: Floats, rotation: str) -> Floats:
    """Clockwise."""
    return np.rot90(image, QUARTERS.get(rotation[:3], 0), (2, 1))


QUARTERS: Final[Mapping[str, int]] = {"90 ": 1, "180": 2, "270": 3}


@op("ImageCrop")
def image_crop(image: Floats, width: int, height: int, x: int, y: int) -> Floats:
    """Cut at the picture's edge: the result may be smaller than asked."""
    x, y = min(x, image.shape[2] - 1), min(y, image.shape[1] - 1)
    return image[:, y : y + height, x : x + width]


@op("CenterCropImages")
def center_crop(images: Floats, width: int, height: int) -> Floats:
    x, y = max(0, (images.shape[2] - width) // 2), max(0, (images.shape[1] - height) // 2)
    return images[:, y : min(y + height, images.shape[1]), x : min(x + width, images.shape[2])]


@op("ImagePadForOutpaint")
def pad_for_outpaint(
    image: Floats, left: int, top: int, right: int, bottom: int, feathering: int
) -> tuple[Floats, Floats]:
    """The picture on a larger grey canvas, and a mask that is 1 on what was added, soft towards the picture."""
    count, rows, columns, channels = image.shape
    canvas = np.full((count, rows + top + bottom, columns + left + right, channels), 0.5, np.float32)
    canvas[:, top : top + rows, left : left + columns] = image
    mask = np.ones(canvas.shape[1:3], np.float32)
    mask[top : top + rows, left : left + columns] = _soft_edges(rows, columns, (left, top, right, bottom), feathering)
    return canvas, mask[None]


def _soft_edges(rows: int, columns: int, sides: tuple[int, int, int, int], feathering: int) -> Floats:
    if feathering <= 0 or feathering * 2 >= rows or feathering * 2 >= columns:
        return np.zeros((rows, columns), np.float32)
    left, top, right, bottom = sides
    x, y = np.arange(columns), np.arange(rows)
    far = max(rows, columns)
    from_x = np.minimum(x if left else far, columns - x if right else far)
    from_y = np.minimum(y if top else far, rows - y if bottom else far)
    nearest = np.minimum(np.broadcast_to(from_y, (rows,))[:, None], np.broadcast_to(from_x, (columns,))[None, :])
    return np.square(np.clip((feathering - nearest) / feathering, 0, 1)).astype(np.float32)


# --- blending --------------------------------------------------------------------------------------------------


def _soft_light(a: Floats, b: Floats) -> Floats:
    curve = np.where(a <= 0.25, ((16 * a - 12) * a + 4) * a, np.sqrt(np.clip(a, 0, None)))
    return np.where(b <= 0.5, a - (1 - 2 * b) * a * (1 - a), a + (2 * b - 1) * (curve - a))


BLENDS: Final[Mapping[str, Callable[[Floats, Floats], Floats]]] = {
    "normal": lambda a, b: b,
    "multiply": lambda a, b: a * b,
    "screen": lambda a, b: 1 - (1 - a) * (1 - b),
    "overlay": lambda a, b: np.where(a <= 0.5, 2 * a * b, 1 - 2 * (1 - a) * (1 - b)),
    "soft_light": _soft_light,
    "difference": lambda a, b: a - b,
}


@op("ImageBlend")
def image_blend(image1: Floats, image2: Floats, blend_factor: float, blend_mode: str) -> Floats:
    """The second picture over the first; cropped and scaled to its size."""
    image1, image2 = _same_channels(image1, image2)
    if image1.shape[1:3] != image2.shape[1:3]:
        image2 = common_upscale(image2, image1.shape[2], image1.shape[1], "bicubic", "center")
    mixed = BLENDS[blend_mode](image1, image2)
    return np.clip(image1 * (1 - blend_factor) + mixed * blend_factor, 0, 1).astype(np.float32)


def _same_channels(image1: Floats, image2: Floats) -> tuple[Floats, Floats]:
    channels = max(image1.shape[3], image2.shape[3])
    first, second = (
        np.pad(image, ((0, 0), (0, 0), (0, 0), (0, channels - image.shape[3])), constant_values=1.0)
        for image in (image1, image2)
    )
    return first, second


# --- filters ---------------------------------------------------------------------------------------------------


def bell(radius: int, sigma: float) -> Floats:
    """A normalised one-dimensional bell over -1..1 with 2*radius+1 points: `sigma` is in those units."""
    x = np.linspace(-1, 1, 2 * radius + 1)
    weights = np.exp(-(x * x) / (2 * sigma * sigma))
    return (weights / weights.sum()).astype(np.float32)


def blurred(image: Floats, weights: Floats, mode: str = "reflect") -> Floats:
    """The picture [B,H,W,C] filtered with the same weights along both axes; edges are reflected."""
    radius = len(weights) // 2
    for axis in (1, 2):
        around = [(0, 0)] * 4
        around[axis] = (radius, radius)
        padded = np.pad(image, around, mode=mode)  # type: ignore[call-overload]
        size = image.shape[axis]
        image = sum(weight * np.take(padded, np.arange(at, at + size), axis) for at, weight in enumerate(weights))  # type: ignore[assignment]
    return image


@op("ImageBlur")
def image_blur(image: Floats, blur_radius: int, sigma: float) -> Floats:
    return image if blur_radius == 0 else blurred(image, bell(blur_radius, sigma))


@op("ImageSharpen")
def image_sharpen(image: Floats, sharpen_radius: int, sigma: float, alpha: float) -> Floats:
    """Ten times alpha of what a blur takes away is added."""
    if sharpen_radius == 0:
        return image
    detail = image - blurred(image, bell(sharpen_radius, sigma))
    return np.clip(image + detail * (alpha * 10), 0, 1).astype(np.float32)


@op("ImageQuantize")
def image_quantize(image: Floats, colors: int, dither: str) -> Floats:
    """Fewer colours, by Pillow's median cut."""
    made = [_quantized(one, colors, dither) for one in octets(image)]
    return np.stack(made).astype(np.float32) / np.float32(255.0)


def _quantized(one: Octets, colours: int, dither: str) -> Octets:
    picture = Image.fromarray(one[..., :3])
    table = picture.quantize(colors=colours)
    if dither.startswith("bayer"):
        picture = Image.fromarray(_ordered(one[..., :3], int(dither.partition("-")[2]), colours))
    how = Image.Dither.FLOYDSTEINBERG if dither == "floyd-steinberg" else Image.Dither.NONE
    return np.asarray(picture.quantize(colors=colours, palette=table, dither=how).convert("RGB"))


def _ordered(one: Octets, order: int, colours: int) -> Octets:
    """Adds the thresholds of a Bayer matrix, spread over two steps between evenly spaced colours."""
    height, width = one.shape[:2]
    tiled = np.tile(bayer(order), (-(-height // order), -(-width // order)))[:height, :width, None]
    return np.clip(one + tiled * (2 * 256 / colours), 0, 255).astype(np.uint8)


def bayer(order: int) -> Floats:
    """Bayer's matrix of an order that is a power of two, in -0.5..0.5."""
    matrix = np.zeros((1, 1))
    while len(matrix) < order:
        matrix = np.block([[4 * matrix, 4 * matrix + 2], [4 * matrix + 3, 4 * matrix + 1]])
    return ((matrix + 0.5) / matrix.size - 0.5).astype(np.float32)


@op("ImageAddNoise")
def image_add_noise(image: Floats, seed: int, strength: float) -> Floats:
    """Normal noise; another generator than PyTorch's, so other grains."""
    noise = np.random.Generator(np.random.PCG64(seed)).standard_normal(image.shape, np.float32)
    return np.clip(image + strength * noise, 0, 1).astype(np.float32)


@op("AdjustBrightness")
def adjust_brightness(images: Floats, factor: float) -> Floats:
    return np.clip(images * factor, 0, 1)


@op("AdjustContrast")
def adjust_contrast(images: Floats, factor: float) -> Floats:
    return np.clip((images - 0.5) * factor + 0.5, 0, 1)


@op("NormalizeImages")
def normalize_images(images: Floats, mean: float, std: float) -> Floats:
    return (images - mean) / std


@op("RandomCropImages")
def random_crop(images: Floats, width: int, height: int, seed: int) -> Floats:
    """A part at a place that the seed decides (by another generator than ComfyUI's)."""
    dice = np.random.Generator(np.random.PCG64(seed))
    y = int(dice.integers(0, max(0, images.shape[1] - height) + 1))
    x = int(dice.integers(0, max(0, images.shape[2] - width) + 1))
    return images[:, y : y + height, x : x + width]
