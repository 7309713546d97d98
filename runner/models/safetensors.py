"""Whether a file really is a safetensors file: its header is read, nothing is ever unpickled.

Format: 8 bytes, the header's length n, little endian; n bytes of JSON, name → {dtype, shape, data_offsets}; the data
(https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

MAX_HEADER: Final = 100_000_000
"""The format's own limit, bytes."""
METADATA: Final = "__metadata__"


class NotSafetensors(ValueError):
    """The file is another one, or is broken. The message completes a sentence that begins with the file."""


def check_safetensors(path: Path) -> int:
    """How many tensors the file holds. Errors: NotSafetensors; OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 10 or not 2 <= length <= min(MAX_HEADER, size - 8):
            raise NotSafetensors("has no safetensors header")
        head = file.read(length)
    try:
        found: Any = json.loads(head)
    except (ValueError, RecursionError) as error:
        raise NotSafetensors("has a header that is not JSON") from error
    if not isinstance(found, dict):
        raise NotSafetensors("has a header that is no object")
    tensors = {name: row for name, row in cast("dict[str, Any]", found).items() if name != METADATA}
    ends = [_end(name, row) for name, row in tensors.items()]
    if not ends:
        raise NotSafetensors("holds no tensor")
    if max(ends) != size - 8 - length:
        raise NotSafetensors("is cut off, or has bytes behind its data")
    return len(ends)


def _end(name: str, row: Any) -> int:
    fields: Mapping[str, Any] = cast("Mapping[str, Any]", row) if isinstance(row, dict) else {}
    offsets = fields.get("data_offsets")
    if (
        not isinstance(fields.get("dtype"), str)
        or not isinstance(fields.get("shape"), list)
        or not isinstance(offsets, list)
        or [type(one) for one in cast("list[Any]", offsets)] != [int, int]
    ):
        raise NotSafetensors(f"has no tensor under {name[:60]!r}")
    begin, end = cast("list[int]", offsets)
    if not 0 <= begin <= end:
        raise NotSafetensors(f"has a tensor {name[:60]!r} outside its data")
    return end
