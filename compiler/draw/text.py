"""Text for an SVG: estimated widths, clipping, wrapping, escaping. No font is at hand: a wide sans-serif is assumed."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, Final
from unicodedata import category, east_asian_width

ELLIPSIS: Final = "…"
BETWEEN: Final = " \t\n\u200d"
"""Blanks, and the joiner of emoji: nothing to end a text with."""
_NARROW: Final = frozenset("iljtfI.,:;'|!()[]{}/\\ `°·")
_WIDE: Final = frozenset("mwMWQOGD@%&—…＋")
_UNSAFE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML 1.0 does not allow, and lone surrogates, which UTF-8 does not."""


@cache
def _em(character: str) -> float:
    if character in _NARROW:
        return 0.36
    if character in _WIDE:
        return 0.92
    if category(character) in ("Mn", "Me", "Cf"):  # accents, joiners: they stand on what is before them
        return 0.0
    if east_asian_width(character) in "WF":
        return 1.0
    return 0.7 if character.isupper() else 0.61


def width(text: str, size: float) -> float:
    """Estimated width in pixels at a font size."""
    return sum(_em(character) for character in text) * size


def clip(text: str, size: float, room: float) -> str:
    """As much of the text as fits, with an ellipsis in place of the rest."""
    if width(text, size) <= room + 0.01:
        return text
    used = _em(ELLIPSIS) * size
    for index, character in enumerate(text):
        used += _em(character) * size
        if used > room:
            return text[:index].rstrip(BETWEEN) + ELLIPSIS
    return text


def clip_start(text: str, size: float, room: float) -> str:
    """As much of the end as fits: of a file path, the name is what tells."""
    return clip(text[::-1], size, room)[::-1]


def wrap(text: str, size: float, room: float, most: int) -> list[str]:
    """Lines of at most `room` pixels, broken at spaces where there are any; the last of `most` ends in an ellipsis."""
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        lines += _broken(paragraph, size, room, most + 1 - len(lines))
        if len(lines) > most:
            return [*lines[: most - 1], clip(f"{lines[most - 1]} {ELLIPSIS}", size, room)]
    return lines


def _broken(text: str, size: float, room: float, most: int) -> list[str]:
    lines: list[str] = []
    rest = text.strip()
    while len(lines) < most:
        end = _fitting(rest, size, room)
        if end == len(rest):
            return [*lines, rest]
        space = rest.rfind(" ", 1, end + 1)
        end = space if space > 0 else end
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return lines


def _fitting(text: str, size: float, room: float) -> int:
    used = 0.0
    for index, character in enumerate(text):
        used += _em(character) * size
        if used > room:
            return max(1, index)
    return len(text)


def shown(value: Any) -> str:
    """A widget's value as people write it: text bare, numbers short, everything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}" if value == value else "NaN"
    return json.dumps(value, ensure_ascii=False)


def escape(text: str) -> str:
    """Text for an element or a double-quoted attribute; what XML does not allow becomes U+FFFD."""
    safe = _UNSAFE.sub("\ufffd", text)
    return safe.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
