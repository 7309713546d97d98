"""Text that ComfyUI's page changes when it sends it: dynamic prompts, filename patterns, line ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from compiler.workflow.faults import Broken
from compiler.workflow.javascript import as_text

MAX_BRACES: Final = 64
UNFINISHED: Final = r"\undefined"
"""What the page makes of a backslash that nothing follows."""

_COMMENT: Final = re.compile(r"/\*[\s\S]*?\*/|//[^\n\r\u2028\u2029]*")
_ESCAPED: Final = re.compile(r"\\([{}|])")
_TOKEN: Final = re.compile(r"\\[\s\S]?|[{}|]|[^\\{}|]+")
_PATTERN: Final = re.compile(r"%([^%]+)%")
_UNSAFE: Final = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')
_DATE: Final = re.compile(r"dd?|MM?|hh?|mm?|ss?|yyy?y?")


def unix_lines(text: str) -> str:
    """Line ends as a browser's text area has them."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def dynamic_prompt(text: str) -> tuple[str, bool]:
    """(the text without comments, each `{a|b|c}` replaced by its first choice; whether there was a choice to make).

    The page draws a choice at random each time it sends; the first is one that it may draw. Escapes are undone once
    for each brace around them, as the page does it.

    Errors: Broken for braces nested deeper than MAX_BRACES.
    """
    levels: list[list[str]] = [[]]
    choosing, skipped = False, 0
    for part in _TOKEN.findall(_COMMENT.sub("", text)):
        if part == "{":
            levels.append([])
            if len(levels) > MAX_BRACES:
                raise Broken(f"nests braces more than {MAX_BRACES} deep", r"Write \{ for braces that stay", "too_deep")
        elif part == "}" and len(levels) > 1:
            skipped = 0 if skipped == len(levels) else skipped
            _close(levels)
        elif part == "|" and len(levels) > 1:
            choosing = choosing or not skipped
            skipped = skipped or len(levels)
        elif not skipped:
            levels[-1].append(UNFINISHED if part == "\\" else part)
    while len(levels) > 1:
        _close(levels)
    return _unescaped(levels[0]), choosing


def is_unfinished(text: str) -> bool:
    """Whether a prompt ends in a backslash that escapes nothing, to which the page adds a word."""
    return _TOKEN.findall(_COMMENT.sub("", text))[-1:] == ["\\"]


def _close(levels: list[list[str]]) -> None:
    inner = levels.pop()
    if inner:
        levels[-1].append(_unescaped(inner))


def _unescaped(parts: list[str]) -> str:
    return _ESCAPED.sub(r"\1", "".join(parts))


def filename(text: str, lookup: Callable[[str, str], object], now: datetime | None) -> str:
    """`%Node.widget%` and `%date:yyyy-MM-dd%` replaced; other patterns stay for the server. Without `now`, dates stay.

    `lookup(node, widget)` gives a value, or None where there is none.
    """

    def replace(match: re.Match[str]) -> str:
        parts = match[1].split(".")
        if len(parts) != 2:
            dated = now is not None and parts[0].startswith("date:")
            return date(parts[0][5:], now) if dated and now else match[0]
        value = lookup(parts[0], parts[1])
        return match[0] if value is None else _UNSAFE.sub("_", as_text(value))

    return _PATTERN.sub(replace, text)


def date(form: str, now: datetime) -> str:
    """`yyyy-MM-dd hh:mm:ss`: letters repeated give the number of digits."""
    values = {"d": now.day, "M": now.month, "h": now.hour, "m": now.minute, "s": now.second}

    def replace(match: re.Match[str]) -> str:
        letters = match[0]
        if letters[0] == "y":
            return {2: f"{now.year:04d}"[2:], 4: str(now.year)}.get(len(letters), letters)
        return str(values[letters[0]]).rjust(len(letters), "0")

    return _DATE.sub(replace, form)


def literal_prompt(text: str) -> str:
    """Text that `dynamic_prompt` gives back as it is: braces escaped, comment signs parted by a choice of one."""
    out: list[str] = []
    index = 0
    while index < len(text):
        char, after = text[index], text[index + 1 : index + 2]
        index += 1
        if char == "\\" and after:
            index += 1
            out.append(f"{{\\\\\\{after}}}" if after in "{}|" else char + after)
        elif char in "{}" or (char == "|" and out and out[-1][-1] == "\\"):
            out.append(f"\\{char}")
        elif char in "/*" and out and out[-1][-1] == "/":
            out.append(f"{{{char}}}")
        else:
            out.append(char)
    return "".join(out)
