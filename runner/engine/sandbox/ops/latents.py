"""Empty latents and the way between pictures and latents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from runner.engine.sandbox.ops.paint import decode
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.values import Floats, Latent, Octets, Picture, Symbol, changed, digest, octets


@dataclass(frozen=True)
class Format:
    """The latent of a model family: its channels and what a cell stands for."""

    channels: int
    space: int
    time: int = 1
    video: bool = False


SD: Final = Format(4, 8)
SD3: Final = Format(16, 8)
WAN: Final = Format(16, 8, 4, video=True)
WAN22: Final = Format(48, 16, 4, video=True)
LTXV: Final = Format(128, 32, 8, video=True)
HUNYUAN15: Final = Format(32, 16, 4, video=True)

EMPTY: Final[Mapping[str, Format]] = {
    "EmptyLatentImage": SD,
    "EmptySD3LatentImage": SD3,
    "EmptyFlux2LatentImage": Format(128, 16),
    "EmptyHunyuanImageLatent": Format(64, 32),
    "EmptyChromaRadianceLatentImage": Format(3, 1),
    "EmptyHunyuanLatentVideo": WAN,
    "EmptyHunyuanVideo15Latent": HUNYUAN15,
    "EmptyLTXVLatentVideo": LTXV,
    "EmptyCosmosLatentVideo": Format(16, 8, 8, video=True),
    "EmptyMochiLatentVideo": Format(12, 8, 6, video=True),
}

VAES: Final = (
    ("wan2.2_vae", WAN22),
    ("wan", WAN),
    ("qwen_image", WAN),
    ("ltx", LTXV),
    ("hunyuan_video", WAN),
    ("hunyuanvideo", WAN),
    ("cosmos", Format(16, 8, 8, video=True)),
    ("mochi", Format(12, 8, 6, video=True)),
    ("flux2", Format(128, 16)),
    ("ae.", SD3),
    ("sd3", SD3),
    ("pixel_space", Format(3, 1)),
)
"""Part of a VAE's file name → its latent. The first that fits; SD where none does."""


def empty_latent(form: Format, width: int, height: int, length: int = 1, batch: int = 1) -> Latent:
    """A latent of zeros. Sizes are cut to whole cells, the length to 1 + a multiple of the frames for each cell."""
    width, height = width // form.space * form.space, height // form.space * form.space
    frames = (length - 1) // form.time + 1 if form.video else 1
    mark = digest("empty", form, width, height, frames, batch)
    return Latent(mark, width, height, batch, frames, form.channels, form.space, form.time, form.video)


def _register_empty(kind: str, form: Format) -> None:
    @op(kind)
    def make(width: int, height: int, length: int = 1, batch_size: int = 1) -> Latent:  # pyright: ignore[reportUnusedFunction]
        return empty_latent(form, width, height, length, batch_size)


for _kind, _form in EMPTY.items():
    _register_empty(_kind, _form)


# --- pictures ⇄ latents ----------------------------------------------------------------------------------------


def vae_format(vae: Symbol) -> Format:
    """What latents the VAE makes, told by its file's name."""
    name = " ".join(vae.files).lower()
    return next((form for part, form in VAES if part in name), SD)


def encode(pictures: Picture, vae: Symbol, *, frames: bool | None = None) -> Latent:
    """The latent of pictures [B,H,W,C]: cut to whole cells in the middle; a video VAE takes the batch as frames."""
    form = vae_format(vae)
    columns, rows = pictures.shape[2] // form.space, pictures.shape[1] // form.space
    width, height = columns * form.space, rows * form.space
    x, y = (pictures.shape[2] - width) // 2, (pictures.shape[1] - height) // 2
    art = octets(pictures[:, y : y + height, x : x + width, :3])
    as_frames = form.video if frames is None else frames
    count = (len(art) - 1) // form.time + 1 if as_frames else 1
    batch = 1 if as_frames else len(art)
    mark = digest("encode", art, vae)
    return Latent(mark, width, height, batch, count, form.channels, form.space, form.time, form.video, art)


@op("VAEEncode", "VAEEncodeTiled", raw=True)
def vae_encode(pixels: Picture, vae: Symbol) -> Latent:
    return encode(pixels, vae)


@op("VAEDecode", "VAEDecodeTiled", raw=True)
def vae_decode(samples: Latent) -> Octets:
    """Frames of all batch entries, one after another."""
    return decode(samples)


@op("SetLatentNoiseMask", raw=True)
def set_noise_mask(samples: Latent, mask: Floats) -> Latent:
    return with_mask(samples, mask)


def with_mask(latent: Latent, mask: Floats) -> Latent:
    """The latent with a noise mask [B,H,W]."""
    flat = mask.reshape(-1, *mask.shape[-2:]).astype(np.float32)
    return replace(latent, mask=flat, digest=digest(latent, "noise mask", flat))


@op("EmptyQwenImageLayeredLatentImage")
def empty_layers(width: int, height: int, layers: int, batch_size: int) -> Latent:
    """One latent frame for each layer and one for the whole."""
    latent = empty_latent(WAN, width // 16 * 16, height // 16 * 16, 1, batch_size)
    return changed(latent, "layers", frames=layers + 1)


@op("StableCascade_EmptyLatentImage")
def empty_cascade(width: int, height: int, compression: int, batch_size: int) -> tuple[Latent, Latent]:
    """The latents of both stages."""
    return (
        empty_latent(Format(16, compression), width, height, 1, batch_size),
        empty_latent(Format(4, 4), width, height, 1, batch_size),
    )
