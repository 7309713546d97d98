"""Filters that look at neighbouring pixels: edges, morphology; and other colour spaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from runner.engine.sandbox.ops.codec import H264, through
from runner.engine.sandbox.ops.image_paint import blurred
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.values import Floats, floats, octets

LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)


# --- Canny -----------------------------------------------------------------------------------------------------


@op("Canny")
def canny(image: Floats, low_threshold: float, high_threshold: float) -> Floats:
    """White edges on black. Thresholds are gradients of pictures in 0..1 (Canny 1986, with a 5x5 Gaussian, sigma 1)."""
    grey = (image[..., :3] * LUMA).sum(-1, keepdims=True)
    weights = np.exp(-np.square(np.arange(-2, 3)) / 2).astype(np.float32)
    smooth = blurred(grey, weights / weights.sum())[..., 0]
    dx, dy = _sobel(smooth)
    strength = np.sqrt(dx * dx + dy * dy + np.float32(1e-6))
    thin = strength * _is_ridge(strength, np.arctan2(dy, dx))
    edges = np.stack([_linked(one, low_threshold, high_threshold) for one in thin])
    return np.repeat(edges[..., None], 3, -1).astype(np.float32)


def _sobel(grey: Floats) -> tuple[Floats, Floats]:
    """Gradients along x and y, not normalised: a ramp of 1 for each pixel gives 8."""
    around = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
    along_x = around[:, :, 2:] - around[:, :, :-2]
    along_y = around[:, 2:] - around[:, :-2]
    dx = along_x[:, :-2] + 2 * along_x[:, 1:-1] + along_x[:, 2:]
    dy = along_y[:, :, :-2] + 2 * along_y[:, :, 1:-1] + along_y[:, :, 2:]
    return dx, dy


def _is_ridge(strength: Floats, angle: Floats) -> NDArray[np.bool_]:
    """True where a gradient is larger than its two neighbours along its direction."""
    around = np.pad(strength, ((0, 0), (1, 1), (1, 1)))
    rows, columns = strength.shape[1:]
    eighth = np.round(angle / (np.pi / 4)).astype(int) % 4
    found = np.zeros(strength.shape, bool)
    for turn, (y, x) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        ahead = around[:, 1 + y : 1 + y + rows, 1 + x : 1 + x + columns]
        behind = around[:, 1 - y : 1 - y + rows, 1 - x : 1 - x + columns]
        found |= (eighth == turn) & (strength > ahead) & (strength > behind)
    return found


def _linked(thin: Floats, low: float, high: float) -> NDArray[np.bool_]:
    """Strong edges, and weak ones that touch them (8 neighbours)."""
    weak, strong = thin > low, thin > high
    while True:
        around = np.pad(strong, 1)
        rows, columns = strong.shape
        near = np.zeros_like(strong)
        for y in range(3):
            for x in range(3):
                near |= around[y : y + rows, x : x + columns]
        grown = strong | (near & weak)
        if (grown == strong).all():
            return grown
        strong = grown


# --- morphology ------------------------------------------------------------------------------------------------


def _extreme(image: Floats, size: int, pick: Callable[[list[Floats]], Floats], outside: float) -> Floats:
    before = size // 2
    for axis in (1, 2):
        around = [(0, 0)] * 4
        around[axis] = (before, size - 1 - before)
        padded: Floats = np.pad(image, around, constant_values=outside)
        image = pick(_shifted(padded, image.shape[axis], size, axis))
    return image


def _shifted(padded: Floats, length: int, size: int, axis: int) -> list[Floats]:
    return [padded.take(range(at, at + length), axis) for at in range(size)]


def dilate(image: Floats, size: int) -> Floats:
    return _extreme(image, size, np.maximum.reduce, -np.inf)


def erode(image: Floats, size: int) -> Floats:
    return _extreme(image, size, np.minimum.reduce, np.inf)


MORPHOLOGY: Final[Mapping[str, Callable[[Floats, int], Floats]]] = {
    "erode": erode,
    "dilate": dilate,
    "open": lambda image, size: dilate(erode(image, size), size),
    "close": lambda image, size: erode(dilate(image, size), size),
    "gradient": lambda image, size: dilate(image, size) - erode(image, size),
    "top_hat": lambda image, size: image - dilate(erode(image, size), size),
    "bottom_hat": lambda image, size: erode(dilate(image, size), size) - image,
}


@op("Morphology")
def morphology(image: Floats, operation: str, kernel_size: int) -> Floats:
    """With a square of ones."""
    return MORPHOLOGY[operation](image, kernel_size)


# --- colour spaces, codecs -------------------------------------------------------------------------------------

BLUE: Final = 0.564
RED: Final = 0.713
"""Scales of the two colour differences, as in JPEG."""


@op("ImageRGBToYUV")
def rgb_to_yuv(image: Floats) -> tuple[Floats, Floats, Floats]:
    """Y, U and V as three grey pictures; U and V are 0.5 where there is no colour."""
    luma = (image[..., :3] * LUMA).sum(-1)
    blue, red = (image[..., 2] - luma) * BLUE + 0.5, (image[..., 0] - luma) * RED + 0.5
    y, u, v = (np.repeat(plane[..., None], 3, -1) for plane in (luma, blue, red))
    return y, u, v


@op("ImageYUVToRGB")
def yuv_to_rgb(Y: Floats, U: Floats, V: Floats) -> Floats:  # noqa: N803
    y, u, v = (channel[..., :3].mean(-1) for channel in (Y, U, V))
    red, blue = y + (v - 0.5) / RED, y + (u - 0.5) / BLUE
    green = (y - LUMA[0] * red - LUMA[2] * blue) / LUMA[1]
    return np.clip(np.stack([red, green, blue], -1), 0, 1).astype(np.float32)


@op("LTXVPreprocess")
def ltxv_preprocess(image: Floats, img_compression: int) -> Floats:
    """The pictures as H.264 at that crf would show them."""
    if img_compression == 0:
        return image
    form = replace(H264, options={**H264.options, "crf": str(img_compression)})
    return floats(np.stack([through(one, form) for one in octets(image)]))
