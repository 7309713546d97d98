"""The heavy operations of comfyc's nodes at 2048 × 2048 beside what they replace: a library, or a plain loop.

    python benchmarks/bench_nodes.py [--side 2048] [--rounds 5] [--only ssim]

CPU time on one core, so that a busy machine measures the same: the best of the rounds, taken in turns; below 1 × ours
is faster. Needs torch, and scikit-image and SciPy for their rows, which are left out otherwise. `error` is the largest
difference of the results.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from common import ms, row
from PIL import Image, ImageDraw

Work = Callable[[], Any]
Case = tuple[str, str, Work, Work]
"""What, beside what, ours, theirs; both give arrays of one shape."""


def cases(side: int) -> Iterator[Case]:
    import torch

    dice = np.random.default_rng(1)
    smooth = np.asarray(
        Image.fromarray(dice.integers(0, 256, (side // 16, side // 16, 3), np.uint8)).resize((side, side))
    )
    picture = smooth.astype(np.float32) / 255
    other = np.clip(picture * 0.9 + 0.02 * dice.standard_normal(picture.shape), 0, 1).astype(np.float32)
    ours, theirs = (torch.from_numpy(one)[None] for one in (picture, other))
    yield from colours(picture, other, ours, theirs)
    yield from filters(picture, ours)
    yield from places(picture, ours)
    yield from masks(side)


def colours(picture: Any, other: Any, ours: Any, theirs: Any) -> Iterator[Case]:
    from comfy_nodes.ops import color_match, similarity

    if not find_spec("skimage"):
        return
    color, exposure, metrics = (import_module(f"skimage.{name}") for name in ("color", "exposure", "metrics"))

    def reinhard() -> Any:
        lab, wanted = color.rgb2lab(picture), color.rgb2lab(other)
        moved = (lab - lab.mean((0, 1))) / lab.std((0, 1)) * wanted.std((0, 1)) + wanted.mean((0, 1))
        return color.lab2rgb(moved)

    def ssim() -> Any:
        facts = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
        return np.array(metrics.structural_similarity(picture, other, channel_axis=-1, **facts))

    yield (
        "color match, lab",
        "scikit-image",
        lambda: color_match.matched(ours, theirs, "lab", 1.0, None)[0].numpy(),
        reinhard,
    )
    yield (
        "color match, histogram",
        "scikit-image",
        lambda: color_match.matched(ours, theirs, "histogram", 1.0, None)[0].numpy(),
        lambda: exposure.match_histograms(picture, other, channel_axis=-1),
    )
    yield "ssim", "scikit-image", lambda: np.array(similarity.ssim(ours, theirs)), ssim


def filters(picture: Any, ours: Any) -> Iterator[Case]:
    from comfy_nodes.ops import blur

    if not find_spec("scipy"):
        return
    ndimage = import_module("scipy.ndimage")
    grey, mask = picture[..., 0], ours[..., 0]
    for sigma in (4, 20):
        yield (
            f"gaussian blur, sigma {sigma}",
            "SciPy",
            lambda sigma=sigma: blur.gaussian(mask, sigma)[0].numpy(),
            lambda sigma=sigma: ndimage.gaussian_filter(grey, sigma, mode="nearest"),
        )
    yield (
        "grow by 10 pixels",
        "SciPy",
        lambda: blur.grown(mask, 10)[0].numpy(),
        lambda: ndimage.maximum_filter(grey, 21, mode="nearest"),
    )


def places(picture: Any, ours: Any) -> Iterator[Case]:
    from comfy_nodes.ops import frames, pad, tiles

    side = len(picture)
    tiled, layout, _ = tiles.split(ours, side // 4, side // 4, side // 32)
    parts = tiled.numpy()
    yield (
        "tile merge, 25 tiles",
        "a weighted sum",
        lambda: tiles.merge(tiled, layout)[0].numpy(),
        lambda: summed(parts, layout),
    )
    yield (
        "feathered canvas mask",
        "a loop",
        lambda: pad.to_canvas(ours, side + 512, side + 512, "center", 64, "gray")[1][0].numpy(),
        lambda: looped(side, 512, 64),
    )
    eight = (picture * 255).round().astype(np.uint8)
    half = side // 2
    yield (
        "frame at half size, bicubic",
        "Pillow",
        lambda: frames.resampled(ours, 1, 1, half, half)[0].numpy(),
        lambda: np.asarray(Image.fromarray(eight).resize((half, half), Image.Resampling.BICUBIC)) / 255,
    )


def masks(side: int) -> Iterator[Case]:
    import json

    from comfy_nodes.ops.mask_draw import drawn
    from comfy_nodes.ops.mask_json import parsed

    angles = np.arange(400) * 2 * np.pi / 400
    radius = side * (0.3 + 0.15 * np.sin(angles * 9))
    points = np.stack([side / 2 + radius * np.cos(angles), side / 2 + radius * np.sin(angles)], 1)
    text = json.dumps([{"type": "polygon", "points": points.tolist()}])
    yield (
        "mask of 400 points",
        "Pillow 4 × as large",
        lambda: drawn(parsed(text, side, side)),
        lambda: drawn_by_pillow(points, side),
    )


def summed(parts: Any, layout: Any) -> Any:
    """Tiles by the usual way: weighted sums over the whole picture, then divided."""
    high, wide = parts.shape[1:3]
    ramp_y, ramp_x = (np.minimum(np.arange(n) + 1, n - np.arange(n)).astype(np.float32) for n in (high, wide))
    weight = np.outer(ramp_y, ramp_x)[..., None]
    total = np.zeros((layout["height"], layout["width"], 3), np.float32)
    weights = np.zeros((layout["height"], layout["width"], 1), np.float32)
    places = [(y, x) for y in layout["rows"] for x in layout["columns"]]
    for part, (y, x) in zip(parts, places, strict=True):
        total[y : y + high, x : x + wide] += part * weight
        weights[y : y + high, x : x + wide] += weight
    return total / weights


def looped(side: int, more: int, feather: int) -> Any:
    """The mask pixel by pixel."""
    made = np.ones((side + more, side + more), np.float32)
    for y in range(side):
        for x in range(side):
            away = min(x, y, side - 1 - x, side - 1 - y) + 0.5
            made[more // 2 + y, more // 2 + x] = max(0.0, 1 - away / feather) ** 2
    return made


def drawn_by_pillow(points: Any, side: int) -> Any:
    large = Image.new("L", (side * 4, side * 4))
    ImageDraw.Draw(large).polygon([tuple(point) for point in points * 4], fill=255)
    return np.asarray(large.reduce(4), np.float32) / 255


def timed(work: Work) -> tuple[float, Any]:
    began = time.process_time()
    made = work()
    return time.process_time() - began, made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=2048, help="of the square picture, in pixels")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="rows whose name has this in it")
    asked = parser.parse_args()
    if not find_spec("torch"):
        print("comfyc's nodes need torch: pip install '.[nodes]' --group nodes-dev")
        return
    import_module("torch").set_num_threads(1)
    print(f"nodes at {asked.side} × {asked.side}, best of {asked.rounds}")
    row("what, beside what", "ours", "theirs", "ratio", "error")
    for what, beside, ours, theirs in cases(asked.side):
        if asked.only not in what:
            continue
        rounds = 1 if beside == "a loop" else asked.rounds
        pairs = [(timed(ours), timed(theirs)) for _ in range(rounds)]
        mine, other = min(pair[0][0] for pair in pairs), min(pair[1][0] for pair in pairs)
        apart = float(np.abs(pairs[0][0][1] - pairs[0][1][1]).max())
        row(f"{what}, {beside}", ms(mine), ms(other), f"{mine / other:.2f}×", f"{apart:.4f}")


if __name__ == "__main__":
    main()
