"""Media that a request refers to, as facts: the compiler never reads a picture, it is told about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

MediaKind: TypeAlias = Literal["image", "video", "audio", "mask"]


@dataclass(frozen=True, slots=True)
class MediaRef:
    """A request's mention of a medium: which field, and what it says (a file id, a URL, a path)."""

    field: str
    """The field in the caller's words, for messages: `end_frame_file_id`."""
    value: str
    kind: MediaKind = "image"


@dataclass(frozen=True, slots=True)
class AssetRef:
    """A request's mention of a model that was imported: which field, and what it says (an id, a URL)."""

    field: str
    """The field in the caller's words: `TaskModels[0].ModelId`."""
    value: str
    """Also its id in the library that the request is compiled with."""


@dataclass(frozen=True, slots=True)
class Media:
    """A medium that was found and probed."""

    name: str
    """The name that the engine will know it by, `comfyc/<digest>.png`: what LoadImage is given."""
    kind: MediaKind = "image"
    width: int = 0
    """Pixels, as displayed; 0 if it has no picture."""
    height: int = 0
    frames: int = 1
    """Number of frames: 1 for a still picture, more for an animation or a video."""
    fps: float = 0.0
    """Frames a second; 0 for a still picture."""
    alpha: bool = False
    """True if the picture has an alpha channel."""
