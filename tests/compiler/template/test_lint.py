"""What lint says, case by case (lint.yaml)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from compiling import library, target

from compiler.template.authoring import lint_folder

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "lint.yaml").read_text())
GRAPH = {
    "picture": {
        "class_type": "EmptyImage",
        "inputs": {"width": "{{ width }}", "height": 8, "batch_size": 1, "color": 0},
    },
    "save": {"class_type": "SaveImage", "inputs": {"images": ["picture", 0], "filename_prefix": "x"}},
}
MANIFEST = {
    "title": "A black picture",
    "params": {"width": {"type": "integer", "default": 8}},
    "wires": {"image": {"source": ["picture", 0], "type": "IMAGE"}},
    "outputs": {"image": {"node": "save", "kind": "image"}},
    "examples": [{"title": "as it is"}],
}


def merged(right: Any, change: Any) -> Any:
    """`right` with the members of `change` in place of its own; null takes one away."""
    if not isinstance(right, dict) or not isinstance(change, dict):
        return change
    keys = [*right, *(key for key in change if key not in right)]
    both = {key: merged(right.get(key), change[key]) if key in change else right[key] for key in keys}
    return {key: value for key, value in both.items() if value is not None}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_lint_says(case: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "own" / "made"
    folder.mkdir(parents=True)
    (folder / "graph.json").write_text(json.dumps(merged(GRAPH, case.get("graph", {}))))
    (folder / "manifest.json").write_text(json.dumps(merged(MANIFEST, case.get("manifest", {}))))
    said = [str(fault) for fault in lint_folder(folder, library(), target("0.8.0"))]
    assert len(said) == len(case["said"]), said
    for start in case["said"]:
        assert any(one.startswith(start) for one in said), (start, said)


def test_a_folder_that_lacks_a_file(tmp_path: Path) -> None:
    (tmp_path / "own" / "made").mkdir(parents=True)
    said = [str(fault) for fault in lint_folder(tmp_path / "own" / "made", library(), target("0.8.0"))]
    assert said == ["manifest.json: No such file or directory. Write manifest.json"]
