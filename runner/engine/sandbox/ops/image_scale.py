"""Nodes that give pictures another size."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from runner.engine.sandbox.node import NodeContext
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.resample import common_upscale, resize
from runner.engine.sandbox.ops.values import Floats, Symbol, digest


@op("ImageScale")
def image_scale(image: Floats, upscale_method: str, width: int, height: int, crop: str) -> Floats:
    """To width x height; a side of 0 follows the proportions, both 0 change nothing."""
    if width == 0 and height == 0:
        return image
    rows, columns = image.shape[1:3]
    width = width or max(1, round(columns * height / rows))
    height = height or max(1, round(rows * width / columns))
    return common_upscale(image, width, height, upscale_method, crop)


@op("ImageScaleBy")
def image_scale_by(image: Floats, upscale_method: str, scale_by: float) -> Floats:
    """By a factor."""
    rows, columns = image.shape[1:3]
    return common_upscale(image, round(columns * scale_by), round(rows * scale_by), upscale_method, "disabled")


@op("ImageScaleToTotalPixels")
def image_scale_to_total_pixels(
    image: Floats, upscale_method: str, megapixels: float, resolution_steps: int = 1
) -> Floats:
    """To a number of pixels (1 megapixel = 1024x1024), proportions kept."""
    rows, columns = image.shape[1:3]
    scale = math.sqrt(megapixels * 1024 * 1024 / (columns * rows))
    width, height = (round(side * scale / resolution_steps) * resolution_steps for side in (columns, rows))
    return common_upscale(image, width, height, upscale_method, "disabled")


@op("ImageScaleToMaxDimension")
def image_scale_to_max_dimension(image: Floats, upscale_method: str, largest_size: int) -> Floats:
    """So that the longer side has a size."""
    rows, columns = image.shape[1:3]
    width = largest_size if columns >= rows else round(columns / rows * largest_size)
    height = largest_size if rows >= columns else round(rows / columns * largest_size)
    return common_upscale(image, width, height, upscale_method, "disabled")


@op("ResizeAndPadImage")
def resize_and_pad(
    image: Floats, target_width: int, target_height: int, padding_color: str, interpolation: str
) -> Floats:
    """Fitted into a box whose rest is white or black."""
    rows, columns = image.shape[1:3]
    scale = min(target_width / columns, target_height / rows)
    width, height = int(columns * scale), int(rows * scale)
    colour = 1.0 if padding_color == "white" else 0.0
    canvas = np.full((len(image), target_height, target_width, image.shape[3]), colour, np.float32)
    x, y = (target_width - width) // 2, (target_height - height) // 2
    canvas[:, y : y + height, x : x + width] = resize(image, width, height, interpolation)
    return canvas


KONTEXT_SIZES: Final = (
    (672, 1568), (688, 1504), (720, 1456), (752, 1392), (800, 1328), (832, 1248), (880, 1184), (944, 1104),
    (1024, 1024), (1104, 944), (1184, 880), (1248, 832), (1328, 800), (1392, 752), (1456, 720), (1504, 688),
    (1568, 672),
)  # fmt: skip
"""Sizes that FLUX.1 Kontext was trained on."""


@op("FluxKontextImageScale")
def flux_kontext_image_scale(image: Floats) -> Floats:
    """To the trained size with the nearest proportions."""
    aspect = image.shape[2] / image.shape[1]
    _, width, height = min((abs(aspect - w / h), w, h) for w, h in KONTEXT_SIZES)
    return common_upscale(image, width, height, "lanczos", "center")


@op("UpscaleModelLoader")
def upscale_model_loader(model_name: str) -> Symbol:
    return Symbol("UPSCALE_MODEL", digest("upscale", model_name), (model_name,))


@op("ImageUpscaleWithModel")
def image_upscale_with_model(upscale_model: Symbol, image: Floats, context: NodeContext) -> Floats:
    """Enlarged by the factor in the model's file name; smooth, as no model is there to sharpen it."""
    factor = model_factor(upscale_model.files[-1] if upscale_model.files else "")
    context.sleep(context.step_seconds)
    made = resize(image, image.shape[2] * factor, image.shape[1] * factor, "lanczos")
    context.progress(1, 1, None)
    return made


def model_factor(name: str) -> int:
    """`4x-UltraSharp.pth` → 4, `RealESRGAN_x2.pth` → 2; 4 where the name says nothing."""
    found = re.search(r"(?:^|[^a-z0-9])(?:x(\d+)|(\d+)x)", name.lower())
    return max(1, int(found.group(1) or found.group(2))) if found else DEFAULT_FACTOR


DEFAULT_FACTOR: Final = 4


# --- ComfyUI 0.8 -----------------------------------------------------------------------------------------------


@op("ResizeImagesByLongerEdge")
def resize_by_longer_edge(images: Floats, longer_edge: int) -> Floats:
    return _by_edge(images, longer_edge, max(images.shape[1:3]))


@op("ResizeImagesByShorterEdge")
def resize_by_shorter_edge(images: Floats, shorter_edge: int) -> Floats:
    return _by_edge(images, shorter_edge, min(images.shape[1:3]))


def _by_edge(images: Floats, edge: int, now: int) -> Floats:
    rows, columns = images.shape[1:3]
    return resize(images, int(columns * (edge / now)), int(rows * (edge / now)), "lanczos")


@op("ResizeImageMaskNode")
def resize_image_mask(input: Floats, resize_type: str, scale_method: str, inputs: Mapping[str, Any]) -> Floats:
    """Pictures or masks to a size told in one of several ways; the nested inputs come with dotted names."""
    if input.ndim == 3 and scale_method == "lanczos":
        raise TypeError("Cannot handle this data type: (1, 1, 1), |u1")
    picture = input if input.ndim == 4 else input[..., None]
    told = {name.partition(".")[2]: value for name, value in inputs.items() if name.startswith("resize_type.")}
    rows, columns = picture.shape[1:3]
    width, height = RESIZE_TYPES[resize_type](columns, rows, told)
    made = common_upscale(picture, width, height, scale_method, str(told.get("crop", "disabled")))
    return made if input.ndim == 4 else made[..., 0]


def _told_dimensions(columns: int, rows: int, told: Mapping[str, Any]) -> tuple[int, int]:
    width, height = int(told["width"]), int(told["height"])
    if width == 0 and height == 0:
        return columns, rows
    return width or max(1, round(columns * height / rows)), height or max(1, round(rows * width / columns))


def _told_multiplier(columns: int, rows: int, told: Mapping[str, Any]) -> tuple[int, int]:
    return round(columns * told["multiplier"]), round(rows * told["multiplier"])


def _told_longer(columns: int, rows: int, told: Mapping[str, Any]) -> tuple[int, int]:
    size = int(told["longer_size"])
    return (size, round(rows / columns * size)) if columns >= rows else (round(columns / rows * size), size)


def _told_shorter(columns: int, rows: int, told: Mapping[str, Any]) -> tuple[int, int]:
    """A portrait comes out square: so ComfyUI 0.8.0 does it."""
    size = int(told["shorter_size"])
    return (size, size) if columns < rows else (round(columns / rows * size), size)


def _told_width(columns: int, rows: int, told: Mapping[str, Any]) -> tuple[int, int]:
    return _told_dimensions(columns, rows, {"width": told["width"], "height": 0})


def _told_height(columns: int, rows: int, told: Mapping[str, Any]) -> tuple[int, int]:
    return _told_dimensions(columns, rows, {"width": 0, "height": told["height"]})


def _told_pixels(columns: int, rows: int, told: Mapping[str, Any]) -> tuple[int, int]:
    scale = math.sqrt(told["megapixels"] * 1024 * 1024 / (columns * rows))
    return round(columns * scale), round(rows * scale)


def _told_match(columns: int, rows: int, told: Mapping[str, Any]) -> tuple[int, int]:
    del columns, rows
    return int(told["match"].shape[2]), int(told["match"].shape[1])


RESIZE_TYPES: Final[Mapping[str, Callable[[int, int, Mapping[str, Any]], tuple[int, int]]]] = {
    "scale dimensions": _told_dimensions,
    "scale by multiplier": _told_multiplier,
    "scale longer dimension": _told_longer,
    "scale shorter dimension": _told_shorter,
    "scale width": _told_width,
    "scale height": _told_height,
    "scale total pixels": _told_pixels,
    "match size": _told_match,
}
