"""Resizing as PyTorch's `interpolate` does it (no antialiasing, centres aligned), which is what ComfyUI shows.

Facts taken from running graphs on ComfyUI 0.3.64; tests/acceptance compares them again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from runner.engine.sandbox.ops.values import Floats, Octets, octets

CUBIC: Final = -0.75
"""The cubic kernel's parameter."""


def resize(picture: Floats, width: int, height: int, method: str) -> Floats:
    """[B,H,W,C] float32 in another size. Methods: nearest-exact, bilinear, bicubic, area, lanczos, bislerp.

    Errors: ValueError for another method.
    """
    if method == "lanczos":
        return _lanczos(picture, width, height)
    if method not in AXIS:
        raise ValueError(f"unknown upscale method {method!r}")
    one = AXIS[method]
    return one(one(picture, height, 1), width, 2)


def resize_mask(mask: Floats, width: int, height: int, method: str = "bilinear") -> Floats:
    """[B,H,W] in another size."""
    return resize(mask[..., None], width, height, method)[..., 0]


def crop_center(picture: Floats, width: int, height: int) -> Floats:
    """The largest middle part with the proportions of width:height, as `crop: center` takes it."""
    old_height, old_width = picture.shape[1:3]
    old_aspect, new_aspect = old_width / old_height, width / height
    x = round((old_width - old_width * (new_aspect / old_aspect)) / 2) if old_aspect > new_aspect else 0
    y = round((old_height - old_height * (old_aspect / new_aspect)) / 2) if old_aspect < new_aspect else 0
    return picture[:, y : old_height - y, x : old_width - x]


def common_upscale(picture: Floats, width: int, height: int, method: str, crop: str) -> Floats:
    """Crops to the middle if asked, then resizes."""
    if crop == "center":
        picture = crop_center(picture, width, height)
    return resize(picture, width, height, method)


def cover(pictures: Octets, width: int, height: int) -> Octets:
    """Pictures scaled and cropped so that they fill width x height; three channels. For drawing, not for nodes."""
    if pictures.shape[1:] == (height, width, 3):
        return pictures
    count, old_height, old_width = pictures.shape[:3]
    scale = min(old_width / width, old_height / height)
    left, top = (old_width - width * scale) / 2, (old_height - height * scale) / 2
    box = (left, top, left + width * scale, top + height * scale)
    made = np.empty((count, height, width, 3), np.uint8)
    for index, one in enumerate(pictures):
        image = Image.fromarray(one[..., :3] if one.shape[-1] >= 3 else np.repeat(one[..., :1], 3, -1))
        made[index] = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box=box))
    return made


def _nearest(picture: Floats, size: int, axis: int) -> Floats:
    old = picture.shape[axis]
    return np.take(picture, np.minimum(((np.arange(size) + 0.5) * (old / size)).astype(int), old - 1), axis)


def _bilinear(picture: Floats, size: int, axis: int) -> Floats:
    old = picture.shape[axis]
    place = np.maximum((np.arange(size) + 0.5) * (old / size) - 0.5, 0)
    first = np.minimum(place.astype(int), old - 1)
    return _taps(picture, axis, [(first, 1 - (place - first)), (np.minimum(first + 1, old - 1), place - first)])


def _bicubic(picture: Floats, size: int, axis: int) -> Floats:
    old = picture.shape[axis]
    place = (np.arange(size) + 0.5) * (old / size) - 0.5
    first = np.floor(place).astype(int)
    t = place - first
    weights = (_outer(t + 1), _inner(t), _inner(1 - t), _outer(2 - t))
    return _taps(picture, axis, [(np.clip(first + k - 1, 0, old - 1), weight) for k, weight in enumerate(weights)])


def _area(picture: Floats, size: int, axis: int) -> Floats:
    old = picture.shape[axis]
    starts = (np.arange(size) * old) // size
    ends = -((-(np.arange(size) + 1) * old) // size)
    total = np.cumsum(picture, axis, dtype=np.float64)
    before = np.take(total, np.maximum(starts - 1, 0), axis) * _along((starts > 0).astype(np.float64), axis)
    return ((np.take(total, ends - 1, axis) - before) / _along((ends - starts).astype(np.float64), axis)).astype(
        np.float32
    )


def _lanczos(picture: Floats, width: int, height: int) -> Floats:
    """Through 8-bit pictures and Pillow, so values are whole 255ths."""
    made = [_pillow(one, width, height) for one in octets(picture)]
    return np.stack(made).astype(np.float32) / np.float32(255.0)


def _pillow(one: Octets, width: int, height: int) -> Octets:
    flat = one[..., 0] if one.shape[-1] == 1 else one
    made = np.asarray(Image.fromarray(flat).resize((width, height), Image.Resampling.LANCZOS))
    return made[..., None] if made.ndim == 2 else made


def _taps(picture: Floats, axis: int, taps: list[tuple[NDArray[np.intp], NDArray[np.float64]]]) -> Floats:
    first, weight = taps[0]
    total = np.take(picture, first, axis) * _along(weight.astype(np.float32), axis)
    for place, weight in taps[1:]:
        total += np.take(picture, place, axis) * _along(weight.astype(np.float32), axis)
    return total


def _along(values: NDArray[np.floating], axis: int) -> NDArray[np.floating]:
    shape = [1, 1, 1, 1]
    shape[axis] = len(values)
    return values.reshape(shape)


def _inner(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return ((CUBIC + 2) * t - (CUBIC + 3)) * t * t + 1


def _outer(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return ((CUBIC * t - 5 * CUBIC) * t + 8 * CUBIC) * t - 4 * CUBIC


AXIS: Final[Mapping[str, Callable[[Floats, int, int], Floats]]] = {
    "nearest-exact": _nearest,
    "bilinear": _bilinear,
    "bicubic": _bicubic,
    "area": _area,
    "bislerp": _bilinear,
}
