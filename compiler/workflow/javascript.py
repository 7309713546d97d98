"""JSON values as JavaScript reads, writes and counts them."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from math import floor, fmod, inf, isfinite, isnan, nan
from typing import Any, Final, cast

EXACT: Final = 2**53
"""Beyond this, JavaScript's numbers lose digits."""


def as_javascript(value: Any) -> Any:
    """A JSON value after JavaScript read and wrote it: whole numbers without a point, large ones rounded."""
    kind = cast("type[object]", type(value))
    if kind is str or kind is bool or value is None:
        return value
    if kind is float:
        if not isfinite(value):
            return None
        if not value.is_integer() or abs(value) >= 1e21:
            return value
        return int(value) if abs(value) <= EXACT else int(Decimal(repr(value)))
    if kind is int:
        return value if -EXACT <= value <= EXACT else _rounded(value)
    if kind is list:
        return [as_javascript(item) for item in cast("list[Any]", value)]
    if kind is dict:
        return {key: as_javascript(item) for key, item in cast("dict[str, Any]", value).items()}
    return value


def _rounded(value: int) -> int | float | None:
    if value.bit_length() > 1023:
        return None
    near = float(value)
    return int(Decimal(repr(near))) if abs(near) < 1e21 else near


def as_text(value: object) -> str:
    """A JSON value as it is written into text, e.g. into a text area."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(map(as_text, cast("list[object]", value)))
    if isinstance(value, bool):
        return "true" if value else "false"
    return _digits(as_javascript(value)) if isinstance(value, (int, float)) else "[object Object]"


def _digits(value: int | float | None) -> str:
    if value is None or isinstance(value, int) or abs(value) >= 1e21:
        return "Infinity" if value is None else str(value)
    plain = repr(value) if abs(value) < 1e-6 else format(Decimal(repr(value)), "f")
    return plain.replace("e-0", "e-")


def as_number(value: object) -> float:
    """A JSON value as it is counted with; NaN where it is no number."""
    if isinstance(value, (bool, int, float)) or value is None:
        plain = as_javascript(value or 0)
        return inf if plain is None else float(plain)
    try:
        return float(as_text(value).strip() or 0)
    except ValueError:
        return nan


def nearest(value: float) -> float:
    """Math.round: halves go up."""
    return float(floor(value + 0.5)) if isfinite(value) and abs(value) < EXACT else value


def remainder(left: float, right: float) -> float:
    """The % of JavaScript."""
    return nan if not isfinite(left) or right == 0 or isnan(right) else fmod(left, right)


def fixed(value: float, digits: int) -> float:
    """Number(value.toFixed(digits))."""
    if not isfinite(value) or abs(value) >= 1e21:
        return value
    return float(Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))
