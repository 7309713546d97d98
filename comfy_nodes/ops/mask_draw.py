"""Masks drawn from JSON, strip by strip. `drawn` needs no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from .mask_json import Drawing, fault, parsed
from .shapes import Coverage, Window

if TYPE_CHECKING:
    from torch import Tensor

STRIP: Final = 1 << 21
"""Pixels that are drawn at a time; the memory beside the mask is about fifty times that in bytes."""
BUDGET: Final = 1 << 30
"""Values computed for one mask: some ten seconds' work."""


def mask(text: str, width: int, height: int) -> Tensor:
    """[1, height, width] float32.

    Errors: ValueError for a text that is no drawing, or more work than BUDGET.
    """
    import torch

    return torch.from_numpy(drawn(parsed(text, width, height)))[None]


def drawn(drawing: Drawing) -> Coverage:
    """[height, width]: shapes one after another; adding takes the larger value, subtracting the smaller."""
    canvas = Window(0, 0, drawing.width, drawing.height)
    cost = sum(shape.cost(canvas) for shape in drawing.shapes)
    if cost > BUDGET:
        raise fault("shapes", "need too much work at this size", "Simplify them, or draw a smaller mask")
    made = np.zeros((drawing.height, drawing.width), np.float32)
    rows = max(1, min(STRIP // drawing.width, drawing.height * STRIP // max(cost, 1) + 1))
    for top in range(0, drawing.height, rows):
        strip = Window(0, top, drawing.width, min(top + rows, drawing.height))
        _draw(drawing, strip, made[strip.inside(canvas)])
    return 1 - made if drawing.invert else made


def _draw(drawing: Drawing, strip: Window, made: Coverage) -> None:
    for shape in drawing.shapes:
        part = shape.window().within(strip)
        if not part.area:
            continue
        place, covered = made[part.inside(strip)], shape.coverage(part)
        if shape.subtract:
            np.minimum(place, 1 - covered, out=place)
        else:
            np.maximum(place, covered, out=place)
