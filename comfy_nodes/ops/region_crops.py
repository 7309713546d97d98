"""Regions cut out of pictures, all to one size, and pasted back."""

from __future__ import annotations

import torch
from torch import Tensor

from .canvas import resized
from .geometry import Place, crop_places
from .pixels import extended, parts, ramp
from .regions import Crop, Region, checked, region


def cropped(pictures: Tensor, regions: object, expand: float, size: int) -> tuple[Tensor, list[Region]]:
    """[B, H, W, C] → crops [n, h, w, C], and the regions with their crops. See ComfycRegionCrop."""
    known = checked(regions, len(pictures))
    height, width = pictures.shape[1:3]
    taken = known or [region(0, (0, 0, width, height))]
    size_of_all, places = crop_places([one["box"] for one in taken], expand if known else 0, size, width, height)
    crops = [_cut(pictures[one["image"]][None], place, *size_of_all) for one, place in zip(taken, places, strict=True)]
    found: list[Region] = [
        {**one, "crop": {"box": place, "of": (width, height)}} for one, place in zip(known, places, strict=False)
    ]
    return torch.cat(crops), found


def pasted(pictures: Tensor, crops: Tensor, regions: object, feather: int) -> Tensor:
    """[B, H, W, C] with the crops [n, h, w, C] in their places. See ComfycRegionPaste."""
    known = checked(regions, len(pictures))
    if any("crop" not in one for one in known):
        raise ValueError("regions: they were not cropped. Link the regions of Region crop")
    if known and len(crops) != len(known):
        raise ValueError(f"crops: there are {len(crops)} for {len(known)} regions. Link all crops, in their order")
    made = pictures.clone() if known else pictures
    for one, crop in zip(known, crops.split(1), strict=False):
        _paste(made[one["image"]], crop, one["crop"], feather)
    return made


def _cut(picture: Tensor, place: Place, across: int, down: int) -> Tensor:
    height, width = picture.shape[1:3]
    x0, y0, x1, y1 = place
    inner = picture[:, max(0, y0) : y1, max(0, x0) : x1]
    inner = extended(inner, max(0, -x0), max(0, -y0), max(0, x1 - width), max(0, y1 - height))
    return resized(inner.float(), across, down, "lanczos").to(picture.dtype)


def _paste(picture: Tensor, crop: Tensor, where: Crop, feather: int) -> None:
    """Into one picture [H, W, C], in place."""
    height, width = picture.shape[:2]
    across, down = width / where["of"][0], height / where["of"][1]
    x0, y0, x1, y1 = where["box"]
    x0, x1, y0, y1 = round(x0 * across), round(x1 * across), round(y0 * down), round(y1 * down)
    colour, alpha = parts(crop)
    given = colour if alpha is None else torch.cat([colour, alpha], -1)
    scaled = resized(given, max(1, x1 - x0), max(1, y1 - y0), "lanczos")[0].to(picture.device)
    rows = ramp(len(scaled), feather * (y0 > 0), feather * (y1 < height), picture.device)
    columns = ramp(scaled.shape[1], feather * (x0 > 0), feather * (x1 < width), picture.device)
    weights = (rows[:, None] * columns[None, :])[..., None]
    if alpha is not None:
        weights, scaled = weights * scaled[..., -1:], scaled[..., :-1]
    inside = slice(max(0, -y0), height - y0), slice(max(0, -x0), width - x0)
    place = picture[max(0, y0) : y1, max(0, x0) : x1]
    colours = min(3, picture.shape[-1] - (picture.shape[-1] in (2, 4)))
    base = place[..., :colours].float()
    place[..., :colours] = torch.lerp(base, scaled[inside][..., :colours], weights[inside]).to(picture.dtype)
