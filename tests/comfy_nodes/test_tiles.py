"""Tiles: the picture comes back bit for bit, also scaled; seams are smooth."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")

from node_pack import run, waves  # noqa: E402 - needs torch

from comfy_nodes.ops.geometry import tile_layout  # noqa: E402

sides = st.integers(1, 300)
tiles_of = st.integers(8, 16).map(lambda value: value * 8)


@settings(max_examples=30, derandomize=True)
@given(sides, sides, tiles_of, tiles_of, st.integers(0, 32), st.booleans(), st.integers(1, 2))
def test_what_nothing_changed_comes_back(
    width: int, height: int, wide: int, high: int, overlap: int, half: bool, count: int
) -> None:
    image = torch.rand(count, height, width, 3, generator=torch.Generator().manual_seed(width * 301 + height))
    image = image.half() if half else image
    tiles, layout, number = run("ComfycTileSplit", image=image, tile_width=wide, tile_height=high, overlap=overlap)
    assert len(tiles) == number
    assert torch.equal(run("ComfycTileMerge", tiles=tiles, layout=layout)[0], image)


@settings(max_examples=100, derandomize=True)
@given(sides, sides, tiles_of, tiles_of, st.integers(0, 32))
def test_layouts(width: int, height: int, wide: int, high: int, overlap: int) -> None:
    layout = tile_layout(1, width, height, wide, high, overlap)
    for starts, length, asked, tile in (
        (layout["columns"], width, wide, layout["tile_width"]),
        (layout["rows"], height, high, layout["tile_height"]),
    ):
        steps = [after - before for before, after in pairwise(starts)]
        assert starts[0] == 0
        assert tile <= asked
        assert starts[-1] + tile >= length
        assert all(0 < step <= tile - overlap for step in steps)
        assert max(steps, default=0) - min(steps, default=0) <= 1, "not spread evenly"
        if len(starts) > 1:
            assert starts[-1] + tile == length
            assert (len(starts) - 1) * (tile - overlap) + overlap < length, "one tile fewer would do"
        else:
            assert tile % 8 == 0


@pytest.mark.parametrize("scale", [2, 4, 0.5, 1.5])
@pytest.mark.parametrize("size", [(200, 150), (97, 301), (40, 30)])
def test_scaled_tiles_give_a_scaled_picture(size: tuple[int, int], scale: float) -> None:
    """Beside the same scaling of the whole: a smooth picture shows no seam."""
    y, x = torch.meshgrid(torch.linspace(0, 1, size[1]), torch.linspace(0, 1, size[0]), indexing="ij")
    image = torch.stack([x, y, (x + y) / 2], -1)[None]

    def scaled(pictures):
        made = torch.nn.functional.interpolate(pictures.movedim(-1, 1), scale_factor=scale, mode="bilinear")
        return made.movedim(1, -1)

    tiles, layout, _ = run("ComfycTileSplit", image=image, tile_width=64, tile_height=64, overlap=16)
    (made,) = run("ComfycTileMerge", tiles=scaled(tiles), layout=layout)
    wanted = round(size[0] * scale + 1e-9), round(size[1] * scale + 1e-9)
    assert abs(made.shape[2] - wanted[0]) <= 1
    assert abs(made.shape[1] - wanted[1]) <= 1
    expected = scaled(image)
    height, width = (min(a, b) for a, b in zip(made.shape[1:3], expected.shape[1:3], strict=True))
    assert (made[:, :height, :width] - expected[:, :height, :width]).abs().max() < 2.5 / min(size)


@settings(max_examples=40, derandomize=True)
@given(sides, sides, st.integers(20, 150), st.integers(20, 150), st.integers(0, 4))
def test_tiles_of_any_size_leave_no_gap(width: int, height: int, wide: int, high: int, eighths: int) -> None:
    """Tiles that came back in another size, the same for all: places are rounded, and still touch one another."""
    image = torch.ones(1, height, width, 1)
    _, layout, count = run("ComfycTileSplit", image=image, tile_width=64, tile_height=64, overlap=eighths * 8)
    (made,) = run("ComfycTileMerge", tiles=torch.ones(count, high, wide, 1), layout=layout)
    assert (made == 1).all()
    assert abs(made.shape[2] - width * wide / layout["tile_width"]) <= 1
    assert abs(made.shape[1] - height * high / layout["tile_height"]) <= 1


def test_seams_are_smooth() -> None:
    """Tiles of two different greys: the change from one to the other is spread over the overlap."""
    image = torch.zeros(1, 64, 112, 3)
    tiles, layout, _ = run("ComfycTileSplit", image=image, tile_width=64, tile_height=64, overlap=16)
    tiles[1] = 1
    (made,) = run("ComfycTileMerge", tiles=tiles, layout=layout)
    row = made[0, 30, :, 0]
    assert (row[:48] == 0).all()
    assert (row[64:] == 1).all()
    steps = row.diff()
    assert (steps >= 0).all()
    assert steps.max() < 0.12


def test_order_is_row_by_row_then_picture_by_picture() -> None:
    image = waves(130, 70, count=2)
    tiles, layout, count = run("ComfycTileSplit", image=image, tile_width=64, tile_height=64, overlap=0)
    assert (count, layout["columns"], layout["rows"]) == (12, [0, 33, 66], [0, 6])
    assert torch.equal(tiles[1], image[0, :64, 33:97])
    assert torch.equal(tiles[3], image[0, 6:70, :64])
    assert torch.equal(tiles[6], image[1, :64, :64])


def test_faults() -> None:
    image = waves(130, 70)
    with pytest.raises(ValueError, match=r"overlap: 40 is more than half a tile of 64\. Give at most 32"):
        run("ComfycTileSplit", image=image, tile_width=64, tile_height=64, overlap=40)
    tiles, layout, _ = run("ComfycTileSplit", image=image, tile_width=64, tile_height=64, overlap=8)
    with pytest.raises(ValueError, match=r"tiles: there are 3, but the layout has 6\. Link all tiles"):
        run("ComfycTileMerge", tiles=tiles[:3], layout=layout)
    with pytest.raises(ValueError, match="layout: not a layout"):
        run("ComfycTileMerge", tiles=tiles, layout=[])
