"""COMFYC_REGIONS: what travels between the nodes that find, cut out and paste back parts of pictures.

A list of plain dicts (`Region`), which JSON could hold. `region` makes one, `checked` reads a list from a link.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypedDict

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels, right and bottom excluded; x to the right, y downwards."""


class Crop(TypedDict):
    """Where ComfycRegionCrop took a crop."""

    box: tuple[int, int, int, int]
    """In whole pixels of the picture; may reach beyond its border, which is repeated there."""
    of: tuple[int, int]
    """Width and height of that picture."""


class Found(TypedDict):
    """What a finder says of a region."""

    image: int
    """Which picture of the batch, from 0."""
    box: Box
    score: float
    """How sure the finder is, 0 to 1."""
    label: str
    """What it is: `face`, `person`, or the finder's word."""


class Region(Found, total=False):
    """A part of a picture that was found."""

    crop: Crop
    """Set by ComfycRegionCrop."""


def region(image: int, box: Sequence[float], score: float = 1.0, label: str = "") -> Region:
    """A region. The box is x0, y0, x1, y1 in pixels.

    Errors: ValueError for a box that is empty or not finite.
    """
    x0, y0, x1, y1 = (float(value) for value in box)
    if not all(map(math.isfinite, (x0, y0, x1, y1))) or x1 <= x0 or y1 <= y0:
        raise ValueError(f"regions: the box {list(box)} is empty. Give x0, y0, x1, y1 with x0 < x1 and y0 < y1")
    return {"image": int(image), "box": (x0, y0, x1, y1), "score": float(score), "label": str(label)}


def checked(regions: Any, pictures: int) -> list[Region]:
    """The regions of a link, of a batch of so many pictures.

    Errors: ValueError if it is no list of regions, or names a picture that is not there.
    """
    if not isinstance(regions, list) or not all(isinstance(one, dict) and "box" in one for one in regions):
        raise ValueError("regions: not a list of regions. Link the output of Region detect or Region crop")
    for number, one in enumerate(regions):
        if not 0 <= one["image"] < pictures:
            fault = f"regions: region {number} is in picture {one['image']}, but there are {pictures}"
            raise ValueError(f"{fault}. Link the pictures in which the regions were found")
        region(one["image"], one["box"])
    return regions
