"""What becomes of a subject's mask, against SciPy and OpenCV where they are installed."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")

from comfy_nodes.ops import cutout  # noqa: E402 - needs torch


@pytest.fixture
def mask():
    """Blobs that touch the border, with soft edges."""
    noise = torch.rand(2, 1, 7, 9, generator=torch.Generator().manual_seed(3))
    return torch.nn.functional.interpolate(noise, (53, 71), mode="bicubic")[:, 0].clamp(0, 1)


def test_the_defaults_change_nothing(mask) -> None:
    assert torch.allclose(cutout.refined(mask, 0.5, 0, 0, False), mask)


def test_sensitivity_keeps_what_is_sure(mask) -> None:
    more, less = (cutout.refined(mask, value, 0, 0, False) for value in (1.0, 0.0))
    assert torch.allclose(more, mask.sqrt(), atol=1e-6)
    assert torch.allclose(less, mask**2, atol=1e-6)
    for made in (more, less):
        assert torch.equal(made[mask == 0], mask[mask == 0])
        assert torch.equal(made[mask == 1], mask[mask == 1])


@pytest.mark.parametrize("offset", [1, 4, 30, -1, -4, -30])
def test_offset_is_scipys_largest_and_smallest_value_around(mask, offset: int) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    change = ndimage.maximum_filter if offset > 0 else ndimage.minimum_filter
    theirs = [torch.from_numpy(change(one.numpy(), 2 * abs(offset) + 1, mode="nearest")) for one in mask]
    assert torch.allclose(cutout.refined(mask, 0.5, offset, 0, False), torch.stack(theirs), atol=1e-6)


@pytest.mark.parametrize("offset", [1, 4, 30, -1, -4, -30])
def test_offset_is_opencvs_dilation_and_erosion(mask, offset: int) -> None:
    cv2 = pytest.importorskip("cv2")
    import numpy as np

    kernel = np.ones((2 * abs(offset) + 1,) * 2, np.uint8)
    change = cv2.dilate if offset > 0 else cv2.erode
    theirs = torch.stack([torch.from_numpy(change(one.numpy(), kernel)) for one in mask])
    assert torch.allclose(cutout.refined(mask, 0.5, offset, 0, False), theirs, atol=1e-6)


@pytest.mark.parametrize("blur", [1, 3, 20])
def test_blur_is_scipys_gaussian(mask, blur: int) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    theirs = torch.stack([torch.from_numpy(ndimage.gaussian_filter(one.numpy(), blur, mode="nearest")) for one in mask])
    assert torch.allclose(cutout.refined(mask, 0.5, 0, blur, False), theirs, atol=1e-4)


def test_inversion_comes_last(mask) -> None:
    kept, inverted = (cutout.refined(mask, 0.7, 3, 2, invert) for invert in (False, True))
    assert torch.allclose(kept + inverted, torch.ones_like(kept))


@pytest.mark.parametrize("background", [*cutout.COLOURS])
def test_a_colour_takes_the_place(background: str) -> None:
    picture = torch.tensor([0.2, 0.4, 0.6]).expand(1, 1, 3, 3)
    made = cutout.on_background(picture, torch.tensor([[[1.0, 0.5, 0.0]]]), background)
    colour = torch.tensor(cutout.COLOURS[background])
    assert made.shape == (1, 1, 3, 3)
    assert torch.allclose(made[0, 0, 0], picture[0, 0, 0])
    assert torch.allclose(made[0, 0, 1], (picture[0, 0, 0] + colour) / 2)
    assert torch.allclose(made[0, 0, 2], colour)


def test_alpha_is_the_mask_and_what_was_hidden_stays_hidden() -> None:
    mask = torch.tensor([[[1.0, 0.5]]])
    rgb = torch.full((1, 1, 2, 3), 0.3)
    assert torch.equal(cutout.on_background(rgb, mask, "Alpha")[..., 3], mask)
    rgba = torch.cat([rgb, torch.full((1, 1, 2, 1), 0.5)], -1)
    assert torch.allclose(cutout.on_background(rgba, mask, "Alpha")[..., 3], mask / 2)
    assert cutout.on_background(rgb[..., :1], mask, "white").shape == (1, 1, 2, 3)
