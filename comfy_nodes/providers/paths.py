"""Dotted paths into JSON: `data.*.url`. Reading gives all that is there; writing makes what is missing."""

from __future__ import annotations

from itertools import pairwise
from typing import Any


def found(data: Any, path: str) -> list[Any]:
    """Every value at the path that is not null or an empty text; nothing if it leads nowhere."""
    here = [data]
    for step in path.split("."):
        here = [value for one in here for value in _members(one, step)]
    return [value for value in here if value is not None and value != ""]


def _members(data: Any, step: str) -> list[Any]:
    if isinstance(data, dict):
        return list(data.values()) if step == "*" else [data[step]] if step in data else []
    if isinstance(data, list):
        if step == "*":
            return data
        return [data[int(step)]] if step.isdigit() and int(step) < len(data) else []
    return []


def put(data: Any, path: str, value: Any) -> None:
    """Writes a value, with the objects and lists on the way.

    Errors: TypeError, ValueError or IndexError if something else is in the way.
    """
    steps = path.split(".")
    for step, after in pairwise(steps):
        data = _inside(data, step, [] if after == "+" or after.isdigit() else {})
    _set(data, steps[-1], value)


def taken(data: dict[str, Any], path: str) -> Any:
    """Takes the value at a path of objects out of the data; None if it is not there."""
    *steps, last = path.split(".")
    for step in steps:
        data = data.get(step, {}) if isinstance(data, dict) else {}
    return data.pop(last, None) if isinstance(data, dict) else None


def _inside(data: Any, step: str, empty: Any) -> Any:
    if isinstance(data, dict):
        return data.setdefault(step, empty)
    if isinstance(data, list):
        if step == "-":
            return data[-1]
        if step == "+" or int(step) == len(data):
            data.append(empty)
            return empty
        return data[int(step)]
    raise TypeError(step)


def _set(data: Any, step: str, value: Any) -> None:
    if isinstance(data, dict):
        data[step] = value
    elif isinstance(data, list) and (step == "+" or int(step) == len(data)):
        data.append(value)
    elif isinstance(data, list):
        data[int(step)] = value
    else:
        raise TypeError(step)
