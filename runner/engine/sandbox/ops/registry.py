"""The registry of node implementations: class name → function, found by file.

An implementation is a plain function whose parameters are the node's inputs by name. It may also take `context` (the
NodeContext), `inputs` (every input by its name in the prompt, dotted ones included). It returns one value, a tuple of
values (one for each output slot), or a NodeResult.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from runner.engine.sandbox.node import NodeContext, NodeResult
from runner.engine.sandbox.ops.values import floats


@dataclass(frozen=True)
class Entry:
    """One implementation."""

    function: Callable[..., Any]
    parameters: Mapping[str, inspect.Parameter]
    raw: bool
    """Takes pictures as they are, uint8 or float32; otherwise they are handed over as float32."""
    lists: bool
    """Takes every input as a list (ComfyUI's INPUT_IS_LIST)."""


OPS: Final[dict[str, Entry]] = {}
F = TypeVar("F", bound=Callable[..., Any])
SPECIAL: Final = frozenset({"context", "inputs"})


def op(*kinds: str, raw: bool = False, lists: bool = False) -> Callable[[F], F]:
    """Registers a function as the implementation of the named node classes.

    Errors: ValueError if a class has two implementations.
    """

    def register(function: F) -> F:
        for kind in kinds:
            if kind in OPS:
                raise ValueError(f"{kind} has two implementations")
            OPS[kind] = Entry(function, inspect.signature(function).parameters, raw, lists)
        return function

    return register


def load() -> None:
    """Imports every module beside this one, once, so that their ops register."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem != "__init__":
            import_module(f"{__package__}.{path.stem}")


def call(entry: Entry, inputs: Mapping[str, Any], context: NodeContext) -> NodeResult:
    """Runs an implementation with those of the inputs that it takes."""
    given = inputs if entry.raw else {name: _as_floats(value) for name, value in inputs.items()}
    named = {name: value for name, value in given.items() if name in entry.parameters and name not in SPECIAL}
    if "context" in entry.parameters:
        named["context"] = context
    if "inputs" in entry.parameters:
        named["inputs"] = given
    return as_result(entry.function(**named))


def as_result(value: Any) -> NodeResult:
    """What an implementation returned, as a NodeResult."""
    if isinstance(value, NodeResult):
        return value
    return NodeResult(value if isinstance(value, tuple) else (value,))  # type: ignore[reportUnknownArgumentType]


def _as_floats(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_floats(item) for item in value]  # type: ignore[reportUnknownVariableType]
    return floats(value) if isinstance(value, np.ndarray) and value.dtype == np.uint8 else value  # type: ignore[reportUnknownArgumentType]
