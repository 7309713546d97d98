"""Structural similarity beside scikit-image's, and the choice by it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")
metrics = pytest.importorskip("skimage.metrics", reason="the group nodes-dev is not installed")

from node_pack import run, waves  # noqa: E402 - needs torch

from comfy_nodes.ops.similarity import ssim  # noqa: E402


@settings(max_examples=15, derandomize=True)
@given(st.integers(11, 70), st.integers(11, 600), st.floats(0, 0.5), st.integers(0, 2**32 - 1))
def test_as_scikit_image(width: int, height: int, amount: float, seed: int) -> None:
    image = waves(width, height)
    dirt = torch.from_numpy(np.random.default_rng(seed).normal(0, amount, image.shape).astype(np.float32))
    edited = (image + dirt).clamp(0, 1)
    expected = metrics.structural_similarity(
        image[0].double().numpy(),
        edited[0].double().numpy(),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        channel_axis=-1,
    )
    assert ssim(image, edited) == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (10, 3), (11, 11)])
def test_small_pictures(size: tuple[int, int]) -> None:
    image = waves(*size)
    assert ssim(image, image) == pytest.approx(1, abs=1e-5)
    assert ssim(image, 1 - image) < 0.999


def test_each_picture_is_judged_on_its_own() -> None:
    original = waves(40, 30, count=3)
    edited = original.clone()
    edited[1] = 1 - edited[1]
    image, found = run("ComfycSimilarityGate", original=original, edited=edited, ssim_min=0.9)
    assert torch.allclose(image, original, atol=1e-6)
    assert found < 0.2
    image, _ = run("ComfycSimilarityGate", original=original, edited=edited, ssim_min=0.0)
    assert torch.equal(image, edited)


def test_an_original_comes_back_in_the_size_of_the_edit() -> None:
    original, edited = waves(40, 30, 4), 1 - waves(80, 60, 3)
    image, found = run("ComfycSimilarityGate", original=original, edited=edited)
    assert image.shape == edited.shape
    assert found < 0.9
    image, found = run("ComfycSimilarityGate", original=waves(40, 30), edited=waves(80, 60))
    assert torch.equal(image, waves(80, 60)), f"an upscaled picture is still similar: {found}"
