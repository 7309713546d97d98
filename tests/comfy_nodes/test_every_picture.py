"""What holds for every node that takes pictures: any batch, channel count, odd size, and half precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")

from node_pack import run, waves  # noqa: E402 - needs torch

TILE = {"tile_width": 64, "tile_height": 72, "overlap": 16}
REGION = [{"image": 0, "box": (3.0, 2.0, 20.5, 9.0), "score": 1.0, "label": "a"}]


def tiled(image: Any) -> Any:
    tiles, layout, _ = run("ComfycTileSplit", image=image, **TILE)
    return run("ComfycTileMerge", tiles=tiles, layout=layout)[0]


def region_pasted(image: Any) -> Any:
    crops, regions = run("ComfycRegionCrop", image=image, regions=REGION, size=64)
    return run("ComfycRegionPaste", image=image, crops=crops, regions=regions)[0]


WORK: Mapping[str, Callable[[Any], Any]] = {
    "pad gray": lambda image: run("ComfycPadToCanvas", image=image, width=96, height=80)[0],
    "pad edge": lambda image: run("ComfycPadToCanvas", image=image, width=64, height=64, fill="edge")[0],
    "match lab": lambda image: run("ComfycColorMatch", image=image, reference=waves(31, 20))[0],
    "match histogram": lambda image: run(
        "ComfycColorMatch", image=image, reference=waves(31, 20, 4), method="histogram", mask=waves(7, 9, 1)[..., 0]
    )[0],
    "gate": lambda image: run("ComfycSimilarityGate", original=waves(40, 30), edited=image, ssim_min=1.0)[0],
    "tiles": tiled,
    "adjust pad": lambda image: run("ComfycImageAdjust", image=image, mode="pad", aspect_ratio="1:3")[0],
    "adjust crop": lambda image: run("ComfycImageAdjust", image=image, mode="crop", target_width=33, target_height=50)[
        0
    ],
    "adjust margins": lambda image: run("ComfycImageAdjust", image=image, margin_top=0.4, margin_left=0.1, fill="edge")[
        0
    ],
    "recolor": lambda image: run("ComfycBackgroundRecolor", image=image, palette=waves(20, 20, 1))[0],
    "recolor masked": lambda image: run(
        "ComfycBackgroundRecolor",
        image=image,
        palette=waves(20, 20, 4),
        strategy="multiply",
        mask=waves(6, 5, 1, 2)[..., 0],
    )[0],
    "resample": lambda image: run("ComfycVideoResample", images=image, fps_out=50.0, width=24)[0],
    "region crop": lambda image: run("ComfycRegionCrop", image=image, regions=REGION, size=64)[0],
    "region paste": region_pasted,
}


@pytest.mark.parametrize("name", WORK)
@settings(max_examples=12, derandomize=True)
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    count=st.integers(1, 3),
    channels=st.integers(1, 4),
    kind=st.sampled_from(["float32", "float16", "bfloat16"]),
    strided=st.booleans(),
)
def test_range_type_and_channels(
    name: str, width: int, height: int, count: int, channels: int, kind: str, strided: bool
) -> None:
    image = waves(width, height, channels, count).to(getattr(torch, kind))
    if strided:
        image = image.transpose(1, 2).contiguous().transpose(1, 2)
    before = image.clone()
    made = WORK[name](image)
    assert torch.equal(image, before), "the input was changed"
    assert made.ndim == 4
    assert made.dtype == image.dtype
    assert made.isfinite().all()
    assert made.min() >= 0
    assert made.max() <= 1
    assert made.shape[-1] in (channels, {1: 3, 2: 4}.get(channels))


@pytest.mark.parametrize("name", sorted(set(WORK) - {"region crop", "resample"}))
def test_a_batch_is_its_pictures(name: str) -> None:
    """What is done to a batch is done to each picture, wherever the place does not depend on the others."""
    batch = waves(50, 40, count=2)
    both, first = WORK[name](batch), WORK[name](batch[:1])
    assert torch.allclose(both[:1], first, atol=1e-6)


@pytest.mark.parametrize("name", sorted(set(WORK) - {"region crop"}))
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_one_broken_pixel_spoils_no_more_than_its_own_place(name: str, bad: float) -> None:
    """Half precision overflows in decoders; what is measured over the picture must not."""
    image = waves(50, 40, count=2)
    image[0, 30, 5, 1] = bad
    made = WORK[name](image)
    broken = made.isfinite().logical_not()
    assert broken[0].float().mean() < 0.01
    assert not broken[1:].any()


@pytest.mark.parametrize("name", ["match lab", "match histogram", "gate", "recolor", "recolor masked"])
def test_broken_pixels_in_what_a_picture_is_measured_by(name: str) -> None:
    broken = waves(31, 20)
    broken[0, 3, 4] = float("nan")
    soft = waves(9, 7, 1)[..., 0]
    soft[0, 0, 0] = float("nan")
    image = waves(50, 40)
    other: Mapping[str, Callable[[], Any]] = {
        "match lab": lambda: run("ComfycColorMatch", image=image, reference=broken, mask=soft),
        "match histogram": lambda: run("ComfycColorMatch", image=image, reference=broken, method="histogram"),
        "gate": lambda: run("ComfycSimilarityGate", original=broken, edited=image, ssim_min=0.5),
        "recolor": lambda: run("ComfycBackgroundRecolor", image=image, palette=broken),
        "recolor masked": lambda: run("ComfycBackgroundRecolor", image=image, palette=broken, mask=soft),
    }
    made, *more = other[name]()
    assert made.isfinite().all()
    assert all(torch.as_tensor(one).isfinite().all() for one in more)


REFERENCES: Mapping[str, Callable[[Any, Any], Any]] = {
    "match": lambda image, other: run("ComfycColorMatch", image=image, reference=other),
    "gate": lambda image, other: run("ComfycSimilarityGate", original=other, edited=image),
    "recolor": lambda image, other: run("ComfycBackgroundRecolor", image=image, palette=other),
    "recolor masked": lambda image, other: run(
        "ComfycBackgroundRecolor", image=image, palette=waves(9, 9), mask=other[..., 0]
    ),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_what_lies_on_another_device_is_brought_to_the_picture(name: str) -> None:
    """With --gpu-only decoded pictures stay on the GPU and loaded ones do not. `meta` is a device that all have, and
    from which nothing can be brought: that it is tried is seen by this error."""
    with pytest.raises(NotImplementedError, match="out of meta tensor"):
        REFERENCES[name](waves(20, 20), waves(20, 20).to("meta"))
