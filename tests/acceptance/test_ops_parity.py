"""The same small graphs on a real ComfyUI and through the sandbox's nodes: sizes equal, pixels within a tolerance.

COMFYUI_HOME=~/ComfyUI pytest tests/acceptance/test_ops_parity.py

The cases are in ops_parity.yaml; tests/support/graph_table.py says how they are written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from graph_table import compare
from ops_runner import OpsRunner

from compiler.catalog import Catalog

CASES = yaml.safe_load((Path(__file__).parent / "ops_parity.yaml").read_text())
pytestmark = pytest.mark.comfyui("tiny")

TINY = "tiny_"
"""How the weights begin that the cases with `needs: tiny` name: small and random, so only sizes are compared."""


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_same_as_comfyui(case: dict[str, Any], comfy: httpx2.Client, catalog: Catalog, sandbox: OpsRunner) -> None:
    kinds = {kind for kind, _ in case["nodes"].values()}
    if missing := sorted(kinds - set(catalog.nodes)):
        pytest.skip(f"{catalog.version} has no {missing}")
    if case.get("since", "") > catalog.version:
        pytest.skip(f"not in {catalog.version}")
    if case.get("needs") and not any(TINY in str(name) for name in catalog.files("vae") or ()):
        pytest.skip("needs tiny weights")
    compare(case, comfy, catalog, sandbox)
