"""Conditionings and latents that a picture and a mask go into."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from runner.engine.sandbox.ops.latents import Format, empty_latent, encode, with_mask
from runner.engine.sandbox.ops.masks import batch, grow_mask
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.resample import common_upscale, resize_mask
from runner.engine.sandbox.ops.values import (
    Conditioning,
    Floats,
    Latent,
    Reference,
    Symbol,
    digest,
    octets,
)

CELL: Final = 8
Triple = tuple[Conditioning, Conditioning, Latent]


def _whole_cells(pixels: Floats, mask: Floats) -> tuple[Floats, Floats]:
    """Both cut in the middle to a multiple of 8; the mask scaled to the picture first."""
    rows, columns = pixels.shape[1:3]
    sized = resize_mask(batch(mask), columns, rows)
    height, width = rows // CELL * CELL, columns // CELL * CELL
    y, x = (rows % CELL) // 2, (columns % CELL) // 2
    return pixels[:, y : y + height, x : x + width], sized[:, y : y + height, x : x + width]


@op("InpaintModelConditioning")
def inpaint_conditioning(
    positive: Conditioning,
    negative: Conditioning,
    vae: Symbol,
    pixels: Floats,
    mask: Floats,
    noise_mask: bool = True,
) -> Triple:
    """Conditionings that know picture and mask, and the picture's latent, which keeps what the mask leaves out."""
    whole, where = _whole_cells(pixels, mask)
    latent = encode(whole, vae, frames=False)
    mark = digest("inpaint", whole, where, vae)
    asked, avoided = (replace(each, digest=digest(mark, each)) for each in (positive, negative))
    return asked, avoided, with_mask(latent, where) if noise_mask else latent


@op("VAEEncodeForInpaint")
def encode_for_inpaint(pixels: Floats, vae: Symbol, mask: Floats, grow_mask_by: int = 6) -> Latent:
    """The picture with grey where the mask is, and the mask grown."""
    whole, where = _whole_cells(pixels, mask)
    grown = np.round(where) if grow_mask_by == 0 else np.round(grow_mask(where, grow_mask_by // 2, False))
    hidden = (1 - np.round(where))[..., None]
    return with_mask(encode((whole - 0.5) * hidden + 0.5, vae, frames=False), np.clip(grown, 0, 1))


@op("InstructPixToPixConditioning")
def instruct_pix_to_pix(positive: Conditioning, negative: Conditioning, vae: Symbol, pixels: Floats) -> Triple:
    """Conditionings that know the picture, and an empty latent of its size."""
    latent = encode(pixels, vae, frames=False)
    seen = (Reference(octets(pixels), 0.6),)
    asked, avoided = (
        replace(each, digest=digest("instruct", each, latent), references=each.references + seen)
        for each in (positive, negative)
    )
    return asked, avoided, replace(latent, art=None, digest=digest("blank", latent.shape))


@op("SD_4XUpscale_Conditioning")
def upscale_4x(
    images: Floats,
    positive: Conditioning,
    negative: Conditioning,
    scale_ratio: float,
    noise_augmentation: float,
) -> Triple:
    """Conditionings that know the small picture, and an empty latent of the large one's size."""
    width = max(1, round(images.shape[2] * scale_ratio))
    height = max(1, round(images.shape[1] * scale_ratio))
    seen = (Reference(octets(common_upscale(images, width // 4, height // 4, "bilinear", "center")), 0.7),)
    asked, avoided = (
        replace(each, digest=digest("4x", each, images, noise_augmentation), references=each.references + seen)
        for each in (positive, negative)
    )
    return asked, avoided, empty_latent(Format(4, 4), width, height, 1, len(images))
