"""Workflows in PNG files: ComfyUI writes them as text chunks `workflow` (the page's format) and `prompt` (API)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final

from compiler.workflow.limits import MAX_BYTES, read_json

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
KEYS: Final = ("workflow", "prompt")
MAX_PICTURE: Final = 128 * 1024 * 1024
"""What a caller should read of a picture at most, bytes."""


def is_png(data: bytes) -> bool:
    return data.startswith(SIGNATURE)


def read_png(data: bytes) -> Any:
    """The workflow that a PNG carries, or else its API graph; None if it carries neither or is no PNG.

    Errors: WorkflowError for one that is too large or is not JSON.
    """
    found: dict[str, bytes] = {}
    for key, text in _texts(data):
        if key in KEYS and key not in found:
            found[key] = text
    for key in KEYS:
        if key in found:
            return read_json(found[key], f"the {key} in the picture")
    return None


def _texts(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(keyword, text) of the text chunks; a broken file ends early."""
    if not is_png(data):
        return
    place = len(SIGNATURE)
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        body = data[place + 8 : place + 8 + length]
        place += 12 + length
        if kind == b"IEND" or len(body) < length:
            return
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            key, _, rest = body.partition(b"\0")
            name = key.decode("latin-1")
            text = _text(kind, rest) if name in KEYS else None
            if text is not None:
                yield name, text


def _text(kind: bytes, rest: bytes) -> bytes | None:
    """A chunk's text behind its keyword, as UTF-8; None if it cannot be unpacked."""
    if kind == b"tEXt":
        return _utf8(rest)
    if kind == b"zTXt":
        plain = _inflated(rest[1:])
        return None if plain is None else _utf8(plain)
    packed = rest[:1] == b"\1"
    _, _, after = rest[2:].partition(b"\0")
    _, _, text = after.partition(b"\0")
    return _inflated(text) if packed else text


def _utf8(text: bytes) -> bytes:
    """Latin-1 by the standard; where it reads as UTF-8, it was written as that."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1").encode()
    return text


def _inflated(packed: bytes) -> bytes | None:
    """Errors: WorkflowError if more than MAX_BYTES come out."""
    unpack = zlib.decompressobj()
    try:
        plain = unpack.decompress(packed, MAX_BYTES + 1)
    except zlib.error:
        return None
    return plain  # read_json refuses what is longer than MAX_BYTES
