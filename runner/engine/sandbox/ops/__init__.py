"""Node implementations of the sandbox, by topic; see `registry` for how one is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.engine.sandbox.node import Interrupted, NodeContext, NodeFailure, NodeResult
from runner.engine.sandbox.ops import registry
from runner.engine.sandbox.ops.files import fingerprint, input_problem
from runner.engine.sandbox.ops.generic import run_generic

__all__ = ["fingerprint", "implemented", "input_problem", "lazy_inputs", "run_node", "takes_lists"]

registry.load()

LAZY: Mapping[str, tuple[str, Mapping[bool, tuple[str, ...]]]] = {
    "ComfySwitchNode": ("switch", {True: ("on_true",), False: ("on_false",)}),
}
"""Node classes that need only some of their links: the deciding input, and what each of its values needs."""


def run_node(kind: str, inputs: Mapping[str, Any], context: NodeContext) -> NodeResult:
    """Runs one node. `inputs` are all values by their names in the prompt (dotted for dynamic inputs), links resolved.

    Errors: NodeFailure, with the exception type that ComfyUI would report; Interrupted.
    """
    entry = registry.OPS.get(kind)
    filled = {**_defaults(context), **inputs}
    try:
        return registry.call(entry, filled, context) if entry else run_generic(kind, filled, context)
    except (NodeFailure, Interrupted):
        raise
    except Exception as error:
        raise NodeFailure(_qualified(type(error)), str(error)) from error


def implemented(kind: str) -> bool:
    """True if the class has an implementation of its own (others run as symbols, or refuse)."""
    return kind in registry.OPS


def takes_lists(kind: str) -> bool:
    """True if the class takes every input as a list and runs once (ComfyUI's INPUT_IS_LIST)."""
    entry = registry.OPS.get(kind)
    return entry is not None and entry.lists


def lazy_inputs(kind: str, inputs: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The links that the node needs for the values given; None if it needs all of them."""
    if kind not in LAZY:
        return None
    name, needs = LAZY[kind]
    return needs[bool(inputs.get(name))]


def _defaults(context: NodeContext) -> dict[str, Any]:
    optional = (spec for spec in context.schema.by_name.values() if not spec.required)
    return {spec.name: spec.options["default"] for spec in optional if "default" in spec.options}


def _qualified(kind: type[BaseException]) -> str:
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
