"""What a medium is, found by reading it: kind, size as displayed, frames, rate, alpha. Its name does not count."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final, cast

import av
import av.error
from av.container import InputContainer
from PIL import Image, ImageFile, UnidentifiedImageError

from compiler.media import MediaKind

MAX_PIXELS: Final = 64_000_000
"""Largest picture that is decoded: 8000 × 8000, 256 MB as RGBA. ComfyUI holds three times that per picture."""
MAX_FRAMES: Final = 20_000
STILL: Final = {
    "PNG": ("png", "image/png"),
    "JPEG": ("jpg", "image/jpeg"),
    "MPO": ("jpg", "image/jpeg"),  # a JPEG with further pictures behind the first, as some phones write
    "WEBP": ("webp", "image/webp"),
    "GIF": ("gif", "image/gif"),
}
"""Pillow's format → (ending, content type)."""
CONTAINER: Final = {
    "mov,mp4,m4a,3gp,3g2,mj2": ("mp4", "video/mp4"),
    "matroska,webm": ("webm", "video/webm"),
    "mp3": ("mp3", "audio/mpeg"),
    "wav": ("wav", "audio/wav"),
    "flac": ("flac", "audio/flac"),
    "ogg": ("ogg", "audio/ogg"),
}
"""FFmpeg's demuxer → (ending, content type)."""
ENDINGS: Final = tuple(sorted({ending for ending, _ in (*STILL.values(), *CONTAINER.values())}))
READERS: Final = tuple(name for name in STILL if name != "MPO")  # Pillow's JPEG reader finds out about MPO itself
Image.init()  # Pillow loads WebP's reader with all others or not at all
SIDEWAYS: Final = frozenset({5, 6, 7, 8})  # EXIF orientations that swap width and height
ORIENTATION: Final = 0x0112


class Unreadable(Exception):
    """The bytes are not a medium that we take; `what` and `cure` complete a sentence that begins with the field."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(f"{what}. {cure}")
        self.what, self.cure = what, cure


@dataclass(frozen=True, slots=True)
class Facts:
    """What the bytes are. Sizes in pixels as displayed, `fps` frames a second, 0 for a still picture."""

    kind: MediaKind
    ending: str
    content_type: str
    width: int = 0
    height: int = 0
    frames: int = 1
    fps: float = 0.0
    alpha: bool = False


def probe(data: bytes) -> Facts:
    """The facts of a picture, video or sound. Decodes a picture wholly, so a broken one is found here, not in a job.

    Errors: Unreadable. Takes up to a second for the largest pictures: call it in a thread.
    """
    if not data:
        raise Unreadable("is empty", "Send the file's bytes")
    try:
        return _picture(data)
    except UnidentifiedImageError:
        return _stream(data)


def _picture(data: bytes) -> Facts:
    try:
        with Image.open(io.BytesIO(data), formats=READERS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _too_many_pixels()
            image.verify()  # the checksums of a PNG's chunks, to its very end; nothing may be read before it
        with Image.open(io.BytesIO(data), formats=READERS) as image:
            facts = _facts(image)
            _check_pixels(facts)
            image.load()
            return facts
    except (UnidentifiedImageError, Unreadable):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except (
        Exception
    ) as error:  # Pillow's decoders raise whatever their format makes them: OSError, SyntaxError, struct.error…
        raise Unreadable("is a broken or truncated picture", "Save it anew and send all of it") from error


def _facts(image: ImageFile.ImageFile) -> Facts:
    ending, content_type = STILL[image.format or ""]
    width, height = image.size
    if image.getexif().get(ORIENTATION) in SIDEWAYS:
        width, height = height, width
    frames = cast(int, getattr(image, "n_frames", 1)) if image.format != "MPO" else 1
    return Facts("image", ending, content_type, width, height, frames, 0.0, image.has_transparency_data)


def _check_pixels(facts: Facts) -> None:
    if facts.width * facts.height > MAX_PIXELS:
        raise _too_many_pixels()
    if facts.frames > MAX_FRAMES:
        raise Unreadable(f"has more than {MAX_FRAMES} frames", "Send a shorter one")


def _too_many_pixels() -> Unreadable:
    return Unreadable(f"has more than {MAX_PIXELS // 1_000_000} million pixels", "Send a smaller picture")


def _stream(data: bytes) -> Facts:
    try:
        with av.open(io.BytesIO(data), "r") as container:
            ending, content_type = CONTAINER.get(container.format.name, ("", ""))
            if ending and container.streams.video:
                return _video(container, ending, content_type)
            if ending and container.streams.audio:
                next(container.decode(audio=0))
                return Facts("audio", ending, content_type.replace("video/", "audio/"), frames=0)
    except (av.error.FFmpegError, StopIteration, ValueError, OSError) as error:
        raise _unknown() from error
    raise _unknown()


def _video(container: InputContainer, ending: str, content_type: str) -> Facts:
    stream = container.streams.video[0]
    fps = float(stream.average_rate or stream.guessed_rate or 0)
    first = next(container.decode(stream))
    width, height = first.width, first.height
    if abs(int(getattr(first, "rotation", 0))) % 180 == 90:
        width, height = height, width
    seconds = float(container.duration or 0) / 1_000_000
    frames = stream.frames or max(1, round(seconds * fps))
    facts = Facts("video", ending, content_type, width, height, frames, fps)
    _check_pixels(facts)
    return facts


def _unknown() -> Unreadable:
    return Unreadable(
        "is no picture, video or sound that can be read", "Send PNG, JPEG, WebP, GIF, MP4, WebM, WAV, FLAC or MP3"
    )
