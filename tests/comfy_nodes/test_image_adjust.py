"""Pictures brought to sizes: pixels beside Pillow's, subjects, colours."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")

from node_pack import run, waves  # noqa: E402 - needs torch

from comfy_nodes.ops import subject  # noqa: E402
from comfy_nodes.ops.adjust import colour_of  # noqa: E402


def product(width: int = 200, height: int = 150, box: tuple[int, int, int, int] = (60, 30, 130, 120)):
    """A block on a white background that is not quite even, with a speck."""
    image = 0.97 + 0.03 * waves(width, height) - 0.01
    image[:, box[1] : box[3], box[0] : box[2]] = torch.tensor([0.2, 0.4, 0.6])
    image[:, 5, 5] = 0
    return image


def test_whole_pixels_are_only_moved() -> None:
    image = waves(101, 60)
    made, mask = run("ComfycImageAdjust", image=image, mode="crop", aspect_ratio="1:1")
    assert torch.equal(made, image[:, :, 20:80])
    assert (mask == 0).all()
    made, mask = run("ComfycImageAdjust", image=image, mode="pad", aspect_ratio="1:1", fill="#336699")
    assert torch.equal(made[:, 20:80], image)
    assert torch.allclose(made[0, 0, 0], torch.tensor([0.2, 0.4, 0.6]), atol=1e-6)
    assert mask.shape == (1, 101, 101)
    assert mask.sum() == 41 * 101
    made, mask = run("ComfycImageAdjust", image=image.transpose(1, 2), mode="pad", aspect_ratio="1:1")
    assert torch.equal(made[:, :, 20:80], image.transpose(1, 2))
    assert (mask[0].sum(0) == torch.tensor([101] * 20 + [0] * 60 + [101] * 21)).all()


@pytest.mark.parametrize(("method", "filter"), [("lanczos", 1), ("bilinear", 2), ("bicubic", 3)])
def test_scaled_as_pillow_does(method: str, filter: int) -> None:
    pixels = np.random.default_rng(5).integers(90, 166, (90, 120, 3), dtype=np.uint8)
    image = torch.from_numpy(pixels)[None].float() / 255
    made, _ = run("ComfycImageAdjust", image=image, mode="crop", target_width=40, target_height=40, resampling=method)
    expected = Image.fromarray(pixels[:, 15:105]).resize((40, 40), Image.Resampling(filter))
    assert np.abs(made[0].numpy() * 255 - np.asarray(expected)).max() < 1.6


def test_a_subject_is_found() -> None:
    found = subject.box(subject.found(product()))
    assert found == (60, 30, 130, 120)
    assert subject.box(subject.found(torch.full((1, 40, 40, 3), 0.4))) is None
    clear = torch.cat([waves(50, 40), torch.zeros(1, 40, 50, 1)], -1)
    clear[:, 10:20, 5:45, 3] = 1
    assert subject.box(subject.found(clear)) == (5, 10, 45, 20)


def test_margins_around_the_subject() -> None:
    made, mask = run(
        "ComfycImageAdjust", image=product(), mode="scale", target_width=100, target_height=100, margin_top=0.2,
        margin_bottom=0.1, fill="white",
    )  # fmt: skip
    x0, y0, x1, y1 = subject.box(subject.found(made)) or (0, 0, 0, 0)
    assert (y0, y1) == pytest.approx((20, 90), abs=1.01)
    assert (x0 + x1) / 2 == pytest.approx(50, abs=4)
    assert mask.shape == (1, 100, 100)


def test_a_reference_gives_its_margins() -> None:
    """One of another size: shares of its own sides are what counts."""
    reference = product(400, 400, (80, 40, 320, 360))
    made, _ = run(
        "ComfycImageAdjust", image=product(), mode="scale", target_width=200, target_height=200, reference=reference,
        fill="edge",
    )  # fmt: skip
    _, y0, _, y1 = subject.box(subject.found(made)) or (0, 0, 0, 0)
    assert (y0, y1) == pytest.approx((20, 180), abs=1.01)
    own, _ = run("ComfycImageAdjust", image=product(), reference=torch.full((1, 50, 50, 3), 0.5))
    assert torch.equal(own, product()), "a reference without a subject asks nothing"


def test_edge_repeats_the_border() -> None:
    image = waves(40, 20)
    made, mask = run("ComfycImageAdjust", image=image, mode="pad", aspect_ratio="1", fill="edge")
    assert torch.equal(made[:, 0], image[:, 0])
    assert torch.equal(made[:, -1], image[:, -1])
    assert mask.sum() == 20 * 40


def test_alpha_of_what_is_filled() -> None:
    image = waves(40, 20, 4)
    for fill, alpha in (("white", 1), ("#11223380", 128 / 255), ("transparent", 0)):
        made, _ = run("ComfycImageAdjust", image=image, mode="pad", aspect_ratio="1", fill=fill)
        assert float(made[0, 0, 0, 3]) == pytest.approx(alpha)


def test_colours() -> None:
    assert colour_of("#fff") == (1, 1, 1, 1)
    assert colour_of(" Teal ") == pytest.approx((0, 128 / 255, 128 / 255, 1))
    for wrong in ("", "#12", "paper", "rgb("):
        with pytest.raises(ValueError, match=r"fill: .* is no colour\. Write #rrggbb"):
            colour_of(wrong)


def test_a_small_part_of_a_large_picture_needs_no_large_copy() -> None:
    """Only what is seen is scaled: 64 × 64 of a strip 20,000 wide would else be a picture 20,000 × 64 · 312."""
    image = waves(20000, 8)
    made, _ = run("ComfycImageAdjust", image=image, mode="crop", target_width=2000, target_height=2000)
    assert made.shape == (1, 2000, 2000, 3)
