"""Masks drawn from JSON, beside Pillow's drawing of the same shapes 16 times as large, and its faults as a table."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw

from comfy_nodes.ops.mask_draw import drawn
from comfy_nodes.ops.mask_json import parsed
from comfy_nodes.ops.shapes import Coverage

FAULTS = yaml.safe_load((Path(__file__).parent / "mask_json_faults.yaml").read_text())
TIMES = 16
coordinates = st.integers(-320, 1200).map(lambda value: value / TIMES)
"""On the fine raster, so that Pillow draws the same shape."""
rings = st.lists(st.lists(coordinates, min_size=2, max_size=2), min_size=3, max_size=9)


def draw(shapes: Any, width: int = 61, height: int = 47, **facts: Any) -> Coverage:
    return drawn(parsed(json.dumps({"shapes": shapes, **facts}), width, height))


def fine(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.new("1", (width * TIMES, height * TIMES))
    return picture, ImageDraw.Draw(picture)


def coarse(picture: Image.Image) -> Coverage:
    """The share of each pixel that is set."""
    values = np.asarray(picture, np.float32)
    return values.reshape(picture.height // TIMES, TIMES, picture.width // TIMES, TIMES).mean((1, 3))


@settings(max_examples=60, deadline=None)
@given(st.lists(rings, min_size=1, max_size=3))
def test_polygons_by_the_even_odd_rule(given: list[list[list[float]]]) -> None:
    whole, _ = fine(61, 47)
    for ring in given:
        one, pen = fine(61, 47)
        pen.polygon([(x * TIMES, y * TIMES) for x, y in ring], fill=1)
        whole = ImageChops.logical_xor(whole, one)
    away = np.abs(draw([{"type": "polygon", "rings": given}]) - coarse(whole))
    edges = sum(math.dist(a, b) for ring in given for a, b in zip(ring, [*ring[1:], ring[0]], strict=True))
    # Pillow also sets what an outline touches: about half a fine pixel on each side of it
    assert away.sum() < 1 + edges / TIMES


@settings(max_examples=40, deadline=None)
@given(rings)
def test_areas_of_polygons(ring: list[list[float]]) -> None:
    """By the shoelace formula, for triangles, which cannot cross themselves."""
    points = [[min(max(x, 0), 61), min(max(y, 0), 47)] for x, y in ring[:3]]
    (a, b), (c, d), (e, f) = points
    area = abs((c - a) * (f - b) - (e - a) * (d - b)) / 2
    assert draw([{"type": "polygon", "points": points}]).sum() == pytest.approx(area, abs=0.2)


def test_a_ring_inside_a_ring_is_a_hole() -> None:
    outer, inner = [[5, 5], [55, 5], [55, 40], [5, 40]], [[20, 15], [40, 15], [40, 30], [20, 30]]
    mask = draw([{"type": "polygon", "rings": [outer, inner]}])
    assert mask[10, 10] == 1
    assert mask[20, 30] == 0
    assert mask.sum() == 50 * 35 - 20 * 15


@settings(max_examples=40, deadline=None)
@given(coordinates, coordinates, st.floats(0.1, 60), st.floats(0.1, 60))
def test_rectangles_are_exact(x: float, y: float, width: float, height: float) -> None:
    mask = draw([{"type": "rectangle", "x": x, "y": y, "width": width, "height": height}])
    across = max(0, min(x + width, 61) - max(x, 0))
    down = max(0, min(y + height, 47) - max(y, 0))
    assert mask.sum() == pytest.approx(across * down, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(("rx", "ry"), [(0.5, 0.5), (3, 20), (22.5, 11.25), (29, 22)])
def test_ellipses(rx: float, ry: float) -> None:
    mask = draw([{"type": "ellipse", "x": 30.5, "y": 23.5, "rx": rx, "ry": ry}])
    y, x = np.mgrid[0 : 47 * TIMES, 0 : 61 * TIMES]
    inside = (((x + 0.5) / TIMES - 30.5) / rx) ** 2 + (((y + 0.5) / TIMES - 23.5) / ry) ** 2 <= 1
    expected = inside.reshape(47, TIMES, 61, TIMES).mean((1, 3))
    assert np.abs(mask - expected).max() < 0.07
    assert mask.sum() == pytest.approx(math.pi * rx * ry, rel=0.01)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=5), st.floats(2, 30))
def test_strokes_have_round_ends_and_joints(points: list[tuple[float, float]], width: float) -> None:
    """Beside the distance to the line, measured at 8 × 8 places in each pixel."""
    mask = draw([{"type": "stroke", "points": [list(point) for point in points], "width": width}])
    at = (np.arange(61 * 8) + 0.5) / 8, (np.arange(47 * 8) + 0.5) / 8
    away = np.full((47 * 8, 61 * 8), np.inf)
    for (ax, ay), (bx, by) in zip(points, points[1:] or points, strict=len(points) == 1):
        x, y = at[0][None, :] - ax, at[1][:, None] - ay
        dx, dy = bx - ax, by - ay
        along = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
        away = np.minimum(away, np.hypot(x - along * dx, y - along * dy))
    expected = (away <= width / 2).reshape(47, 8, 61, 8).mean((1, 3))
    assert np.abs(mask - expected).max() < 0.5  # where two pieces meet inside a pixel
    assert np.abs(mask - expected).mean() < 0.01


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_run_lengths_come_back(width: int, height: int, seed: int) -> None:
    bitmap = np.random.default_rng(seed).integers(0, 2, (height, width), dtype=np.uint8)
    mask = draw([{"type": "rle", "counts": run_lengths(bitmap), "size": [height, width]}], width, height)
    assert np.array_equal(mask, bitmap)


def run_lengths(bitmap: np.ndarray[Any, Any]) -> list[int]:
    """As COCO's: column by column, beginning with zeros."""
    counts, last = [0], 0
    for value in bitmap.flatten(order="F").tolist():
        if value != last:
            counts.append(0)
            last = value
        counts[-1] += 1
    return counts


def test_run_lengths_of_another_size_are_scaled() -> None:
    mask = draw([{"type": "rle", "counts": [0, 8, 8], "size": [4, 4]}], 40, 20)
    assert mask.shape == (20, 40)
    assert (mask[:, :14] == 1).all()
    assert (mask[:, 26:] == 0).all()


def test_shapes_are_added_and_subtracted_in_order() -> None:
    wide = {"type": "rectangle", "x": 10, "y": 10, "width": 30, "height": 20}
    hole = {"type": "rectangle", "x": 20, "y": 15, "width": 10, "height": 10, "op": "subtract"}
    dot = {"type": "ellipse", "x": 25, "y": 20, "rx": 2, "ry": 2}
    mask = draw([wide, hole, dot])
    assert (mask[12, 12], mask[16, 21], mask[19, 24]) == (1, 0, 1)
    assert np.array_equal(1 - mask, draw([wide, hole, dot], invert=True))


def test_the_same_in_fractions_and_for_another_size() -> None:
    pixels = {"type": "ellipse", "x": 30, "y": 20, "rx": 12, "ry": 8}
    fraction = {"type": "ellipse", "x": 0.5, "y": 0.5, "rx": 0.2, "ry": 0.2}
    expected = draw([pixels], 60, 40)
    assert np.allclose(draw([fraction], 60, 40, units="fraction"), expected, atol=1e-6)
    double = {key: value * 2 if isinstance(value, int) else value for key, value in pixels.items()}
    assert np.allclose(draw([double], 60, 40, size=[120, 80]), expected, atol=1e-6)
    stroke = {"type": "stroke", "points": [[0.2, 0.5], [0.8, 0.5]], "width": 0.1}
    assert draw([stroke], 200, 100, units="fraction").max(1).sum() == pytest.approx(10, abs=0.1)


def test_a_list_is_its_shapes() -> None:
    text = '[{"type": "rectangle", "x": 1, "y": 1, "width": 2, "height": 2}]'
    assert drawn(parsed(text, 4, 4)).sum() == 4
    assert drawn(parsed("[]", 4, 4)).sum() == 0


def test_strips_fit_together() -> None:
    """A mask of several strips is the same as its parts."""
    shapes = [
        {"type": "ellipse", "x": 2500, "y": 900, "rx": 2400, "ry": 800},
        {"type": "stroke", "points": [[0, 0], [4999, 1799]], "width": 40, "op": "subtract"},
    ]
    mask = draw(shapes, 5000, 1800)
    for top in (0, 415, 1300):
        moved = [
            {**shapes[0], "y": 900 - top},
            {**shapes[1], "points": [[x, y - top] for x, y in shapes[1]["points"]]},
        ]
        assert np.allclose(draw(moved, 5000, 200), mask[top : top + 200], atol=2e-3)


@pytest.mark.parametrize("name", FAULTS)
def test_faults_say_where_what_and_what_to_write(name: str) -> None:
    case = FAULTS[name]
    text = case["text"] if "text" in case else json.dumps(case["json"])
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - its whole text is compared
        parsed(text * case.get("times", 1), 64, 64)
    assert str(raised.value).startswith("mask_json: " + case["says"])
    assert str(raised.value).count(". ") >= 1, "no cure"


def test_too_much_work_is_refused() -> None:
    shapes = [{"type": "rectangle", "x": 0, "y": 0, "width": 16000, "height": 16000}] * 5
    with pytest.raises(ValueError, match="too much work"):
        draw(shapes, 16000, 16000)
