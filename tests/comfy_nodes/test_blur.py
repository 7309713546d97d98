"""Gaussian blur beside SciPy's, growing beside its maximum filter."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")
ndimage = pytest.importorskip("scipy.ndimage", reason="the group nodes-dev is not installed")

from comfy_nodes.ops import blur  # noqa: E402 - needs torch

SIZES = [(1, 1), (7, 3), (50, 33), (64, 97)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sigma", [0.3, 1.0, 5.5, 40.0])
def test_gaussian(size: tuple[int, int], sigma: float) -> None:
    mask = np.random.default_rng(1).random((2, *size)).astype(np.float32)
    made = blur.gaussian(torch.from_numpy(mask), sigma).numpy()
    expected = [ndimage.gaussian_filter(one.astype(float), sigma, mode="nearest") for one in mask]
    if min(size) > 1 or sigma > 1:
        assert np.abs(made - np.stack(expected)).max() < 2e-5
    assert made.min() >= mask.min()
    assert made.max() <= mask.max()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pixels", [0, 1, 6])
def test_grown(size: tuple[int, int], pixels: int) -> None:
    mask = np.random.default_rng(2).random((1, *size)).astype(np.float32)
    made = blur.grown(torch.from_numpy(mask), pixels)
    assert np.array_equal(made[0].numpy(), ndimage.maximum_filter(mask[0], 2 * pixels + 1, mode="nearest"))


def test_a_feathered_mask_stays_whole_at_the_border() -> None:
    mask = torch.zeros(1, 40, 40)
    mask[:, :20] = 1
    made = blur.feathered(mask, 8)
    assert (made[0, 0] > 0.999).all()
    assert made[0, 20].mean() == pytest.approx(0.5, abs=0.06)
    assert blur.feathered(mask, 0) is mask
