"""Regions: places of crops, and crops that come back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_nodes.ops.geometry import crop_places
from comfy_nodes.ops.regions import checked, region

torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")

from node_pack import run, waves  # noqa: E402 - needs torch

spans = st.tuples(st.floats(-20, 180), st.floats(1, 120)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@settings(max_examples=100, derandomize=True)
@given(st.lists(st.tuples(spans, spans), min_size=1, max_size=4), st.floats(0, 2), st.sampled_from([64, 256, 1024]))
def test_places_hold_their_boxes(pairs: list, expand: float, size: int) -> None:
    boxes = [(x[0], y[0], x[1], y[1]) for x, y in pairs]
    (wide, high), places = crop_places(boxes, expand, size, 200, 160)
    assert max(wide, high) == size
    assert wide % 8 == high % 8 == 0
    for (x0, y0, x1, y1), place in zip(boxes, places, strict=True):
        across, down = place[2] - place[0], place[3] - place[1]
        assert across >= round((x1 - x0) * (1 + 2 * expand)) - 1
        assert down >= round((y1 - y0) * (1 + 2 * expand)) - 1
        assert abs(across / wide - down / high) <= 1 / min(wide, high) + 1e-9, "a crop is stretched"
        for low, high_end, limit in ((place[0], place[2], 200), (place[1], place[3], 160)):
            assert (low >= 0 and high_end <= limit) or (low <= 0 and high_end >= limit)


def test_one_region_keeps_its_shape() -> None:
    (wide, high), (place,) = crop_places([(50, 40, 90, 120)], 0.25, 512, 400, 300)
    assert (wide, high) == (256, 512)
    assert place == (40, 20, 100, 140)


def test_regions_are_checked() -> None:
    with pytest.raises(ValueError, match=r"regions: the box \[3, 3, 3, 9\] is empty\. Give x0"):
        region(0, [3, 3, 3, 9])
    with pytest.raises(ValueError, match="is empty"):
        region(0, (0, 0, math.nan, 4))
    with pytest.raises(ValueError, match="regions: region 1 is in picture 2, but there are 2"):
        checked([region(0, (0, 0, 1, 1)), region(2, (0, 0, 1, 1))], 2)
    for wrong in (None, {"image": 0}, [3], "face"):
        with pytest.raises(ValueError, match="not a list of regions"):
            checked(wrong, 1)


@pytest.mark.parametrize("feather", [0, 8])
def test_crops_come_back(feather: int) -> None:
    """Cropped at its own size, a region is put back without a trace."""
    image = waves(120, 90, count=2)
    regions = [region(0, (20, 10, 84, 74)), region(1, (40, 20, 104, 84))]
    crops, known = run("ComfycRegionCrop", image=image, regions=regions, expand=0.0, size=64)
    assert torch.equal(crops[0], image[0, 10:74, 20:84])
    (made,) = run("ComfycRegionPaste", image=image, crops=crops, regions=known, feather=feather)
    assert torch.allclose(made, image, atol=1e-6)


def test_edges_are_soft_save_at_the_pictures_own() -> None:
    image = torch.zeros(1, 90, 120, 3)
    _, known = run("ComfycRegionCrop", image=image, regions=[region(0, (0, 10, 64, 74))], expand=0.0, size=64)
    (made,) = run("ComfycRegionPaste", image=image, crops=torch.ones(1, 64, 64, 3), regions=known, feather=16)
    row, column = made[0, 42, :, 0], made[0, :, 30, 0]
    assert (row[:48] == 1).all()
    assert (row[64:] == 0).all()
    assert (row[48:64].diff() < 0).all()
    assert 0 < column[10] < 0.05
    assert (column[26:58] == 1).all()
    assert image.sum() == 0
    _, known = run("ComfycRegionCrop", image=image, regions=[region(0, (56, 26, 120, 90))], expand=0.0, size=64)
    _, upper = run("ComfycRegionCrop", image=image, regions=[region(0, (30, 0, 94, 64))], expand=0.0, size=64)
    (lower,), (made,) = (
        run("ComfycRegionPaste", image=image, crops=torch.ones(1, 64, 64, 3), regions=one, feather=16)[0]
        for one in (known, upper)
    )
    assert (lower[-1, 80:, 0] == 1).all()
    assert (lower[50:, -1, 0] == 1).all()
    assert lower[26, 100, 0] < 0.05
    assert (made[0, 50:74, 0] == 1).all()
    assert made[63, 60, 0] < 0.05


def test_a_crop_that_was_worked_on_at_another_size_covers_its_place() -> None:
    image = waves(120, 90)
    crops, known = run("ComfycRegionCrop", image=image, regions=[region(0, (30, 20, 60, 50))], expand=0.5, size=128)
    larger = torch.nn.functional.interpolate(crops.movedim(-1, 1), scale_factor=2, mode="bicubic").movedim(1, -1)
    (made,) = run("ComfycRegionPaste", image=image, crops=larger.clamp(0, 1), regions=known)
    assert (made - image).abs().mean() < 0.01


def test_a_base_of_another_size() -> None:
    image, double = torch.zeros(1, 60, 80, 3), torch.zeros(1, 120, 160, 3)
    crops, known = run("ComfycRegionCrop", image=image, regions=[region(0, (10, 10, 40, 40))], expand=0.0, size=64)
    (made,) = run("ComfycRegionPaste", image=double, crops=crops + 1, regions=known, feather=0)
    assert int((made[0, :, :, 0] > 0).sum()) == 60 * 60
    assert made[0, 20:80, 20:80].min() > 0.999


def test_a_region_larger_than_the_picture_repeats_its_border() -> None:
    image = waves(40, 60)
    crops, known = run("ComfycRegionCrop", image=image, regions=[region(0, (5, 5, 35, 55))], expand=1.0, size=160)
    assert known[0]["crop"] == {"box": (-25, -45, 65, 105), "of": (40, 60)}
    assert crops.shape == (1, 160, 96, 3)
    (made,) = run("ComfycRegionPaste", image=image, crops=crops, regions=known)
    assert (made - image).abs().mean() < 0.02


def test_without_regions_a_graph_goes_on() -> None:
    image = waves(120, 90, count=2)
    crops, known = run("ComfycRegionCrop", image=image, regions=[], size=64)
    assert (tuple(crops.shape), known) == ((1, 48, 64, 3), [])
    (made,) = run("ComfycRegionPaste", image=image, crops=1 - crops, regions=known)
    assert torch.equal(made, image)


def test_transparent_crops_and_bases() -> None:
    image = waves(60, 60, 4)
    crops, known = run("ComfycRegionCrop", image=image, regions=[region(0, (10, 10, 42, 42))], expand=0.0, size=64)
    clear = torch.cat([torch.ones_like(crops[..., :3]), torch.zeros_like(crops[..., :1])], -1)
    (made,) = run("ComfycRegionPaste", image=image, crops=clear, regions=known)
    assert torch.equal(made, image)
    (made,) = run("ComfycRegionPaste", image=image, crops=torch.ones(1, 64, 64, 3), regions=known, feather=0)
    assert (made[0, 10:42, 10:42, :3] == 1).all()
    assert torch.equal(made[..., 3], image[..., 3])


def test_faults_of_pasting() -> None:
    image = waves(60, 60)
    crops, known = run("ComfycRegionCrop", image=image, regions=[region(0, (10, 10, 42, 42))] * 2, size=64)
    with pytest.raises(ValueError, match=r"crops: there are 1 for 2 regions\. Link all crops"):
        run("ComfycRegionPaste", image=image, crops=crops[:1], regions=known)
    with pytest.raises(ValueError, match=r"regions: they were not cropped\. Link the regions of Region crop"):
        run("ComfycRegionPaste", image=image, crops=crops, regions=[region(0, (1, 1, 2, 2))])
