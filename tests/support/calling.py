"""What the tests of calls out of ComfyUI share: media, a clock that jumps, tables with placeholders."""

from __future__ import annotations

import base64
import io
import time
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from comfy_nodes.providers.media import Media

TABLES = Path(__file__).resolve().parents[1] / "comfy_nodes"
CLIP = b"\x00\x00\x00\x18ftypmp42" + bytes(40)


def picture(shade: int, size: tuple[int, int] = (3, 2)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (shade, shade, shade)).save(buffer, "PNG")
    return buffer.getvalue()


RESULT = picture(200)
IMAGES = [Media(picture(shade), "image/png") for shade in (10, 20, 30)]
MASK = Media(picture(255), "image/png")
VIDEO = Media(CLIP, "video/mp4")

MEDIA = {"image1": IMAGES[0], "image2": IMAGES[1], "image3": IMAGES[2], "mask": MASK, "video": VIDEO}
WORDS = {
    "$PNG": base64.b64encode(RESULT).decode(),
    "$MP4": base64.b64encode(CLIP).decode(),
    **{f"${name}.{form}": one.encoded(form) for name, one in MEDIA.items() for form in ("data", "base64")},
}
BODIES = {"@png": RESULT, "@mp4": CLIP}


class FakeHost:
    """Time that jumps when somebody waits. `interrupt` raises at the so-maniest look."""

    def __init__(self, interrupt: int = 0) -> None:
        self.waited: list[float] = []
        self.shares: list[float] = []
        self._interrupt, self._looks = interrupt, 0

    def now(self) -> float:
        return time.monotonic() + sum(self.waited)

    def sleep(self, seconds: float) -> None:
        self.check()
        self.waited.append(seconds)

    def check(self) -> None:
        self._looks += 1
        if self._looks == self._interrupt:
            raise KeyboardInterrupt

    def progress(self, share: float) -> None:
        self.shares.append(share)


def table(name: str) -> list[dict[str, Any]]:
    """The cases of a yaml file, placeholders filled in."""
    return filled(yaml.safe_load((TABLES / name).read_text(encoding="utf-8")))


def filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: filled(one) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one) for one in value]
    if isinstance(value, str):
        return BODIES.get(value) or WORDS.get(value) or value
    return value
