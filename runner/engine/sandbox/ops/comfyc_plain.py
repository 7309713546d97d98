"""What the sandbox gives for comfyc's own nodes where torch is missing: pictures of the right size in the right place.

Sizes and places are the pack's own numbers. Colours are not matched, seams not blended, nothing is feathered, and no
subject is looked for: `comfyc_pack` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from runner.engine.sandbox import pack
from runner.engine.sandbox.ops.resample import resize
from runner.engine.sandbox.ops.values import Floats

Inputs = Mapping[str, Any]
FILLS: Final = {"gray": 0.5, "black": 0.0, "white": 1.0}


def mask_from_json(inputs: Inputs) -> tuple[Any, ...]:
    image = inputs.get("image")
    height, width = image.shape[1:3] if image is not None else (inputs["height"], inputs["width"])
    drawing = pack.part("ops.mask_json").parsed(inputs["mask_json"], width, height)
    return (pack.part("ops.mask_draw").drawn(drawing)[None],)


def pad_to_canvas(inputs: Inputs) -> tuple[Any, ...]:
    geometry, image = pack.part("ops.geometry"), inputs["image"]
    width, height = inputs["width"], inputs["height"]
    wide, high = geometry.fitting(image.shape[2], image.shape[1], width, height)
    x, y = geometry.anchored(width - wide, height - high, inputs["anchor"])
    edges = ((0, 0), (y, height - high - y), (x, width - wide - x), (0, 0))
    fill = FILLS.get(inputs["fill"])
    inner = sized(image, wide, high)
    made = np.pad(inner, edges, "edge") if fill is None else np.pad(inner, edges, constant_values=fill)
    return made, np.pad(np.zeros((1, high, wide), np.float32), edges[:3], constant_values=1.0), x, y


def tile_split(inputs: Inputs) -> tuple[Any, ...]:
    image = inputs["image"]
    count, height, width = image.shape[:3]
    sides = inputs["tile_width"], inputs["tile_height"], inputs["overlap"]
    layout = pack.part("ops.geometry").tile_layout(count, width, height, *sides)
    wide, high = layout["tile_width"], layout["tile_height"]
    whole = np.pad(image, ((0, 0), (0, max(0, high - height)), (0, max(0, wide - width)), (0, 0)), "edge")
    places = [(y, x) for y in layout["rows"] for x in layout["columns"]]
    tiles = [one[y : y + high, x : x + wide] for one in whole for y, x in places]
    return np.stack(tiles), layout, len(tiles)


def tile_merge(inputs: Inputs) -> tuple[Any, ...]:
    tiles, layout, near = inputs["tiles"], inputs["layout"], pack.part("ops.geometry").near
    high, wide = tiles.shape[1:3]
    down, across = high / layout["tile_height"], wide / layout["tile_width"]
    rows, columns = ([near(at * scale) for at in layout[key]] for key, scale in (("rows", down), ("columns", across)))
    made = np.zeros((layout["pictures"], rows[-1] + high, columns[-1] + wide, tiles.shape[3]), np.float32)
    places = [(picture, y, x) for picture in range(layout["pictures"]) for y in rows for x in columns]
    for (picture, y, x), tile in zip(places, tiles, strict=True):
        made[picture, y : y + high, x : x + wide] = tile
    return (made[:, : near(layout["height"] * down), : near(layout["width"] * across)],)


def image_adjust(inputs: Inputs) -> tuple[Any, ...]:
    image, placement = inputs["image"], pack.part("ops.placement")
    height, width = image.shape[1:3]
    margins = placement.Margins(*(inputs[f"margin_{side}"] for side in ("top", "right", "bottom", "left")))
    wish = placement.Wish(
        inputs["mode"],
        placement.aspect_of(inputs["aspect_ratio"]),
        inputs["target_width"],
        inputs["target_height"],
        margins,
        inputs["cropping_position"],
        inputs["tolerance"],
        inputs["scaling_proportions"],
    )
    place = placement.placed(wish, width, height, placement.Box(0, 0, width, height), margins)
    if place is None:
        return image, np.zeros((1, height, width), np.float32)
    columns, rows = place.across(width), place.down(height)
    inner = sized(
        image[:, rows.first : rows.end, columns.first : columns.end],
        columns.high - columns.low,
        rows.high - rows.low,
    )
    inner = inner[:, max(0, -rows.low) : place.height - rows.low, max(0, -columns.low) : place.width - columns.low]
    made = np.ones((len(image), place.height, place.width, image.shape[3]), np.float32)
    mask = np.ones((1, place.height, place.width), np.float32)
    top, left = max(0, rows.low), max(0, columns.low)
    inside = slice(top, top + inner.shape[1]), slice(left, left + inner.shape[2])
    made[:, *inside], mask[:, *inside] = inner, 0.0
    return made, mask


def background_recolor(inputs: Inputs) -> tuple[Any, ...]:
    return inputs["image"], np.zeros(inputs["image"].shape[:3], np.float32)


def video_resample(inputs: Inputs) -> tuple[Any, ...]:
    geometry, images = pack.part("ops.geometry"), inputs["images"]
    picks = geometry.shown_frames(len(images), inputs["fps_in"], inputs["fps_out"])
    size = geometry.frame_size(images.shape[2], images.shape[1], inputs["width"], inputs["height"])
    return sized(images[picks], *size), inputs["fps_out"]


def region_crop(inputs: Inputs) -> tuple[Any, ...]:
    image, regions = inputs["image"], pack.part("ops.regions")
    height, width = image.shape[1:3]
    known = regions.checked(inputs["regions"], len(image))
    taken = known or [regions.region(0, (0, 0, width, height))]
    boxes, expand = [one["box"] for one in taken], inputs["expand"] if known else 0
    size, places = pack.part("ops.geometry").crop_places(boxes, expand, inputs["size"], width, height)
    cuts = (
        image[one["image"]][None, max(0, y0) : y1, max(0, x0) : x1]
        for one, (x0, y0, x1, y1) in zip(taken, places, strict=True)
    )
    crops = [sized(cut, *size) for cut in cuts]
    found = [{**one, "crop": {"box": place, "of": (width, height)}} for one, place in zip(known, places, strict=False)]
    return np.concatenate(crops), found


def region_paste(inputs: Inputs) -> tuple[Any, ...]:
    made = np.array(inputs["image"], np.float32)
    height, width = made.shape[1:3]
    for one, crop in zip(inputs["regions"], inputs["crops"], strict=False):
        x0, y0, x1, y1 = one["crop"]["box"]
        across, down = width / one["crop"]["of"][0], height / one["crop"]["of"][1]
        x0, x1, y0, y1 = round(x0 * across), round(x1 * across), round(y0 * down), round(y1 * down)
        place = made[one["image"], max(0, y0) : y1, max(0, x0) : x1]
        place[..., :3] = sized(crop[None], place.shape[1], place.shape[0])[0, ..., : min(3, place.shape[-1])]
    return (made,)


def sized(picture: Floats, width: int, height: int) -> Floats:
    """[B,H,W,C] in that size, by areas."""
    if picture.shape[1:3] == (height, width):
        return picture
    return resize(picture, width, height, "area")


PLAIN: Final[Mapping[str, Callable[[Inputs], tuple[Any, ...]]]] = {
    "ComfycMaskFromJson": mask_from_json,
    "ComfycPadToCanvas": pad_to_canvas,
    "ComfycColorMatch": lambda inputs: (inputs["image"],),
    "ComfycSimilarityGate": lambda inputs: (inputs["edited"], 1.0),
    "ComfycTileSplit": tile_split,
    "ComfycTileMerge": tile_merge,
    "ComfycImageAdjust": image_adjust,
    "ComfycBackgroundRecolor": background_recolor,
    "ComfycVideoResample": video_resample,
    "ComfycVideoEnds": lambda inputs: (inputs["images"][:1], inputs["images"][-1:], len(inputs["images"])),
    "ComfycRegionCrop": region_crop,
    "ComfycRegionPaste": region_paste,
}
"""Class → its outputs from its inputs, without torch."""
