"""Nodes that change what is seen: colours, blending, filters, compositing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from PIL import Image

from runner.engine.sandbox.node import NodeFailure
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.resample import common_upscale, resize_mask
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


# --- compositing -----------------------------------------------------------------------------------------------


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
