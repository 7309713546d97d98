"""Saved values that do not fit their widgets: shifted ones, which fit the neighbours, and merely odd ones.

widgets_values has no names. When a class gains or loses a widget, or a file lacks the entry of control_after_generate,
every later value lands in another widget, and the page runs with it. A shift is told by this: some values do not fit
where they stand, and all of them do once one entry is taken out, or one is put in, or one is moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from compiler.workflow.layout import CONTROL, WidgetSpec
from compiler.workflow.model import ABSENT

CONTROLS: Final = ("fixed", "increment", "decrement", "randomize", "increment-wrap")
_HOLE: Final = -1
"""Stands where a value is thought to be missing."""
_TYPES: Final = {"STRING": str, "BOOLEAN": bool}
_PLAIN: Final = {**_TYPES, "INT": int, "FLOAT": float}
"""Kind → the type of values that fit it without a further look."""
_MOST: Final = 64
"""Widgets of a node up to which a shift is looked for: moves are tried pair by pair."""


def fits_widget(spec: WidgetSpec, value: Any) -> bool:
    """Whether a value is of the widget's type and among its choices; a null fits anywhere, ranges do not count."""
    if value is None or value is ABSENT or value.__class__ is _PLAIN.get(spec.kind):
        return True
    if spec.name == CONTROL and not spec.kind:
        return isinstance(value, bool) or value in CONTROLS
    if spec.kind in _TYPES:
        return isinstance(value, _TYPES[spec.kind])
    if spec.kind in {"INT", "FLOAT"}:
        return value.__class__ is int or (isinstance(value, float) and (spec.kind == "FLOAT" or value.is_integer()))
    if spec.kind == "COMBO" and spec.spec is not None:
        choices = spec.spec.values
        if value.__class__ is str and (not choices or value in choices):
            return True
        return isinstance(value, (str, int, float)) if not choices or spec.spec.is_upload else value in choices
    return True


def shift(specs: Sequence[WidgetSpec], values: Sequence[Any]) -> str:
    """Which value stands in a neighbour's place, for a message; an empty string if none does.

    `specs` are the saved widgets in order.
    """
    if len(specs) > _MOST:
        return ""
    wrong = [index for index, pair in enumerate(zip(specs, values, strict=False)) if not fits_widget(*pair)]
    for guess in _guesses(len(values), len(specs), wrong) if wrong else ():
        moved = [(index, guess.index(index)) for index in wrong if index in guess]
        if len(moved) < max(1, len(wrong) - 1):
            continue
        if all(index == _HOLE or fits_widget(spec, values[index]) for spec, index in zip(specs, guess, strict=False)):
            index, place = moved[0]
            return f"{_short(values[index])} stands at {specs[index].name}, but fits {specs[place].name}"
    return ""


def _guesses(values: int, widgets: int, wrong: Sequence[int]) -> Iterator[list[int]]:
    """Which value each widget may have been meant for: one is missing, or one too many, or one was moved.

    Each guess lists numbers of values in the order of the widgets.
    """
    every, last = list(range(values)), min(wrong[-1] + 1, widgets)
    if values < widgets:
        yield from ([*every[:place], _HOLE, *every[place:]] for place in range(last))
    if values > widgets:
        yield from ([*every[:place], *every[place + 1 :]][:widgets] for place in range(last))
    if values >= widgets and len(wrong) > 1:
        for source in range(widgets):
            rest = [*every[:source], *every[source + 1 : widgets]]
            yield from ([*rest[:target], source, *rest[target:]] for target in range(widgets))
            yield from ([*rest[:target], _HOLE, *rest[target:]] for target in range(widgets))


def odd(widgets: Iterable[tuple[WidgetSpec, Any]]) -> Iterator[tuple[str, str]]:
    """(widget, what is odd) of sent values that are not of the declared type or not among the choices."""
    for spec, value in widgets:
        if spec.sent and spec.spec is not None and not fits_widget(spec, value):
            known = "is not among the choices" if spec.kind == "COMBO" else f"is no {spec.kind}"
            yield spec.name, f"{_short(value)} {known}"


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}…"
