"""Workflows beside the graphs that real pages sent for them.

    COMFYC_TEST_WORKFLOWS=0.3.64=DIR:0.8.0=DIR pytest tests/acceptance/test_convert_truth.py

A folder holds NAME.ui.json and NAME.api.json; where the page fails on a workflow, the second is not there. Compared
without `_meta` and without LoadImageOutput's `image` and `refresh`, which depend on the server's files.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from compiler import shipped_catalog
from compiler.workflow import WorkflowError, convert, to_ui

FOLDERS = [word.partition("=") for word in os.environ.get("COMFYC_TEST_WORKFLOWS", "").split(os.pathsep) if word]
FILES = [
    pytest.param(version, path, id=f"{version}/{path.name.removesuffix('.ui.json')}")
    for version, _, folder in FOLDERS
    for path in sorted(Path(folder).glob("*.ui.json"))
]

pytestmark = pytest.mark.skipif(not FILES, reason="COMFYC_TEST_WORKFLOWS is not set")


def compared(api: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node_id, node in api.items():
        kind, volatile = node.get("class_type"), {"image", "refresh"}
        drop = volatile if kind == "LoadImageOutput" else set()
        found[node_id] = (kind, {name: value for name, value in node["inputs"].items() if name not in drop})
    return found


@pytest.mark.parametrize(("version", "path"), FILES)
def test_the_page_sends_the_same(version: str, path: Path) -> None:
    truth = path.with_name(path.name.replace(".ui.json", ".api.json"))
    api: Any
    try:
        api, faults = convert(json.loads(path.read_bytes()), shipped_catalog(version)).api, ()
    except WorkflowError as error:
        api, faults = error.api, error.faults
    if not truth.exists():
        assert faults
        return
    expected = json.loads(truth.read_bytes())
    assert compared(api) == compared(expected)
    assert all("class_type" in node for node in expected.values()) or {fault.code for fault in faults} == {"unknown"}


@pytest.mark.parametrize(("version", "path"), FILES)
def test_its_graph_comes_back(version: str, path: Path) -> None:
    truth = path.with_name(path.name.replace(".ui.json", ".api.json"))
    if not truth.exists():
        return
    api, catalog = json.loads(truth.read_bytes()), shipped_catalog(version)
    if any("class_type" not in node for node in api.values()):
        with pytest.raises(WorkflowError, match="has no class_type"):
            to_ui(api, catalog)
        return
    assert convert(to_ui(api, catalog), catalog).api == api
