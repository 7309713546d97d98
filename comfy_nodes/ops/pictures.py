"""Pictures between ComfyUI's tensors and files: IMAGE [B, H, W, C] of 0 to 1, MASK [B, H, W]."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

from ..providers.errors import BadInput, CallError
from ..providers.media import Media
from .canvas import finite

PIXELS = 120_000_000
"""Most pixels of one result: 10 000 × 12 000."""
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "AVIF", "GIF", "TIFF", "BMP")
"""What results may be, by Pillow's names: it knows many more, and hands some to other programs."""
QUALITIES = (95, 85, 75)
"""Of JPEG, tried in turn where a PNG is too large for the other side."""


def singles(*batches: Tensor | None) -> list[Tensor]:
    """Every picture [H, W, C] of the batches that are there, in order."""
    return [one for batch in batches if batch is not None for one in batch]


def to_file(picture: Tensor, most: int = 1 << 40) -> Media:
    """[H, W, C] as PNG, or as JPEG if that has too many bytes; JPEG has no alpha: it goes to white.

    Errors: BadInput if even a JPEG of quality 75 is too large.
    """
    image = _image(picture)
    data = _written(image, "PNG", compress_level=4)
    if len(data) <= most:
        return Media(data, "image/png")
    flat = _on_white(image)
    for quality in QUALITIES:
        data = _written(flat, "JPEG", quality=quality)
        if len(data) <= most:
            return Media(data, "image/jpeg")
    raise BadInput(f"image: {image.width} × {image.height} pixels do not fit into {most >> 20} MB; scale it down first")


def mask_to_file(mask: Tensor, like: Tensor | None, alpha: bool) -> Media:
    """[B, H, W] or [H, W], of which the first is taken, as PNG of the picture's size.

    White where something is to change; with `alpha`, transparent there.
    """
    plane = finite(mask.reshape(-1, *mask.shape[-2:])[:1]).float()
    if like is not None and plane.shape[1:] != like.shape[:2]:
        plane = functional.interpolate(plane[None], like.shape[:2], mode="bilinear", align_corners=False)[0]
    shades = _bytes(plane[0])
    if not alpha:
        return Media(_written(Image.fromarray(shades), "PNG"), "image/png")
    whole = np.zeros((*shades.shape, 4), np.uint8)
    whole[..., 3] = 255 - shades
    return Media(_written(Image.fromarray(whole), "PNG"), "image/png")


def batch(files: Sequence[bytes]) -> Tensor:
    """Files of pictures → [B, H, W, 3 or 4]; 4 if any of them has alpha. Smaller ones lie in the middle of black.

    Errors: CallError if one is no picture or is too large.
    """
    images = [read(data) for data in files]
    mode = "RGBA" if any(image.mode == "RGBA" for image in images) else "RGB"
    size = max(image.width for image in images), max(image.height for image in images)
    arrays = [np.asarray(_centred(image.convert(mode), size), np.float32) / 255 for image in images]
    return torch.from_numpy(np.stack(arrays))


def read(data: bytes) -> Image.Image:
    """The first frame as RGB or RGBA, upright."""
    try:
        opened = Image.open(io.BytesIO(data), formats=_formats())
        if opened.width * opened.height > PIXELS:
            raise CallError(f"a result has {opened.width} × {opened.height} pixels, which is too many")
        upright = ImageOps.exif_transpose(opened)
        has_alpha = upright.has_transparency_data
        return upright.convert("RGBA" if has_alpha else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise CallError(f"a result is no picture that can be read ({type(error).__name__})") from None


@cache
def _formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def to_array(picture: Tensor) -> Any:
    """[H, W, C] → uint8 [H, W, 3], as PIL and OpenCV libraries take it; alpha is left out."""
    shown = picture[..., :3] if picture.shape[-1] >= 3 else picture[..., :1].expand(-1, -1, 3)
    return _bytes(shown)


def _bytes(values: Tensor) -> Any:
    return (finite(values.detach()).float().cpu().clamp(0, 1) * 255).round().to(torch.uint8).contiguous().numpy()


def _image(picture: Tensor) -> Image.Image:
    if picture.shape[-1] == 4:
        return Image.fromarray(_bytes(picture))
    return Image.fromarray(to_array(picture))


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image).convert("RGB")


def _centred(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.size == size:
        return image
    canvas = Image.new(image.mode, size)
    canvas.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
    return canvas


def _written(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()
