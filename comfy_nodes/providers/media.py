"""Pictures and videos as bytes, and how they are written into a request. No torch, no Pillow."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "video/mp4": "mp4", "video/webm": "webm"}


@dataclass(frozen=True, slots=True)
class Media:
    """One picture or video as a file."""

    data: bytes
    mime: str

    @property
    def name(self) -> str:
        """A file name for a multipart part."""
        return f"{self.mime.partition('/')[0]}.{ENDINGS.get(self.mime, 'bin')}"

    @property
    def base64(self) -> str:
        return base64.b64encode(self.data).decode("ascii")

    def encoded(self, form: str) -> str:
        """As `data` (a data: URI) or `base64`."""
        return f"data:{self.mime};base64,{self.base64}" if form == "data" else self.base64


def from_text(text: str) -> bytes | None:
    """The bytes of a data: URI or of base64; None if it is neither."""
    if text.startswith("data:"):
        _, _, text = text.partition(",")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def without_media(data: Any, longest: int = 1000) -> Any:
    """The same JSON with long texts named by their length: what may be shown and logged."""
    if isinstance(data, dict):
        return {name: without_media(value, longest) for name, value in data.items()}
    if isinstance(data, list):
        return [without_media(value, longest) for value in data]
    if isinstance(data, str) and len(data) > longest:
        return f"<{len(data)} characters>"
    return data
