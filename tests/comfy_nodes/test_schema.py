"""The pack as ComfyUI loads it. No torch: ComfyUI only logs a pack that fails to load, so these must fail instead."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from compiler import own_nodes, parse_catalog

PACK = Path(__file__).resolve().parents[2] / "comfy_nodes"


def load(folder: Path) -> ModuleType:
    """As ComfyUI does: the folder's __init__.py, under a name made of its path."""
    name = str(folder).replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, folder / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pack(tmp_path: Path) -> ModuleType:
    folder = tmp_path / "any name-1.0"
    folder.symlink_to(PACK, target_is_directory=True)
    return load(folder)


def object_info(node: Any) -> dict[str, Any]:
    """What GET /object_info says of a class of the V1 contract."""
    declared = node.INPUT_TYPES()
    return {
        "input": declared,
        "output": list(node.RETURN_TYPES),
        "output_name": list(node.RETURN_NAMES),
        "output_node": getattr(node, "OUTPUT_NODE", False),
        "category": node.CATEGORY,
    }


def test_loads_from_any_folder_name(pack: ModuleType) -> None:
    assert "ComfycQwenEditEncode" in pack.NODE_CLASS_MAPPINGS
    assert set(pack.NODE_DISPLAY_NAME_MAPPINGS) == set(pack.NODE_CLASS_MAPPINGS)


def test_schemas_are_those_of_the_shipped_table(pack: ModuleType) -> None:
    given = parse_catalog({name: object_info(node) for name, node in pack.NODE_CLASS_MAPPINGS.items()})
    assert given.nodes.keys() == own_nodes().nodes.keys()
    for name, schema in own_nodes().nodes.items():
        assert given.nodes[name].inputs == schema.inputs, name
        assert given.nodes[name].outputs == schema.outputs, name
        assert given.nodes[name].category == schema.category, name
        assert given.nodes[name].output_node == schema.output_node, name


def test_classes_are_whole(pack: ModuleType) -> None:
    for name, node in pack.NODE_CLASS_MAPPINGS.items():
        assert name.startswith("Comfyc")
        declared = node.INPUT_TYPES()
        inputs = {key: spec for group in declared.values() for key, spec in group.items()}
        taken = list(inspect.signature(getattr(node, node.FUNCTION)).parameters)[1:]
        assert taken == list(inputs), f"{name}: the function takes other inputs than are declared"
        assert all(spec[1]["tooltip"] for spec in inputs.values()), f"{name}: an input without a tooltip"
        assert len(node.RETURN_TYPES) == len(node.RETURN_NAMES) == len(node.OUTPUT_TOOLTIPS)
        assert node.__doc__
        assert node.DESCRIPTION


def test_optional_inputs_may_be_left_out(pack: ModuleType) -> None:
    for node in pack.NODE_CLASS_MAPPINGS.values():
        parameters = inspect.signature(getattr(node, node.FUNCTION)).parameters
        optional = node.INPUT_TYPES().get("optional", {})
        assert all(parameters[name].default is None for name in optional)


def test_knows_nothing_of_the_rest_of_comfyc() -> None:
    for file in PACK.rglob("*.py"):
        for line in file.read_text().splitlines():
            assert not line.strip().startswith(("import compiler", "from compiler", "import runner", "from runner"))
