"""Nodes that give pictures another size."""

from __future__ import annotations

from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.resample import common_upscale
from runner.engine.sandbox.ops.values import Floats


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
