"""Colours beside scikit-image's."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")
color = pytest.importorskip("skimage.color", reason="the group nodes-dev is not installed")

from node_pack import run, waves  # noqa: E402 - needs torch
from skimage.exposure import match_histograms  # noqa: E402

from comfy_nodes.ops import lab  # noqa: E402

seeds = st.integers(0, 2**32 - 1)


def noise(seed: int, *shape: int, low: float = 0.0, high: float = 1.0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


@settings(max_examples=20, derandomize=True)
@given(seeds)
def test_lab_and_back(seed: int) -> None:
    colours = noise(seed, 50, 3)
    colours[:3] = [[0, 0, 0], [1, 1, 1], [0.02, 0.04, 0.0404]]
    found = lab.from_rgb(torch.from_numpy(colours))
    assert np.abs(found.numpy() - color.rgb2lab(colours)).max() < 2e-3
    assert np.abs(lab.to_rgb(found).numpy() - colours).max() < 2e-4


@settings(max_examples=20, derandomize=True)
@given(seeds)
def test_lab_colours_out_of_range_are_cut(seed: int) -> None:
    wild = noise(seed, 60, 3, low=-120, high=120) * [0.4, 1, 1] + [50, 0, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that Z was negative and was cut
        expected = color.lab2rgb(wild.astype(np.float32))
    assert np.abs(lab.to_rgb(torch.from_numpy(wild.astype(np.float32))).numpy() - expected).max() < 2e-3


@settings(max_examples=10, derandomize=True)
@given(seeds)
def test_lab_moves_mean_and_spread(seed: int) -> None:
    """The reference lies well inside the range of colours, so that nothing is cut."""
    image, reference = noise(seed, 1, 30, 41, 3, low=0.3, high=0.6), noise(seed + 1, 1, 17, 23, 3, low=0.4, high=0.7)
    (made,) = run("ComfycColorMatch", image=torch.from_numpy(image), reference=torch.from_numpy(reference))
    got, wanted = color.rgb2lab(made[0].numpy()), color.rgb2lab(reference[0])
    assert np.abs(got.mean((0, 1)) - wanted.mean((0, 1))).max() < 0.05
    assert np.abs(got.std((0, 1)) - wanted.std((0, 1))).max() < 0.05


@settings(max_examples=10, derandomize=True)
@given(seeds, st.booleans())
def test_histograms_as_scikit_image(seed: int, eight_bits: bool) -> None:
    image, reference = noise(seed, 30, 41, 3), noise(seed + 1, 27, 33, 3, low=0.2, high=0.9) ** 2
    if eight_bits:
        image, reference = (np.round(one * 255) / 255 for one in (image, reference))
    pair = (torch.from_numpy(one.astype(np.float32))[None] for one in (image, reference))
    (made,) = run("ComfycColorMatch", **dict(zip(("image", "reference"), pair, strict=True)), method="histogram")
    expected = match_histograms(image, reference, channel_axis=-1)
    away = np.abs(made[0].numpy() - expected)
    assert away.mean() < 1e-4
    assert away.max() < (1e-4 if eight_bits else 0.02)  # two values of one level in 65,536 share a quantile


@pytest.mark.parametrize("method", ["lab", "histogram"])
def test_identities(method: str) -> None:
    image = waves(60, 41)
    (same,) = run("ComfycColorMatch", image=image, reference=image, method=method)
    assert torch.allclose(same, image, atol=2e-4)
    (untouched,) = run("ComfycColorMatch", image=image, reference=waves(9, 9, seed=2), method=method, strength=0.0)
    assert torch.equal(untouched, image)
    unseen = torch.cat([waves(9, 9, seed=2), torch.zeros(1, 9, 9, 1)], -1)
    (untouched,) = run("ComfycColorMatch", image=image, reference=unseen, method=method)
    assert torch.equal(untouched, image)
    nothing = torch.zeros(1, 5, 5)
    (untouched,) = run("ComfycColorMatch", image=image, reference=waves(9, 9, seed=2), method=method, mask=nothing)
    assert torch.equal(untouched, image)


@pytest.mark.parametrize("method", ["lab", "histogram"])
def test_a_mask_limits_what_is_measured_and_changed(method: str) -> None:
    """The left half is matched as if it were alone; the right one stays."""
    image, reference = waves(80, 40), waves(33, 20, seed=3) * 0.5 + 0.2
    mask = torch.zeros(1, 40, 80)
    mask[..., :40] = 1
    (made,) = run("ComfycColorMatch", image=image, reference=reference, method=method, mask=mask)
    (alone,) = run("ComfycColorMatch", image=image[:, :, :40], reference=reference, method=method)
    assert torch.allclose(made[:, :, :40], alone, atol=1e-4)
    assert torch.equal(made[:, :, 40:], image[:, :, 40:])


@pytest.mark.parametrize("method", ["lab", "histogram"])
def test_what_is_transparent_is_not_measured(method: str) -> None:
    image, reference = waves(80, 40), waves(33, 20, seed=3) * 0.5 + 0.2
    alpha = torch.zeros(1, 40, 80, 1)
    alpha[:, :, :40] = 1
    mask = torch.ones(1, 40, 80)
    for limit in (None, mask):
        (made,) = run(
            "ComfycColorMatch", image=torch.cat([image, alpha], -1), reference=reference, method=method, mask=limit
        )
        (alone,) = run("ComfycColorMatch", image=image[:, :, :40], reference=reference, method=method)
        assert torch.allclose(made[:, :, :40, :3], alone, atol=1e-4)
        assert torch.equal(made[..., 3:], alpha)


def test_a_flat_picture_is_only_moved() -> None:
    flat = torch.full((1, 20, 20, 3), 0.5)
    (made,) = run("ComfycColorMatch", image=flat, reference=waves(20, 20))
    assert made.std((1, 2)).max() < 1e-3


def test_one_reference_each() -> None:
    image, pair = waves(30, 30, count=2), torch.cat([waves(20, 20, seed=1), waves(20, 20, seed=5)])
    (made,) = run("ComfycColorMatch", image=image, reference=pair)
    for index in range(2):
        (alone,) = run("ComfycColorMatch", image=image[index : index + 1], reference=pair[index : index + 1])
        assert torch.allclose(made[index : index + 1], alone, atol=1e-6)
