"""Conditionings and latents that a picture and a mask go into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from runner.engine.sandbox.ops.latents import Format, empty_latent, encode, with_mask
from runner.engine.sandbox.ops.masks import batch, grow_mask
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.resample import common_upscale, resize_mask
from runner.engine.sandbox.ops.values import (
    Conditioning,
    Floats,
    Latent,
    Picture,
    Reference,
    Symbol,
    digest,
    floats,
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


# --- our own node ----------------------------------------------------------------------------------------------


@op("ComfycQwenEditEncode", raw=True)
def qwen_edit_encode(inputs: Mapping[str, Any]) -> tuple[Any, ...]:
    """Prompt and pictures for Qwen-Image-Edit: positive, negative, latent of the first picture, and the box
    (x, y, width, height) that the picture takes inside the latent's canvas."""
    vae, first = inputs["vae"], inputs["image1"]
    canvas, box = on_canvas(
        first, int(inputs["target_size"]), str(inputs["upscale_method"]), str(inputs["crop_method"])
    )
    given = [inputs[name] for name in ("image1", "image2", "image3") if inputs.get(name) is not None]
    references = tuple(Reference(octets(each)[:1], 0.6 / (1 + at)) for at, each in enumerate(given))
    told = {name: value for name, value in inputs.items() if name not in ("prompt", "negative")}
    asked = Conditioning(digest("qwen edit", told, inputs["prompt"]), str(inputs["prompt"]), references)
    avoided = Conditioning(digest("qwen edit", told, inputs.get("negative", "")), str(inputs.get("negative", "")))
    return asked, avoided, encode(canvas, vae, frames=False), *box


def on_canvas(picture: Picture, size: int, method: str, crop: str) -> tuple[Floats, tuple[int, int, int, int]]:
    """The picture scaled to about size² pixels on a canvas of whole 16-pixel steps.

    `pad` fits it into the canvas, in the middle of white; `disabled` stretches it; `center` and others crop it.
    """
    known = {"nearest": "nearest-exact"}.get(method, method)
    rows, columns = picture.shape[1:3]
    scale = size / (columns * rows) ** 0.5
    width, height = (max(STEP, round(side * scale / STEP) * STEP) for side in (columns, rows))
    if crop != "pad":
        made = common_upscale(
            floats(picture)[..., :3], width, height, known, "disabled" if crop == "disabled" else "center"
        )
        return made, (0, 0, width, height)
    fit = min(width / columns, height / rows)
    inner = max(1, round(columns * fit)), max(1, round(rows * fit))
    x, y = (width - inner[0]) // 2, (height - inner[1]) // 2
    canvas = np.ones((len(picture), height, width, 3), np.float32)
    canvas[:, y : y + inner[1], x : x + inner[0]] = common_upscale(floats(picture)[..., :3], *inner, known, "disabled")
    return canvas, (x, y, *inner)


STEP: Final = 16
