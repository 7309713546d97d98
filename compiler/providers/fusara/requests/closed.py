"""What the fields of closed models are made of: choices that name the right one, and durations in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from compiler.errors import nearest

MILLISECONDS: Final = 100
"""A duration from here on is taken for milliseconds (contract §10.5)."""


@dataclass(frozen=True)
class Choice:
    """Text out of a list; the error names the nearest, `16:9` for `16/9` (contract §10.4)."""

    values: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "enum": list(self.values)}

    def check(self, value: str) -> str:
        if value in self.values:
            return value
        facts = {"known": listed(self.values), "cure": self._cure(value), "code": "unknown"}
        raise PydanticCustomError("choice", "must be {known}", facts)

    def _cure(self, value: str) -> str:
        for wrong in "/x×*-_ ":
            colon = ":".join(part for part in value.strip().split(wrong) if part)
            if colon in self.values:
                return f"Use {colon}"
        same = [known for known in self.values if known.lower() == value.strip().lower()]
        return f"Use {same[0]}" if same else nearest(value, self.values)


@dataclass(frozen=True)
class Factor:
    """A whole number out of a list."""

    values: tuple[int, ...]
    words: str = ""
    """Instead of the list, for messages: a range of whole numbers."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        if self.words:
            return {**handler(schema), "minimum": self.values[0], "maximum": self.values[-1], "step": 1}
        return {**handler(schema), "enum": list(self.values)}

    @property
    def known(self) -> str:
        """The numbers, for messages."""
        return self.words or listed([str(one) for one in self.values])

    def check(self, value: float) -> int:
        if value in self.values:
            return int(value)
        facts = {"known": self.known, "code": "out_of_range"}
        raise PydanticCustomError("number_choice", "must be {known}", facts)


@dataclass(frozen=True)
class Seconds(Factor):
    """A duration: one of a few, or whole seconds of a range; never milliseconds (contract §10.5)."""

    def check(self, value: float) -> int:
        if value in self.values:
            return int(value)
        raise seconds_error(self.known, value)


def seconds_error(known: str, value: float) -> PydanticCustomError:
    """What is wrong with a duration that is not `known`, and the cure if it looks like milliseconds."""
    cure = f"Duration is in seconds, not milliseconds: use {value / 1000:g}" if value >= MILLISECONDS else ""
    facts = {"known": known, "cure": cure, "code": "out_of_range"}
    return PydanticCustomError("seconds", "must be {known} seconds", facts)


def listed(words: tuple[str, ...] | list[str]) -> str:
    """`a, b or c`"""
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else "".join(words)
