"""What differs between ComfyUI versions, and which core nodes check inputs themselves (seen on 0.3.64 and 0.8.0)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from compiler.check.own_checks import OwnCheck, read_checks
from compiler.template.library import GRAPHS

LONGEST_LIST: Final = 20
"""Longer combos are not spelled out in an error: `(list of length 42)`, and input_config is null."""

DEEPEST_CHAIN: Final = 972
"""Longer chains of nodes end in a RecursionError when validated (973 on 0.3.64, 972 on 0.8.0, with Python 3.11)."""

_TABLE: Final = GRAPHS / "tables" / "own_checks.json"
_LAST_OLD: Final = (0, 3, 64)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one ComfyUI version."""

    checks_v3_combos: bool
    """Whether the value of a combo declared `["COMBO", {options}]` must be in its list."""
    own_checks: Mapping[str, OwnCheck]
    tuples: Mapping[str, tuple[str, ...]]
    """Class → its combos that are declared as Python tuples, and so are spelled with round brackets in errors."""


def rules_for(version: str) -> Rules:
    """The rules of a ComfyUI version; 0.8.0's for newer and for unknown ones."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    return _rules(new=not numbers or numbers > _LAST_OLD)


@cache
def _rules(*, new: bool) -> Rules:
    table: dict[str, Any] = json.loads(_TABLE.read_bytes())
    checks = {**read_checks(table["shared"]), **read_checks(table["new" if new else "old"])}
    return Rules(new, checks, {kind: tuple(names) for kind, names in table["tuples"].items()})


OLD: Final = _rules(new=False)
