"""What core nodes check themselves at POST /prompt (graphs/tables/own_checks.json; seen on 0.3.64 and 0.8.0)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isclose
from typing import Any, Final, cast

Files = Callable[[str], bool]
"""Whether an input file exists, by its name as written in the graph: `a.png`, `sub/a.png [temp]`."""

LINK_TYPES: Final = "input_types"
"""The argument by which a node's own check is told the types of its links; the server then checks none of them."""


@dataclass(frozen=True, slots=True)
class OwnCheck:
    """What a node class checks itself; the server's own range and list checks are left out for these inputs."""

    inputs: tuple[str, ...]
    function: str
    """The name that Python puts into the error when an input is missing."""
    rule: str
    """Key of RULES."""
    says: str = ""
    """The complaint; `{}` is the value."""
    link: str = ""
    """For a check of link types: the input looked at."""
    types: tuple[str, ...] = ()
    """And the types that it takes."""

    @property
    def sees_links(self) -> bool:
        """Whether link types are the node's own business."""
        return LINK_TYPES in self.inputs

    def missing_arguments(self, given: Mapping[str, Any]) -> str:
        """Python's complaint about the inputs that the check lacks; empty if it has all."""
        lacking = [repr(name) for name in self.inputs if name not in given and name != LINK_TYPES]
        if not lacking:
            return ""
        if len(lacking) == 1:
            return f"{self.function} missing 1 required positional argument: {lacking[0]}"
        comma = "," if len(lacking) > 2 else ""
        listing = f"{', '.join(lacking[:-1])}{comma} and {lacking[-1]}"
        return f"{self.function} missing {len(lacking)} required positional arguments: {listing}"

    def fault(self, values: list[Any], links: Mapping[str, Any], files: Files | None) -> str:
        """What the check says of the values (None for one that comes over a link); empty if all is well.

        Errors: whatever the check itself raises.
        """
        return RULES[self.rule](self, values, links, files)


def _file(check: OwnCheck, values: list[Any], links: Mapping[str, Any], files: Files | None) -> str:
    name = values[0]
    if not isinstance(name, str):
        raise AttributeError(f"{type(name).__name__!r} object has no attribute 'endswith'")
    return "" if files is None or not name or files(name) else check.says.format(name)


def _nonzero(check: OwnCheck, values: list[Any], links: Mapping[str, Any], files: Files | None) -> str:
    return check.says if all(isclose(value, 0.0) for value in values) else ""


def _link_type(check: OwnCheck, values: list[Any], links: Mapping[str, Any], files: Files | None) -> str:
    return "" if links[check.link] in check.types else check.says


def _ratio_old(check: OwnCheck, values: list[Any], links: Mapping[str, Any], files: Files | None) -> str:
    """From 1:4 to 4:1; a complaint (0.3.64)."""
    text = values[0]
    if not isinstance(text, str):
        return f"{type(text).__name__!r} object has no attribute 'split'"
    parts = text.split(":")
    if len(parts) != 2:
        return f"Aspect ratio must be in the format X:Y, such as 16:9, but was {text}."
    try:
        ratio = int(parts[0]) / int(parts[1])
    except ValueError:
        return f"Aspect ratio must contain numbers separated by ':', such as 16:9, but was {text}."
    except ArithmeticError as error:
        return str(error)
    if ratio < 0.25:
        return f"Aspect ratio cannot reduce to any less than 1:4 (0.25), but was {text} ({ratio})."
    if ratio > 4.0:
        return f"Aspect ratio cannot reduce to any greater than 4:1 (4.0), but was {text} ({ratio})."
    return ""


def _ratio_new(check: OwnCheck, values: list[Any], links: Mapping[str, Any], files: Files | None) -> str:
    """From 1:4 to 4:1; an exception (0.8.0)."""
    text = values[0]
    if not isinstance(text, str):
        raise AttributeError(f"{type(text).__name__!r} object has no attribute 'split'")
    parts = text.split(":")
    if len(parts) != 2:
        raise ValueError(f"Aspect ratio must be 'X:Y' (e.g., 16:9), got '{text}'.")
    try:
        wide, high = (int(part) for part in parts)
    except ValueError:
        raise ValueError(f"Aspect ratio must contain integers separated by ':', got '{text}'.") from None
    if wide <= 0 or high <= 0:
        raise ValueError(f"Aspect ratio parts must be positive integers, got {wide}:{high}.")
    if not 0.25 <= wide / high <= 4:
        bound = 0.25 if wide / high < 0.25 else 4.0
        raise ValueError(f"Aspect ratio `{wide / high:.2g}` must be ≤ {bound:.2g}.")
    return ""


RULES: Final[Mapping[str, Callable[[OwnCheck, list[Any], Mapping[str, Any], Files | None], str]]] = {
    "file": _file,
    "nonzero": _nonzero,
    "link_type": _link_type,
    "ratio_old": _ratio_old,
    "ratio_new": _ratio_new,
    "anything": lambda check, values, links, files: "",
}


def read_checks(table: Mapping[str, Any]) -> dict[str, OwnCheck]:
    """Class → its check, from a part of the table."""
    return {name: OwnCheck(**_tuples(row)) for name, row in table.items()}


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(cast("list[str]", value)) if isinstance(value, list) else value for key, value in row.items()}
