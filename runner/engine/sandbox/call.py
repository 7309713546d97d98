"""How a node is called: its inputs as lists, one call for each item, results joined again (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from compiler.catalog import DYNAMIC_COMBO, NodeSchema
from compiler.check.deadly import is_link
from runner.engine.sandbox.cache import Entry
from runner.engine.sandbox.node import NodeResult

_LONGEST_SHOWN = 1000


def arguments(
    schema: NodeSchema, inputs: Mapping[str, Any], results: Callable[[str], Entry | None]
) -> dict[str, list[Any]]:
    """Every input as a list of values: one plain value, or all values of a linked slot.

    Plain values that are not declared are dropped; links are followed even then. A link whose source has not run
    (a lazy one) is left out.
    """
    active = schema.active(inputs)
    found: dict[str, list[Any]] = {}
    for name, value in inputs.items():
        if is_link(value) and not (name in active and active[name].type == DYNAMIC_COMBO):
            entry = results(value[0])
            if entry is not None:
                found[name] = entry.slots[int(value[1])] if int(value[1]) < len(entry.slots) else [None]
        elif name in active:
            found[name] = [value]
    return found


def by_item(given: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """One call for each item of the longest list; shorter lists repeat their last item; an empty list: no call."""
    if any(not values for values in given.values()):
        return []
    count = max((len(values) for values in given.values()), default=1)
    return [{name: values[min(index, len(values) - 1)] for name, values in given.items()} for index in range(count)]


def merged_slots(results: list[NodeResult]) -> tuple[list[Any], ...]:
    """The values of each slot over all calls; a slot that gives a list is joined, others are collected."""
    if not results:
        return ()
    slots: list[list[Any]] = [[] for _ in results[0].outputs]
    for result in results:
        for index, value in enumerate(result.outputs):
            if index < len(result.list_outputs) and result.list_outputs[index]:
                slots[index].extend(value)
            else:
                slots[index].append(value)
    return tuple(slots)


def merged_ui(results: list[NodeResult]) -> dict[str, Any] | None:
    """What the calls showed, joined key by key; None if they showed nothing."""
    shown = [result.ui for result in results if result.ui is not None]
    if not shown:
        return None
    return {key: [item for ui in shown for item in ui.get(key, ())] for key in shown[0]}


def bad_call(schema: NodeSchema, inputs: Mapping[str, Any]) -> str:
    """Python's complaint where inputs that validation lets pass do not fit the node's function; empty if they do."""
    active = schema.active(inputs)
    for name, value in inputs.items():
        if name not in active and is_link(value):
            return f"{schema.name}.execute() got an unexpected keyword argument {name!r}"
    for spec in schema.by_name.values():
        if spec.branches and is_link(inputs.get(spec.name)):
            return "string indices must be integers, not 'str'"
        key = inputs.get(spec.name)
        if spec.required and spec.branches and not (isinstance(key, str) and key in spec.branches):
            return f"{schema.name}.execute() missing 1 required positional argument: {spec.name!r}"
        if spec.required and spec.autogrow and not any(name.startswith(f"{spec.name}.") for name in active):
            return f"{schema.name}.execute() missing 1 required positional argument: {spec.name!r}"
    return ""


def shown_inputs(given: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """A failed node's inputs as execution_error shows them: plain values as they are, others as text."""
    return {name: [_shown(value) for value in values] for name, values in given.items()}


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, (int, float, bool, str)):
        return value
    return str(value)[:_LONGEST_SHOWN]
