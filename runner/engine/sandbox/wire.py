"""The bytes of the protocol: JSON as ComfyUI writes it, and its binary websocket frames."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from struct import pack
from typing import Any, Final

PREVIEW: Final = 1
TEXT: Final = 3
PREVIEW_WITH_METADATA: Final = 4

_JPEG, _PNG = 1, 2
_PNG_MAGIC: Final = b"\x89PNG"


def dumps(value: Any) -> str:
    """JSON text; bare NaN and Infinity are written, as ComfyUI does."""
    return json.dumps(value)


def message(kind: str, data: Any) -> str:
    """A text frame."""
    return f'{{"type": "{kind}", "data": {dumps(data)}}}'


def now_ms() -> int:
    """The time of an event, in ms since 1970."""
    return int(time.time() * 1000)


def preview(image: bytes) -> bytes:
    """Binary event 1: a JPEG or PNG, told by its first bytes."""
    return pack(">II", PREVIEW, _PNG if image.startswith(_PNG_MAGIC) else _JPEG) + image


def preview_with_metadata(image: bytes, metadata: Mapping[str, Any]) -> bytes:
    """Binary event 4: as event 1, with the node and the prompt it belongs to."""
    kind = "image/png" if image.startswith(_PNG_MAGIC) else "image/jpeg"
    facts = dumps({**metadata, "image_type": kind}).encode()
    return pack(">II", PREVIEW_WITH_METADATA, len(facts)) + facts + image


def progress_text(node_id: str, text: str) -> bytes:
    """Binary event 3: a node's progress text."""
    name = node_id.encode()
    return pack(">II", TEXT, len(name)) + name + text.encode()
