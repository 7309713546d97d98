"""Pictures on canvases, in plain torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from comfy_nodes.ops import canvas  # noqa: E402 - needs torch
from comfy_nodes.ops.fit import fit_to_area  # noqa: E402

METHODS = ("lanczos", "bicubic", "bilinear", "area", "nearest-exact")


def ramp(width: int, height: int, channels: int = 3):
    """A picture whose red grows to the right and green to the bottom: [1, H, W, C]."""
    picture = torch.full((1, height, width, channels), 0.5)
    picture[..., 0] = torch.linspace(0, 1, width)[None, None, :]
    picture[..., 1] = torch.linspace(0, 1, height)[None, :, None]
    return picture


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(7, 5), (64, 48), (31, 97), (200, 3)])
def test_resized(method: str, size: tuple[int, int]) -> None:
    made = canvas.resized(ramp(50, 40), *size, method)
    assert made.shape == (1, size[1], size[0], 3)
    assert made.min() >= 0
    assert made.max() <= 1
    assert torch.allclose(made[..., 2], torch.tensor(0.5), atol=1e-5)
    assert (made[:, :, 1:, 0] >= made[:, :, :-1, 0] - 1e-4).all(), "red no longer grows to the right"


@pytest.mark.parametrize(("method", "filter"), [("lanczos", 1), ("bilinear", 2), ("bicubic", 3)])
@pytest.mark.parametrize("size", [(23, 61), (120, 90)])
def test_resized_as_pillow_does(method: str, filter: int, size: tuple[int, int]) -> None:
    # a middle range: Pillow clips what overshoots after each of its two passes
    pixels = np.random.default_rng(5).integers(90, 166, (40, 50, 3), dtype=np.uint8)
    theirs = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling(filter)))
    ours = canvas.resized(torch.from_numpy(pixels)[None].float() / 255, *size, method)[0].numpy() * 255
    assert np.abs(ours - theirs).max() < 2.5


def naive_lanczos(source: int, target: int) -> np.ndarray:
    """[target, source]: the weights by the formula, pixel by pixel."""
    ratio = source / target
    made = np.zeros((target, source))
    for row in range(target):
        for column in range(source):
            away = (column + 0.5 - (row + 0.5) * ratio) / max(ratio, 1)
            made[row, column] = np.sinc(away) * np.sinc(away / 3) if abs(away) < 3 else 0
    return made / made.sum(1, keepdims=True)


@pytest.mark.parametrize(("source", "target"), [(50, 50), (50, 7), (7, 50), (300, 3), (1, 9), (9, 1), (64, 63)])
def test_lanczos_by_its_formula(source: int, target: int) -> None:
    picture = torch.rand(2, source, 5, 3, generator=torch.Generator().manual_seed(1)) * 0.5 + 0.25
    wanted = np.einsum("bhwc,yh->bywc", picture.numpy().astype(np.float64), naive_lanczos(source, target)).clip(0, 1)
    assert np.abs(canvas.resized(picture, 5, target, "lanczos").numpy() - wanted).max() < 1e-5
    turned = canvas.resized(picture.transpose(1, 2), target, 5, "lanczos").transpose(1, 2)
    assert np.abs(turned.numpy() - wanted).max() < 1e-5


class Largest(TorchDispatchMode):
    """The bytes of the largest tensor that is made."""

    bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.bytes = max(self.bytes, made.numel() * made.element_size())
        return made


def test_a_wide_picture_needs_no_more_than_its_size() -> None:
    with Largest() as largest:
        canvas.resized(torch.zeros(1, 16, 8192, 3), 4096, 8, "lanczos")
    assert largest.bytes <= 16 * 8192 * 3 * 4


def test_alpha_goes_to_white_and_grey_is_repeated() -> None:
    clear = torch.tensor([0.2, 0.4, 0.6, 0.0]).expand(1, 2, 2, 4)
    assert torch.equal(canvas.as_rgb(clear), torch.ones(1, 2, 2, 3))
    half = torch.tensor([0.2, 0.4, 0.6, 0.5]).expand(1, 2, 2, 4)
    assert torch.allclose(canvas.as_rgb(half)[0, 0, 0], torch.tensor([0.6, 0.7, 0.8]))
    assert torch.equal(canvas.as_rgb(torch.full((1, 2, 2, 1), 0.3)), torch.full((1, 2, 2, 3), 0.3))


@pytest.mark.parametrize("method", ["pad", "center", "random"])
@pytest.mark.parametrize("size", [(100, 75), (33, 201), (640, 16), (1, 1)])
def test_on_canvas(method: str, size: tuple[int, int]) -> None:
    fit = fit_to_area(*size, 128, 16, method, seed=1234567)
    made = canvas.on_canvas(ramp(*size).expand(2, -1, -1, -1), fit, "bilinear")
    assert made.shape == (2, fit.height, fit.width, 3)


def test_padding_repeats_the_border() -> None:
    fit = fit_to_area(100, 75, 100, 32, "pad")
    made = canvas.on_canvas(ramp(100, 75), fit, "bilinear")
    assert fit.left > 0
    assert torch.equal(made[:, :, : fit.left], made[:, :, fit.left : fit.left + 1].expand(-1, -1, fit.left, -1))
    inner = made[:, fit.top : fit.top + fit.result_height, fit.left : fit.left + fit.result_width]
    assert torch.equal(inner, canvas.resized(ramp(100, 75), fit.result_width, fit.result_height, "bilinear"))


def test_a_crop_shows_what_is_in_view() -> None:
    picture = ramp(300, 100)
    for seed in (0, 7, 123456789):
        fit = fit_to_area(300, 100, 96, 64, "random", seed)
        shown = canvas.on_canvas(picture, fit, "bilinear")
        view = canvas.in_view(picture, fit)
        for place in (0, -1):
            assert abs(shown[0, 0, place, 0] - view[0, 0, place, 0]) < 0.02
            assert abs(shown[0, place, 0, 1] - view[0, place, 0, 1]) < 0.02


def test_padding_is_not_in_view() -> None:
    picture = ramp(100, 75)
    assert torch.equal(canvas.in_view(picture, fit_to_area(100, 75, 64, 16, "pad")), picture)


@pytest.mark.parametrize(("size", "side", "expected"), [((64, 36), 384, (512, 288)), ((1920, 1080), 384, (512, 288))])
def test_at_area(size: tuple[int, int], side: int, expected: tuple[int, int]) -> None:
    made = canvas.at_area(ramp(*size), side, "bicubic")
    assert made.shape == (1, expected[1], expected[0], 3)
