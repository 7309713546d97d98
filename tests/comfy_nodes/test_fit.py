"""The node places pictures by the same numbers as the compiler does, which crops the result by them."""

from __future__ import annotations

import dataclasses
import random

import pytest

from comfy_nodes.ops.fit import area_size, fit_to_area
from compiler import sizes

METHODS = ("pad", "center", "random")


@pytest.mark.parametrize("method", METHODS)
def test_same_numbers_as_the_compiler(method: str) -> None:
    draw = random.Random(method)
    for _ in range(2000):
        size = draw.randint(1, 5000), draw.randint(1, 5000)
        side, multiple, seed = draw.randint(64, 4096), draw.choice((1, 8, 16, 32)), draw.getrandbits(64)
        ours = fit_to_area(*size, side, multiple, method, seed)
        theirs = sizes.fit_to_area(*size, side, multiple, method, seed)
        assert dataclasses.asdict(ours) == theirs.facts(), (size, side, multiple, method, seed)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(640, 480), (33, 1001), (1, 1), (4096, 300)])
def test_the_canvas_is_filled(method: str, size: tuple[int, int]) -> None:
    fit = fit_to_area(*size, 512, 16, method, seed=99)
    assert fit.width % 16 == fit.height % 16 == 0
    assert fit.left + fit.scaled_width + fit.right >= fit.x + fit.width
    assert fit.top + fit.scaled_height + fit.bottom >= fit.y + fit.height
    assert fit.left + fit.result_width <= fit.width
    assert fit.top + fit.result_height <= fit.height


def test_seeds_spread_a_random_crop() -> None:
    places = {(fit.x, fit.y) for fit in (fit_to_area(1000, 333, 512, 64, "random", seed) for seed in range(64))}
    assert len(places) > 16


def test_area_size_keeps_the_aspect_ratio() -> None:
    assert area_size(1920, 1080, 384) == (512, 288)
    assert area_size(10, 10000, 56) == (2, 1771)
