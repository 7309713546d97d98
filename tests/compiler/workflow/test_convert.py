"""Workflows in ComfyUI's own format → the graphs that its page sends, case by case; the cases lie in cases/*.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from workflows import workflow

from compiler import shipped_catalog, shipped_versions
from compiler.workflow import WorkflowError, convert

CASES = [
    pytest.param(case, version, id=f"{path.stem}: {case['name']} {version}")
    for path in sorted((Path(__file__).parent / "cases").glob("*.yaml"))
    for case in yaml.safe_load(path.read_text())
    for version in ([case["only"]] if "only" in case else shipped_versions())
]


def short(api: Any) -> dict[str, Any]:
    """`{id: [class, inputs]}`."""
    return {node_id: [node.get("class_type"), node["inputs"]] for node_id, node in (api or {}).items()}


@pytest.mark.parametrize(("case", "version"), CASES)
def test_case(case: dict[str, Any], version: str) -> None:
    try:
        made = convert(workflow(case), shipped_catalog(version))
        api, findings, faults = made.api, made.findings, []
    except WorkflowError as error:
        api, findings, faults = error.api, error.findings, list(error.faults)
    assert len(faults) == len(case.get("errors", ())), faults
    for fault, expected in zip(faults, case.get("errors", ()), strict=True):
        assert expected in str(fault)
        assert fault.cure
    if "api" in case:
        assert short(api) == case["api"]
        assert [list(node["inputs"]) for node in api.values()] == [list(inputs) for _, inputs in case["api"].values()]
        assert list(api) == list(case["api"])
        assert sorted({finding.code for finding in findings}) == sorted(case.get("findings", ()))
