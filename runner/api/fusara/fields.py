"""Checks of text fields in words of ours: pydantic's own tell a caller the pattern."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from pydantic_core import PydanticCustomError

FILLED: Final = r"^[\s\S]*\S[\s\S]*$"
"""Not only blanks."""


def fits(pattern: str, what: str, cure: str) -> Callable[[str], str]:
    """What lets texts of the pattern pass: for `AfterValidator`. Put the pattern into the schema too."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise PydanticCustomError("text", "{what}", {"what": what, "cure": cure})
        return text

    return check


filled: Final = fits(FILLED, "must say something", "")
