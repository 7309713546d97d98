"""Video conditionings that take first, last and control frames: Wan and its relatives."""

from __future__ import annotations

from dataclasses import replace

from runner.engine.sandbox.ops.latents import WAN, empty_latent
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.resample import common_upscale
from runner.engine.sandbox.ops.values import (
    Conditioning,
    Guide,
    Latent,
    Octets,
    Picture,
    Symbol,
    digest,
    floats,
    octets,
)

Triple = tuple[Conditioning, Conditioning, Latent]


def fitted(frames: Picture, width: int, height: int) -> Octets:
    """Frames cropped to the middle and scaled to the video's size, as the Wan nodes do it."""
    return octets(common_upscale(floats(frames)[..., :3], width, height, "bilinear", "center"))


def guided(conditioning: Conditioning, kind: str, guides: tuple[Guide, ...], *more: object) -> Conditioning:
    """The conditioning with frames to follow."""
    return replace(conditioning, digest=digest(kind, conditioning, guides, *more), guides=conditioning.guides + guides)


@op("WanImageToVideo", "WanFirstLastFrameToVideo", "WanFunInpaintToVideo", raw=True)
def wan_first_last(
    positive: Conditioning,
    negative: Conditioning,
    vae: Symbol,
    width: int,
    height: int,
    length: int,
    batch_size: int,
    start_image: Picture | None = None,
    end_image: Picture | None = None,
    clip_vision_output: Symbol | None = None,
    clip_vision_start_image: Symbol | None = None,
    clip_vision_end_image: Symbol | None = None,
) -> Triple:
    """First frames, last frames, or both; none makes a text-to-video of it."""
    latent = empty_latent(WAN, width, height, length, batch_size)
    guides: list[Guide] = []
    if start_image is not None:
        guides.append(Guide("start", fitted(start_image[:length], latent.width, latent.height)))
    if end_image is not None:
        guides.append(Guide("end", fitted(end_image[-length:], latent.width, latent.height)))
    more = (vae, clip_vision_output, clip_vision_start_image, clip_vision_end_image)
    asked, avoided = (guided(each, "first last", tuple(guides), *more) for each in (positive, negative))
    return asked, avoided, latent
