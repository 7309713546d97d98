"""Faces, persons and named things in pictures, as regions and as a mask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from . import faces, labels, matting, pictures
from .optional import library
from .regions import Region, region

PERSON: Final = "u2net_human_seg"
"""rembg's model for persons."""
PERSON_SIDE: Final = 1024
SURE: Final = 0.5
"""Values of the persons' mask from which a pixel belongs to one."""
SMALLEST: Final = 0.001
"""Share of the picture: a smaller patch of the persons' mask is no person."""

Finding = tuple[Sequence[float], float, str]
"""Box (x0, y0, x1, y1 in pixels), score and label."""


def detect(batch: Tensor, kind: str, label: str, threshold: float, most: int) -> tuple[list[Region], Tensor, int]:
    """[B, H, W, C] → the regions of all pictures, a mask [B, H, W] and how many regions there are.

    At most `most` regions a picture, those with the highest scores. The mask is 1 in the boxes; for persons it is
    their outline, within the boxes.

    Errors: LibraryMissing for a library or weights file; ValueError for an empty label.
    """
    find = FINDERS[kind](label)
    mask = batch.new_zeros(batch.shape[:3], dtype=torch.float32)
    regions: list[Region] = []
    for number, picture in enumerate(batch):
        findings, outline = find(picture, threshold)
        kept = [one for one in sorted(findings, key=lambda one: -one[1]) if one[1] >= threshold][:most]
        for box, score, named in kept:
            inner = _inside(box, picture.shape[1], picture.shape[0])
            if inner is None:
                continue
            x0, y0, x1, y1 = inner
            rows, columns = slice(int(y0), -int(-y1 // 1)), slice(int(x0), -int(-x1 // 1))
            patch = mask[number, rows, columns]
            patch.copy_(torch.ones_like(patch) if outline is None else outline.to(patch)[rows, columns])
            regions.append(region(number, inner, score, named))
    return regions, mask, len(regions)


def _inside(box: Sequence[float], width: int, height: int) -> tuple[float, float, float, float] | None:
    """The part of a box that lies in the picture; None if there is none."""
    x0, y0 = max(0.0, float(box[0])), max(0.0, float(box[1]))
    x1, y1 = min(float(width), float(box[2])), min(float(height), float(box[3]))
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


Find = Callable[[Tensor, float], tuple[list[Finding], Tensor | None]]
"""A picture [H, W, C] and the least score → what is found, and an outline [H, W] if there is one."""


def _faces(_label: str) -> Find:
    find = faces.finder()
    return lambda picture, threshold: ([(box, score, "face") for box, score in find(picture, threshold)], None)


def _persons(_label: str) -> Find:
    find = matting.finder(PERSON)

    def found(picture: Tensor, threshold: float) -> tuple[list[Finding], Tensor | None]:
        mask = matting.masked(picture, find, PERSON_SIDE)
        return [(box, score, "person") for box, score in patches(mask)], mask

    return found


def _labels(label: str) -> Find:
    if not label.strip():
        raise ValueError("label: is empty. Name what to find, in plain words")
    find = labels.finder()

    def found(picture: Tensor, threshold: float) -> tuple[list[Finding], Tensor | None]:
        return [*find(pictures.to_array(picture), label.strip(), threshold)], None

    return found


FINDERS: Final[Mapping[str, Callable[[str], Find]]] = {"face": _faces, "person": _persons, "label": _labels}


def patches(mask: Tensor) -> list[tuple[tuple[float, float, float, float], float]]:
    """[H, W] → box and score of each patch of it that hangs together; the score is the mean of the mask in it."""
    measure: Any = library("scipy.ndimage", "scipy", "person")
    values = mask.detach().float().cpu().numpy()
    numbered, _ = measure.label(values >= SURE)
    found: list[tuple[tuple[float, float, float, float], float]] = []
    for number, place in enumerate(measure.find_objects(numbered), 1):
        own = numbered[place] == number
        if own.sum() >= SMALLEST * values.size:
            rows, columns = place
            box = float(columns.start), float(rows.start), float(columns.stop), float(rows.stop)
            found.append((box, float(values[place][own].mean())))
    return found
