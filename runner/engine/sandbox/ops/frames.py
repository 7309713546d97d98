"""Work on the frames of a film, on two threads: Pillow and numpy leave the interpreter lock alone meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from PIL import Image

from runner.engine.sandbox.ops.values import Octets

THREADS: Final = 2
WORTH_IT: Final = 8
"""Fewer frames are done on the spot."""


def for_each(count: int, work: Callable[[int], None]) -> None:
    """Does the work for each frame number; raises what it raises."""
    if count < WORTH_IT:
        for index in range(count):
            work(index)
        return
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(work, range(count)):
            pass


def enlarge(small: Octets, width: int, height: int) -> Octets:
    """Frames [F,h,w,3] in a larger size, smoothly."""
    how = Image.Resampling.BICUBIC if len(small) == 1 else Image.Resampling.BILINEAR
    made = np.empty((len(small), height, width, 3), np.uint8)

    def one(index: int) -> None:
        made[index] = np.asarray(Image.fromarray(small[index]).resize((width, height), how))

    for_each(len(small), one)
    return made


def blend(frames: Octets, other: Octets, weight: float) -> None:
    """Mixes other frames in, in place; a single one serves all."""
    if weight <= 0:
        return

    def one(index: int) -> None:
        blend_one(frames[index], other[index if len(other) > 1 else 0], weight)

    for_each(len(frames), one)


def blend_one(frame: Octets, other: Octets, weight: float) -> None:
    """Mixes another picture into a frame, in place."""
    frame[:] = np.asarray(Image.blend(Image.fromarray(frame), Image.fromarray(other), min(weight, 1.0)))
