"""comfyc's node pack in the sandbox: loaded as ComfyUI loads it, run with torch where torch is installed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final

import numpy as np

PACK: Final = Path(__file__).resolve().parents[3] / "comfy_nodes"
NAME: Final = "comfyc_sandbox_pack"


@cache
def has_torch() -> bool:
    """Whether the pack's operations can run."""
    return find_spec("torch") is not None


@cache
def classes() -> Mapping[str, Any]:
    """The pack's node classes by name; needs no torch."""
    spec = spec_from_file_location(NAME, PACK / "__init__.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{PACK} is no package")
    module = module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    return module.NODE_CLASS_MAPPINGS


def part(name: str) -> Any:
    """A module of the pack, `ops.regions`."""
    classes()
    return import_module(f"{NAME}.{name}")


def run(kind: str, inputs: Mapping[str, Any]) -> tuple[Any, ...]:
    """Runs a class of the pack on arrays, as tensors; returns arrays again. Errors: those of the node."""
    node = classes()[kind]()
    given = {name: _tensor(value) for name, value in inputs.items() if name in _taken(node)}
    return tuple(_array(value) for value in getattr(node, node.FUNCTION)(**given))


def _taken(node: Any) -> set[str]:
    declared = node.INPUT_TYPES()
    return {name for group in ("required", "optional") for name in declared.get(group, ())}


def _tensor(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    writable: Any = np.array(value, np.float32)  # a copy: what comes from the cache must not change
    return import_module("torch").from_numpy(writable)


def _array(value: Any) -> Any:
    return value.detach().float().cpu().numpy() if hasattr(value, "detach") else value
