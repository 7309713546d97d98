"""What the pictures of docs/nodes/ show: captions, and functions that make the panels, which need torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MEDIA: Final = Path(__file__).parents[1] / "examples/media"
DRAWING: Final = """\
{"units": "fraction", "shapes": [
  {"type": "polygon", "points": [[0.05, 0.9], [0.3, 0.35], [0.5, 0.9]]},
  {"type": "ellipse", "x": 0.7, "y": 0.35, "rx": 0.2, "ry": 0.25},
  {"type": "stroke", "points": [[0.1, 0.15], [0.4, 0.2], [0.55, 0.8], [0.9, 0.85]], "width": 0.08},
  {"type": "rectangle", "x": 0.62, "y": 0.25, "width": 0.16, "height": 0.2, "op": "subtract"}]}"""


@dataclass(frozen=True)
class Example:
    """One picture: panels side by side, each [H, W, C] or a mask [H, W]."""

    caption: str
    panels: Callable[[], list[Any]]


def run(name: str, **inputs: Any) -> Any:
    """The outputs of a class, with its defaults where nothing is given."""
    from comfy_nodes import NODE_CLASS_MAPPINGS

    node = NODE_CLASS_MAPPINGS[name]()
    required = node.INPUT_TYPES()["required"]
    known = {key: spec[1]["default"] for key, spec in required.items() if "default" in spec[1]}
    return getattr(node, node.FUNCTION)(**{**known, **inputs})


def lake(time: str, width: int = 300) -> Any:
    """[1, H, W, 3]: an example picture, `dawn`, `noon` or `night`."""
    import numpy as np
    import torch
    from PIL import Image

    picture = Image.open(MEDIA / f"lake_{time}.png").convert("RGB")
    picture = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(picture, np.float32) / 255)[None]


def vase() -> tuple[Any, Any]:
    """[1, 240, 240, 3]: a vase on light grey, with its shadow; and the mask of the vase."""
    import numpy as np
    import torch
    from PIL import Image, ImageDraw, ImageFilter

    shadow, pot = Image.new("L", (240, 240), 0), Image.new("L", (240, 240), 0)
    ImageDraw.Draw(shadow).ellipse((60, 186, 225, 216), fill=150)
    pen = ImageDraw.Draw(pot)
    pen.ellipse((75, 90, 165, 210), fill=255)
    pen.rectangle((105, 40, 135, 100), fill=255)
    pen.ellipse((95, 30, 145, 50), fill=255)
    ground = Image.new("RGB", (240, 240), (238, 238, 240))
    ground.paste((70, 70, 80), mask=shadow.filter(ImageFilter.GaussianBlur(8)))
    ground.paste((52, 102, 148), mask=pot)
    picture, mask = (torch.from_numpy(np.asarray(one, np.float32) / 255)[None] for one in (ground, pot))
    return picture, mask


def panned(count: int = 12) -> Any:
    """[count, 120, 90, 3]: a window that moves over a picture."""
    import torch

    wide = lake("dawn", 300)[:, 20:140]
    return torch.cat([wide[:, :, at * 18 : at * 18 + 90] for at in range(count)])


def strip(frames: Any, gap: int = 2) -> Any:
    """Frames side by side as one panel."""
    import torch

    line = torch.ones(frames.shape[1], gap, 3)
    return torch.cat([part for frame in frames for part in (frame, line)][:-1], 1)


def mask_from_json() -> list[Any]:
    picture = lake("noon")
    (mask,) = run("ComfycMaskFromJson", mask_json=DRAWING, image=picture)
    return [mask[0], picture[0] * (0.25 + 0.75 * mask[0, ..., None])]


def pad_to_canvas() -> list[Any]:
    made = run(
        "ComfycPadToCanvas", image=lake("noon", 200), width=290, height=200, feather=32, anchor="left", fill="edge"
    )
    return [made[0][0], made[1][0]]


def color_match() -> list[Any]:
    noon, night = lake("noon", 200), lake("night", 200)
    lab, histogram = (
        run("ComfycColorMatch", image=noon, reference=night, method=method)[0] for method in ("lab", "histogram")
    )
    return [noon[0], night[0], lab[0], histogram[0]]


def similarity_gate() -> list[Any]:
    original = lake("dawn", 200)
    warm, other = (original * original.new_tensor([1.0, 0.96, 0.9])), lake("night", 200)
    kept, back = (run("ComfycSimilarityGate", original=original, edited=one, ssim_min=0.9)[0] for one in (warm, other))
    return [warm[0], kept[0], other[0], back[0]]


def tile_split() -> list[Any]:
    tiles, _, _ = run("ComfycTileSplit", image=lake("noon", 300), tile_width=128, tile_height=96, overlap=32)
    return [lake("noon", 300)[0], *tiles[:3]]


def tile_merge() -> list[Any]:
    tiles, layout, count = run("ComfycTileSplit", image=lake("noon", 300), tile_width=128, tile_height=96, overlap=32)
    tinted = tiles.clone()
    for index in range(count):
        tinted[index, ..., index % 3] *= 0.6
    return [
        run("ComfycTileMerge", tiles=tiles, layout=layout)[0][0],
        run("ComfycTileMerge", tiles=tinted, layout=layout)[0][0],
    ]


def image_adjust() -> list[Any]:
    picture, (pot, _) = lake("dawn", 200), vase()
    size = {"target_width": 150, "target_height": 150}
    wishes = ({"mode": "pad", "fill": "#f4d9c6"}, {"mode": "crop", "cropping_position": "right"})
    panels = [run("ComfycImageAdjust", image=picture, **size, **wish)[0][0] for wish in wishes]
    margins = {"mode": "scale", "margin_top": 0.3, "margin_bottom": 0.05, "fill": "edge"}
    return [*panels, run("ComfycImageAdjust", image=pot, **size, **margins)[0][0]]


def background_recolor() -> list[Any]:
    import torch

    (pot, mask), peach = vase(), torch.tensor([0.93, 0.78, 0.66]).expand(1, 32, 32, 3)
    facts = {"image": pot, "palette": peach, "mask": mask, "edge_blur_sigma": 1.5, "shadow_threshold": 90}
    shift, replace = (run("ComfycBackgroundRecolor", **facts, strategy=one) for one in ("shift", "replace"))
    return [pot[0], shift[0][0], replace[0][0], shift[1][0]]


def video_resample() -> list[Any]:
    frames = panned()
    resampled, _ = run("ComfycVideoResample", images=frames[:8], fps_in=8.0, fps_out=4.0, width=70)
    return [strip(frames[:4]), strip(resampled)]


def video_ends() -> list[Any]:
    frames = panned()
    first, last, _ = run("ComfycVideoEnds", images=frames)
    return [strip(frames[::3]), first[0], last[0]]


def regions() -> list[Any]:
    boxes = ((95.0, 40.0, 165.0, 90.0), (190.0, 85.0, 260.0, 150.0))
    return [{"image": 0, "box": box, "score": 1.0, "label": "lake"} for box in boxes]


def region_crop() -> list[Any]:
    picture = lake("noon")
    crops, known = run("ComfycRegionCrop", image=picture, regions=regions(), size=144)
    shown = picture[0] * 0.55
    for one in known:
        x0, y0, x1, y1 = one["crop"]["box"]
        shown[y0:y1, x0:x1] = picture[0, y0:y1, x0:x1]
    return [shown, *crops]


def region_paste() -> list[Any]:
    picture = lake("noon")
    crops, known = run("ComfycRegionCrop", image=picture, regions=regions(), size=144)
    (night,) = run("ComfycColorMatch", image=crops, reference=lake("night"), method="lab")
    return [run("ComfycRegionPaste", image=picture, crops=night, regions=known, feather=size)[0][0] for size in (0, 24)]


EXAMPLES: Final[Mapping[str, Example]] = {
    "ComfycMaskFromJson": Example(
        "A polygon, an ellipse less a rectangle, and a stroke; over a picture", mask_from_json
    ),
    "ComfycPadToCanvas": Example("Anchored left on a wider canvas, filled by its edge; the mask", pad_to_canvas),
    "ComfycColorMatch": Example("A picture, a reference, matched by lab and by histogram", color_match),
    "ComfycSimilarityGate": Example("A tint passes; another picture does not, and the original comes", similarity_gate),
    "ComfycTileSplit": Example("A picture and the first row of its tiles", tile_split),
    "ComfycTileMerge": Example("Unchanged tiles merged, and tiles of different tints", tile_merge),
    "ComfycImageAdjust": Example("To a square: pad, crop from the right, scale with margins", image_adjust),
    "ComfycBackgroundRecolor": Example("Light grey to peach: before, shift, replace, and the mask", background_recolor),
    "ComfycVideoResample": Example("Four frames at 8 a second; the same second at 4, smaller", video_resample),
    "ComfycVideoEnds": Example("Frames of a video; the first and the last", video_ends),
    "ComfycRegionCrop": Example("Two regions with room around them, and their crops", region_crop),
    "ComfycRegionPaste": Example("Crops in other colours pasted back, without and with feather", region_paste),
}
