"""Pictures brought onto a canvas by a Placement."""

from __future__ import annotations

import torch
from torch import Tensor

from . import subject
from .canvas import resized
from .pixels import extended
from .placement import Box, Margins, Placement, Wish, placed

EDGE = "edge"


def adjusted(pictures: Tensor, wish: Wish, method: str, fill: str, reference: Tensor | None) -> tuple[Tensor, Tensor]:
    """[B, H, W, C] → the pictures [B, h, w, C], and the mask [1, h, w] of what was filled. See ComfycImageAdjust."""
    height, width = pictures.shape[1:3]
    colour = None if fill.strip().lower() == EDGE else colour_of(fill)
    margins = wish.margins.filled(margins_of(reference)) if reference is not None else wish.margins
    around = (subject.box(subject.found(pictures)) or Box(0, 0, width, height)) if margins else None
    place = placed(wish, width, height, around, margins)
    if place is None:
        return pictures, torch.zeros(1, height, width, device=pictures.device)
    return rendered(pictures, place, method, colour)


def margins_of(reference: Tensor) -> Margins:
    """Those of the reference's subject; none where there is no subject to be found."""
    around = subject.box(subject.found(reference[:1]))
    return around.margins(reference.shape[2], reference.shape[1]) if around else Margins()


def colour_of(text: str) -> tuple[float, float, float, float]:
    """Red, green, blue, alpha of 0 to 1.

    Errors: ValueError.
    """
    from PIL import ImageColor

    if text.strip().lower() == "transparent":
        return 0.0, 0.0, 0.0, 0.0
    try:
        red, green, blue, *alpha = ImageColor.getrgb(text.strip())
    except ValueError as error:
        cure = f"Write #rrggbb, #rrggbbaa, a name such as white, or {EDGE}"
        raise ValueError(f"fill: {text!r} is no colour. {cure}") from error
    return red / 255, green / 255, blue / 255, (alpha[0] if alpha else 255) / 255


def rendered(
    pictures: Tensor, place: Placement, method: str, colour: tuple[float, float, float, float] | None
) -> tuple[Tensor, Tensor]:
    """The canvas and the mask of what the picture does not reach. `colour` None: the border is repeated."""
    height, width = pictures.shape[1:3]
    (x0, x1, left, right), (y0, y1, top, bottom) = place.across(width), place.down(height)
    inner = resized(pictures[:, y0:y1, x0:x1].float(), right - left, bottom - top, method).to(pictures.dtype)
    inner = inner[:, max(0, -top) : place.height - top, max(0, -left) : place.width - left]
    left, top = max(0, left), max(0, top)
    high, wide = inner.shape[1:3]
    mask = torch.ones(1, place.height, place.width, device=pictures.device)
    mask[:, top : top + high, left : left + wide] = 0
    if colour is None:
        return extended(inner, left, top, place.width - left - wide, place.height - top - high), mask
    made = inner.new_tensor(_channels(colour, pictures.shape[-1]))
    made = made.repeat(len(pictures), place.height, place.width, 1)
    made[:, top : top + high, left : left + wide] = inner
    return made, mask


def _channels(colour: tuple[float, float, float, float], channels: int) -> list[float]:
    red, green, blue, alpha = colour
    grey = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return {1: [grey], 2: [grey, alpha], 3: [red, green, blue]}.get(channels, [red, green, blue, alpha])
