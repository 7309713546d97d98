"""The value of a PrimitiveNode as it arrives at the widgets that it feeds.

ComfyUI's page gives the node a widget like the first one that it feeds. If that is a number, its range and step become
what all widgets have in common, and its value is brought there; then each widget rounds what it gets to its own step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import floor, inf, isfinite, isnan, log10, nan
from typing import Any, Final

from compiler.workflow.javascript import as_number, fixed, nearest, remainder
from compiler.workflow.model import ABSENT, Widget

NUMBERS: Final = ("INT", "FLOAT")
_MERGED: Final = ("default", "forceInput", "defaultInput", "control_after_generate", "tooltip")
"""Options in which two inputs may differ and yet share a primitive's range."""
_STEPS: Final = 100
"""Steps of the search for a common divisor."""
_TINY: Final = 1e-10


def primitive_value(value: Any, fed: Iterable[Widget]) -> Any:
    """The stored value, brought into the range that the widgets share; `fed` in the order of the links."""
    widgets = [widget for widget in fed if widget.spec.spec is not None]
    if value is ABSENT or not widgets or widgets[0].spec.kind not in NUMBERS:
        return value
    kind, options = widgets[0].spec.kind, _options(widgets[0])
    for widget in widgets:
        merged = _merged(options, _options(widget)) if widget.spec.kind == kind else None
        if merged is not None:
            options = merged
            number = as_number(value)
            value = options["min"] if number < options["min"] else value
            value = options["max"] if number > options["max"] else value
            value = _stepped(kind, options, value)
    return value


def taken(widget: Widget, value: Any) -> Any:
    """The value that a widget makes of one that is written into it; a number of nothing is JSON's null."""
    if value is ABSENT and widget.spec.kind in NUMBERS:
        return None
    return _stepped(widget.spec.kind, _options(widget), value) if widget.spec.spec is not None else value


def _options(widget: Widget) -> Mapping[str, Any]:
    return widget.spec.spec.options if widget.spec.spec is not None else {}


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any] | None:
    """The range and the step that two inputs have in common; None if there is none, or they differ otherwise."""
    low = max(_get(one, "min", -inf), _get(other, "min", -inf))
    high = min(_get(one, "max", inf), _get(other, "max", inf))
    if low > high:
        return None
    step = _multiple(_get(one, "step", 1), _get(other, "step", 1))
    names = (one.keys() | other.keys()) - {"min", "max", "step", *_MERGED}
    if isnan(step) or any(one.get(name) != other.get(name) for name in names):
        return None
    return {**one, **other, "min": low, "max": high, "step": step}


def _get(options: Mapping[str, Any], name: str, default: float) -> float:
    value = options.get(name)
    return default if value is None else float(value)


def _multiple(one: float, other: float) -> float:
    """The least common multiple of two steps."""
    left, right = abs(one), abs(other)
    for _ in range(_STEPS):
        if right <= _TINY:
            break
        left, right = right, remainder(left, right)
    return abs(one * other) / left if left else nan


def _stepped(kind: str, options: Mapping[str, Any], value: Any) -> Any:
    """What a number's widget makes of a value: an INT of its step's grid, a FLOAT rounded."""
    if kind == "INT":
        return _integer(options, as_number(value))
    return _float(options, value) if kind == "FLOAT" else value


def _integer(options: Mapping[str, Any], value: float) -> float | None:
    step = _get(options, "step", 1) or 1
    if step == 1:
        return _json(nearest(value))
    offset = remainder(_get(options, "min", 0), step)
    return _json(nearest((value - offset) / step) * step + offset)


def _float(options: Mapping[str, Any], value: Any) -> Any:
    step = _get(options, "step", 0.5)
    digits = max(0, -floor(log10(step))) if step > 0 else 0
    grain = options.get("round") or (10.0**-digits if digits else 0)
    if not grain:
        return value
    rounded = fixed(nearest(as_number(value) / grain) * grain, digits)
    return _json(min(max(rounded, _get(options, "min", 0)), _get(options, "max", 2048)))


def _json(value: float) -> float | None:
    """JSON has no NaN: it becomes null."""
    return value if isfinite(value) else None
