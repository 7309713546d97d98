"""What travels on the sandbox's wires: pictures as arrays, everything that a model would make as a symbol.

Pictures are arrays [B,H,W,C], masks [B,H,W]: float32 in 0..1, or uint8 where nothing was computed yet (a third of
the memory for a long video; see `floats` and `octets`). Every symbol carries a digest of all that made it, so any
change of a wire changes what is drawn and equal graphs draw equal pictures.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Octets = NDArray[np.uint8]
Picture = Floats | Octets

DIGEST_SIZE: Final = 16


def floats(picture: Picture) -> Floats:
    """The picture as float32 in 0..1; uint8 is divided by 255 as ComfyUI's loader does."""
    if picture.dtype == np.uint8:
        return picture.astype(np.float32) / np.float32(255.0)
    return picture.astype(np.float32, copy=False)


def octets(picture: Picture) -> Octets:
    """The picture as uint8. Values are cut, not rounded, as ComfyUI's savers do."""
    if picture.dtype == np.uint8:
        return cast("Octets", picture)
    return np.clip(picture * np.float32(255.0), 0, 255).astype(np.uint8)


# --- symbols ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Symbol:
    """A model, encoder, VAE, control net, guider, …: a name for what would have been loaded or patched."""

    type: str
    """The wire's type, e.g. `MODEL`."""
    digest: str
    files: tuple[str, ...] = ()
    """Model files that went into it."""
    references: tuple[Reference, ...] = ()
    """Pictures that it carries, e.g. the one behind a CLIP_VISION_OUTPUT."""


@dataclass(frozen=True)
class Reference:
    """A picture that a conditioning refers to, and how much of it should be seen in the result (0..1)."""

    picture: Picture
    weight: float


@dataclass(frozen=True)
class Guide:
    """Frames given for a video: the first ones, the last ones, or one for every frame."""

    where: str
    """`start`, `end` or `all`."""
    frames: Picture
    weight: float = 1.0


@dataclass(frozen=True)
class Conditioning:
    """A prompt as a sampler sees it."""

    digest: str
    text: str = ""
    references: tuple[Reference, ...] = ()
    guides: tuple[Guide, ...] = ()


@dataclass(frozen=True)
class Sketch:
    """What a sampler decided to draw: independent of resolution, drawn when it is decoded."""

    digest: str
    text: str
    references: tuple[Reference, ...] = ()
    guides: tuple[Guide, ...] = ()
    base: Latent | None = None
    """The latent that it started from, where a share of it is kept or a mask protects it."""
    keep: float = 0.0
    """The share of `base` that is seen where the mask allows drawing (0..1)."""
    noise: float = 0.0
    """The share of noise that the sampler left (0..1)."""


@dataclass(frozen=True)
class Latent:
    """A latent batch. Sizes are those of ComfyUI's tensor [B,C,(T,)H,W] times the VAE's factors."""

    digest: str
    width: int
    """Pixels that it decodes to."""
    height: int
    batch: int = 1
    frames: int = 1
    """Latent frames (T)."""
    channels: int = 4
    space: int = 8
    """Pixels for each latent cell, both ways."""
    time: int = 4
    """Decoded frames for each latent frame after the first."""
    video: bool = False
    """The tensor has five dimensions."""
    art: Octets | Sketch | None = None
    """What it decodes to: pictures [B*F,H,W,3], something to draw, or None for an empty latent."""
    caption: str = ""
    """`<prompt> · seed N`, written under what is drawn."""
    mask: Floats | None = None
    """Noise mask [B,H,W]: 1 = draw here."""
    guides: tuple[Guide, ...] = ()
    seconds: float = 0.0
    """Length of a latent of sound."""

    @property
    def cells(self) -> tuple[int, int]:
        """Columns and rows of the tensor."""
        return self.width // self.space, self.height // self.space

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of ComfyUI's tensor."""
        columns, rows = self.cells
        middle = (self.frames,) if self.video else ()
        return (self.batch, self.channels, *middle, rows, columns)

    @property
    def pictures(self) -> int:
        """Decoded frames of one batch entry: 4n+1 for a video VAE."""
        return (self.frames - 1) * self.time + 1


@dataclass(frozen=True)
class Audio:
    """Sound: waveform [B,C,T] in -1..1, samples a second."""

    waveform: Floats
    rate: int


@dataclass(frozen=True)
class Video:
    """Frames at a rate, with sound or without."""

    images: Picture
    fps: float
    audio: Audio | None = None


@dataclass(frozen=True)
class Noise:
    """RandomNoise's value."""

    seed: int
    enabled: bool = True


@dataclass(frozen=True)
class Guider:
    """A model with the conditionings and scales that a custom sampler runs it with."""

    digest: str
    positive: Conditioning


@dataclass(frozen=True)
class Sigmas:
    """Noise levels, one more than there are steps."""

    levels: Floats
    digest: str = ""
    share: float = 1.0
    """How much of the full noise the first level is (1 = starts from noise)."""

    @property
    def steps(self) -> int:
        return max(len(self.levels) - 1, 0)


# --- digests ---------------------------------------------------------------------------------------------------


def digest(*parts: Any) -> str:
    """A hexadecimal digest of any values, equal for equal values and stable between runs."""
    state = hashlib.blake2b(digest_size=DIGEST_SIZE)
    for part in parts:
        _feed(state, part)
    return state.hexdigest()


def _feed(state: hashlib.blake2b, value: Any) -> None:
    known = getattr(value, "digest", None)
    if isinstance(known, str) and known:
        state.update(b"@" + known.encode())
    elif isinstance(value, np.ndarray):
        array = np.ascontiguousarray(cast("NDArray[Any]", value))
        state.update(f"a{array.dtype.str}{array.shape}".encode())
        state.update(array.data)
    elif isinstance(value, Mapping):
        _feed_items(state, sorted(cast("Mapping[str, Any]", value).items()))
    elif isinstance(value, (list, tuple)):
        _feed_items(state, cast("Sequence[Any]", value))
    elif is_dataclass(value) and not isinstance(value, type):
        _feed_items(state, [type(value).__name__, *(getattr(value, part.name) for part in fields(value))])
    else:
        state.update(json.dumps(value, sort_keys=True, default=repr).encode() + b";")


def _feed_items(state: hashlib.blake2b, items: Sequence[Any]) -> None:
    state.update(b"[")
    for item in items:
        _feed(state, item)
    state.update(b"]")


def changed(latent: Latent, *why: Any, **facts: Any) -> Latent:
    """The latent with some facts changed, and a digest that says so."""
    return replace(latent, digest=digest(latent, *why, {key: facts[key] for key in sorted(facts)}), **facts)
