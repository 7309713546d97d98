"""Pictures between tensors and files."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")

from comfy_nodes.ops import pictures  # noqa: E402 - needs torch
from comfy_nodes.providers.errors import BadInput, CallError  # noqa: E402


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def noise(height: int, width: int, channels: int):
    return torch.rand(height, width, channels, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize(("channels", "mode"), [(1, "RGB"), (3, "RGB"), (4, "RGBA")])
def test_png_keeps_every_value(channels: int, mode: str) -> None:
    shades = torch.arange(256).reshape(16, 16, 1).expand(-1, -1, channels) / 255
    made = pictures.to_file(shades)
    assert made.mime == "image/png"
    assert opened(made.data).mode == mode
    assert torch.equal(pictures.batch([made.data])[0, ..., 0], shades[..., 0])


def test_values_outside_are_clipped() -> None:
    made = opened(pictures.to_file(torch.tensor([[[-1.0, 0.5, 2.0]]])).data)
    assert made.getpixel((0, 0)) == (0, 128, 255)


def test_a_png_that_is_too_large_becomes_jpeg_on_white() -> None:
    picture = noise(200, 300, 4)
    picture[..., 3] = 0
    whole = pictures.to_file(picture)
    made = pictures.to_file(picture, len(whole.data) - 1)
    assert made.mime == "image/jpeg"
    assert len(made.data) < len(whole.data)
    assert np.asarray(opened(made.data)).min() > 250


def test_what_fits_nowhere_is_refused() -> None:
    with pytest.raises(BadInput, match="200 pixels do not fit"):
        pictures.to_file(noise(200, 200, 3), 100)


def test_masks() -> None:
    mask = torch.tensor([[[1.0, 0.0], [0.5, 0.0]]])
    white = opened(pictures.mask_to_file(mask, None, alpha=False).data)
    assert (white.mode, np.asarray(white).tolist()) == ("L", [[255, 0], [128, 0]])
    clear = opened(pictures.mask_to_file(mask, None, alpha=True).data)
    assert clear.mode == "RGBA"
    assert np.asarray(clear)[..., 3].tolist() == [[0, 255], [127, 255]], "not transparent where it changes"
    fitted = opened(pictures.mask_to_file(mask, torch.zeros(6, 8, 3), alpha=False).data)
    assert fitted.size == (8, 6)


def test_a_batch_has_alpha_if_one_has() -> None:
    files = [pictures.to_file(noise(2, 3, channels)).data for channels in (3, 4)]
    made = pictures.batch(files)
    assert made.shape == (2, 2, 3, 4)
    assert (made[0, ..., 3] == 1).all()
    assert pictures.batch(files[:1]).shape == (1, 2, 3, 3)


def test_smaller_pictures_lie_in_the_middle() -> None:
    made = pictures.batch([pictures.to_file(torch.ones(height, width, 3)).data for height, width in ((4, 6), (2, 2))])
    assert made.shape == (2, 4, 6, 3)
    assert made[1].sum() == 2 * 2 * 3
    assert (made[1, 1:3, 2:4] == 1).all()


def test_pictures_come_upright_and_in_rgb() -> None:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("CMYK", (4, 2)).save(buffer, "JPEG", exif=exif)
    assert pictures.batch([buffer.getvalue()]).shape == (1, 4, 2, 3)


def test_a_palette_with_transparency() -> None:
    buffer = io.BytesIO()
    made = Image.new("P", (2, 1))
    made.putpalette([255, 0, 0, 0, 255, 0])
    made.putdata([0, 1])
    made.save(buffer, "PNG", transparency=0)
    assert pictures.batch([buffer.getvalue()])[0, 0].tolist() == [[1, 0, 0, 0], [0, 1, 0, 1]]


@pytest.mark.parametrize("data", [b"", b"<html>", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture(data: bytes) -> None:
    with pytest.raises(CallError, match="no picture that can be read"):
        pictures.batch([data])


def test_only_formats_of_pictures_are_opened() -> None:
    """Pillow knows many more, and hands some to other programs: PostScript to Ghostscript."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "EPS")
    for data in (buffer.getvalue(), b"P6 1 1 255 abc"):
        with pytest.raises(CallError, match=r"no picture that can be read \(UnidentifiedImageError\)"):
            pictures.read(data)


def test_too_many_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "PIXELS", 5)
    with pytest.raises(CallError, match=r"\[comfyc:provider\] a result has 3 × 2 pixels, which is too many"):
        pictures.batch([pictures.to_file(noise(2, 3, 3)).data])


def test_single_pictures_of_batches_in_order() -> None:
    first, second = torch.zeros(2, 3, 4, 3), torch.ones(1, 5, 6, 3)
    assert [tuple(one.shape) for one in pictures.singles(first, None, second)] == [(3, 4, 3), (3, 4, 3), (5, 6, 3)]
