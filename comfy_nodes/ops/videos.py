"""Videos between ComfyUI's VIDEO and files. VIDEO is an object of ComfyUI (comfy_api, 0.3.64 and 0.8.0)."""

from __future__ import annotations

import io
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..providers.errors import CallError
from ..providers.media import Media

KINDS = {b"ftyp": "video/mp4", b"\x1a\x45\xdf\xa3": "video/webm"}


def to_file(video: Any) -> Media:
    """The video's file as it is; of one that has none yet, MP4."""
    try:
        source = video.get_stream_source()
        data = Path(source).read_bytes() if isinstance(source, str) else source.getvalue()
    except ValueError:  # of frames: ComfyUI 0.3.64 and 0.8.0 cannot write these into memory
        data = _written(video)
    return Media(data, mime(data))


def _written(video: Any) -> bytes:
    with TemporaryDirectory(prefix="comfyc-") as folder:
        path = Path(folder) / "video.mp4"
        video.save_to(str(path))
        return path.read_bytes()


def from_file(data: bytes) -> Any:
    """A VIDEO that reads the file from memory.

    Errors: CallError if it holds no video.
    """
    video = import_module("comfy_api.input_impl").VideoFromFile(io.BytesIO(data))
    try:
        video.get_dimensions()
    except Exception as error:  # PyAV has a tree of errors of its own
        raise CallError(f"the result is no video that can be read ({type(error).__name__})") from None
    return video


def mime(data: bytes) -> str:
    """By the first bytes; MP4 if they tell nothing."""
    return next((kind for sign, kind in KINDS.items() if sign in data[:12]), "video/mp4")
