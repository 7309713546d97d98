"""comfyc's own nodes on a real ComfyUI: declared as our catalog says, and giving what they give on the sandbox.

COMFYUI_HOME=~/ComfyUI pytest tests/acceptance/test_nodes_real.py

The graphs are in nodes_real.yaml. Where torch is missing beside the tests, the sandbox has placeholders, and only sizes
are compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from graph_table import compare
from ops_runner import OpsRunner

from compiler import own_nodes
from compiler.catalog import Catalog
from runner.engine.sandbox.pack import has_torch

TABLE = yaml.safe_load((Path(__file__).parent / "nodes_real.yaml").read_text())
CASES: list[dict[str, Any]] = TABLE["cases"]
pytestmark = pytest.mark.comfyui("empty")


@pytest.mark.parametrize("name", own_nodes().nodes)
def test_declared_as_in_the_catalog(name: str, catalog: Catalog) -> None:
    assert name in catalog.nodes, "link the pack and start ComfyUI again"
    ours, theirs = own_nodes().nodes[name], catalog.nodes[name]
    assert theirs.inputs == ours.inputs
    assert theirs.outputs == ours.outputs
    assert (theirs.category, theirs.output_node) == (ours.category, ours.output_node)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_runs_as_on_the_sandbox(
    case: dict[str, Any], comfy: httpx2.Client, catalog: Catalog, sandbox: OpsRunner
) -> None:
    if case.get("since", "") > catalog.version:
        pytest.skip(f"not in {catalog.version}")
    compare(case if has_torch() else {**case, "only": "sizes"}, comfy, catalog, sandbox)
