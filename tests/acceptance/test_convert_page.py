"""The conversion cases, asked of ComfyUI's own page in a browser: it must send what the tables say.

Needs Playwright for Python and a Chromium (COMFYC_TEST_CHROMIUM=/path, else Playwright's own), and a ComfyUI of one of
the shipped versions; for another version the tables say nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import real_comfyui
import yaml
from workflows import workflow

from compiler import shipped_catalog, shipped_versions
from compiler.workflow import to_ui

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

FOLDER = Path(__file__).parents[1] / "compiler" / "workflow" / "cases"
OURS = ("errors", "shifts", "kept")
"""Tables in which comfyc does otherwise than the page, on purpose."""
CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in sorted(FOLDER.glob("*.yaml"))
    if path.stem not in OURS
    for case in yaml.safe_load(path.read_text())
]
CONVERT = """async (workflow) => {
  const quiet = {showMissingNodesDialog: false, showMissingModelsDialog: false}
  await window.app.loadGraphData(workflow, true, true, null, quiet)
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))
  return JSON.parse(JSON.stringify((await window.app.graphToPrompt()).output))
}"""

pytestmark = pytest.mark.comfyui("empty")


@pytest.fixture(scope="module")
def version() -> str:
    found = httpx2.get(f"{real_comfyui.url()}/system_stats").json()["system"]["comfyui_version"]
    if found not in shipped_versions():
        pytest.skip(f"the tables are for ComfyUI {' and '.join(shipped_versions())}; this is {found}")
    return str(found)


@pytest.fixture(scope="module")
def page(version: str) -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        path = os.environ.get("COMFYC_TEST_CHROMIUM")
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        opened = browser.new_page()
        opened.goto(real_comfyui.url(), timeout=120_000)
        opened.wait_for_function(
            "window.app?.graph && Object.keys(window.LiteGraph.registered_node_types).length > 400", timeout=120_000
        )
        opened.wait_for_timeout(3000)
        yield opened
        browser.close()


@pytest.mark.parametrize("case", CASES)
def test_the_page_sends_what_the_table_says(page: Any, version: str, case: dict[str, Any]) -> None:
    if case.get("only", version) != version:
        pytest.skip(f"for ComfyUI {case['only']}")
    api = page.evaluate(CONVERT, workflow(case))
    assert {node_id: [node.get("class_type"), node["inputs"]] for node_id, node in api.items()} == case["api"]


def test_the_page_opens_what_to_ui_makes(page: Any, version: str) -> None:
    for param in CASES:
        (case,) = param.values
        if case.get("only", version) == version:
            api = {
                node_id: {"class_type": kind, "inputs": inputs}
                for node_id, (kind, inputs) in case["api"].items()
                if kind
            }
            sent = page.evaluate(CONVERT, to_ui(api, shipped_catalog(version)))
            for node_id, node in api.items():
                kept = {name: sent[node_id]["inputs"].get(name) for name in node["inputs"]}
                assert kept == node["inputs"], (param.id, node_id)
