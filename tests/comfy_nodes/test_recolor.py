"""Backgrounds in other colours: what is light and outside of the subject, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")
color = pytest.importorskip("skimage.color", reason="the group nodes-dev is not installed")

from node_pack import run, waves  # noqa: E402 - needs torch

from comfy_nodes.ops.recolor import frequent  # noqa: E402

PEACH = torch.tensor([0.88, 0.74, 0.62])


def studio(shade: float = 0.0):
    """A subject on light grey with a soft shadow beneath it, and where the subject is."""
    image = torch.full((1, 120, 160, 3), 0.94)
    x, y = torch.arange(160)[None, :], torch.arange(120)[:, None]
    shadow = torch.exp(-(((x - 80) / 40.0) ** 2) - ((y - 95) / 9.0) ** 2)
    image = image * (1 - shade * shadow[None, ..., None])
    mask = torch.zeros(1, 120, 160)
    mask[:, 30:90, 60:100] = 1
    image[mask == 1] = torch.tensor([0.95, 0.93, 0.9])
    return image, mask


def palette(colour=PEACH):
    """A wall of that colour with something else before it."""
    made = colour.expand(1, 60, 60, 3).clone()
    made[:, 20:50, 20:40] = waves(20, 30)
    return made


@pytest.mark.parametrize("strategy", ["shift", "multiply", "replace"])
def test_the_background_gets_the_colour_and_the_subject_none(strategy: str) -> None:
    image, mask = studio()
    made, changed = run(
        "ComfycBackgroundRecolor", image=image, palette=palette(), strategy=strategy, mask=mask, edge_blur_sigma=2.0,
        mask_expansion=0.05,
    )  # fmt: skip
    assert (made[0, :10] - PEACH).abs().max() < 0.01
    assert torch.allclose(made[mask == 1], image[mask == 1], atol=1e-4)
    assert changed[mask == 1].max() < 1e-3
    assert changed[0, :10].min() > 0.999
    assert changed[0, 60, 52] == pytest.approx(0.5, abs=0.11), "half at the edge, 8 pixels out"
    assert (changed[0, 60, 44:60].diff() <= 0).all(), "the edge is soft"


def test_without_a_mask_the_subject_is_found() -> None:
    image, mask = studio()
    image[mask == 1] = torch.tensor([0.2, 0.3, 0.8])
    made, _ = run("ComfycBackgroundRecolor", image=image, palette=palette(), edge_blur_sigma=2.0)
    assert torch.equal(made[mask == 1], image[mask == 1]), "darker than the shadows"
    assert (made[0, :10] - PEACH).abs().max() < 0.01


@pytest.mark.parametrize("strategy", ["shift", "multiply"])
def test_shadows_stay(strategy: str) -> None:
    """What is as dark as the threshold does not change; between the thresholds things stay in order."""
    image, mask = studio(shade=0.7)
    made, changed = run(
        "ComfycBackgroundRecolor", image=image, palette=palette(), strategy=strategy, mask=mask, edge_blur_sigma=1.0
    )
    dark = (image.mean(-1) < 150 / 255) & (mask == 0)
    assert dark.any()
    assert torch.equal(made[dark], image[dark])
    assert (changed[dark] == 0).all()
    row = made[0, 95, 80:, 0]
    assert (row.diff() > -0.02).all(), "a dark ring around the shadow"


def test_shift_keeps_differences_in_lab() -> None:
    image, mask = studio(shade=0.05)
    made, changed = run("ComfycBackgroundRecolor", image=image, palette=palette(), mask=mask, edge_blur_sigma=1.0)
    whole = (changed[0] > 0.9999).numpy()
    before, after = (color.rgb2lab(one[0].numpy())[whole] for one in (image, made))
    moved = after - before
    assert np.abs(moved - moved.mean(0)).max() < 0.1


def test_the_subject_is_grown() -> None:
    image, mask = studio()
    facts = {"image": image, "palette": palette(), "mask": mask, "edge_blur_sigma": 0.0}
    _, tight = run("ComfycBackgroundRecolor", **facts, mask_expansion=0.0)
    _, grown = run("ComfycBackgroundRecolor", **facts, mask_expansion=0.05)
    assert int((tight == 0).sum()) == 60 * 40
    assert int((grown == 0).sum()) == (60 + 16) * (40 + 16)  # 5 % of 160 on every side


def test_the_most_frequent_colour() -> None:
    assert (frequent(palette()) - PEACH).abs().max() < 0.02
    noisy = (palette() + 0.02 * (waves(60, 60) - 0.5)).clamp(0, 1)
    assert (frequent(noisy) - PEACH).abs().max() < 0.02
    clear = torch.cat([palette(), torch.zeros(1, 60, 60, 1)], -1)
    clear[:, 20:50, 20:40, 3] = 1
    assert (frequent(clear) - PEACH).abs().max() > 0.05, "what is transparent does not count"


def test_a_picture_without_a_light_background_stays() -> None:
    image = waves(50, 40) * 0.4
    made, changed = run("ComfycBackgroundRecolor", image=image, palette=palette())
    assert torch.equal(made, image)
    assert (changed == 0).all()
