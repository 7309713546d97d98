"""Our conversion beside that of ComfyUI's own page, on random workflows: subgraphs, groups, modes, odd values.

    python tests/acceptance/convert_differential.py URL [--seed 1] [--count 200] [--keep DIR]

Each workflow is loaded by the page in a headless Chromium and turned into a prompt there; ours must be equal: ids and
their order, classes, titles, inputs and their order. Where the page fails, we must name a fault. Needs Playwright and a
Chromium (COMFYC_TEST_CHROMIUM=/path, else Playwright's own). --keep writes what differs. Exit code 1 if anything does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1] / "support")]

import httpx2  # noqa: E402
from playwright.sync_api import Page, sync_playwright  # noqa: E402
from wild_workflows import Wild  # noqa: E402

from compiler import parse_catalog  # noqa: E402
from compiler.catalog import Catalog  # noqa: E402
from compiler.workflow import WorkflowError, convert  # noqa: E402

LOADED = "window.app?.graph && Object.keys(window.LiteGraph.registered_node_types).length > 400"
SENT = """async (workflow) => {
  const quiet = {showMissingNodesDialog: false, showMissingModelsDialog: false}
  try {
    await window.app.loadGraphData(workflow, true, true, null, quiet)
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 20))))
    return {api: JSON.parse(JSON.stringify((await window.app.graphToPrompt()).output))}
  } catch (error) { return {error: String(error)} }
}"""
WARNED = ("unknown", "shifted")
"""Faults for which the page sends a prompt all the same."""


def opened(browser: Any, url: str) -> Page:
    """ComfyUI's page, ready to load workflows."""
    page = browser.new_page()
    page.goto(url, timeout=120_000)
    page.wait_for_function(LOADED, timeout=120_000)
    page.wait_for_timeout(3000)
    return page


def differences(workflow: dict[str, Any], catalog: Catalog, sent: dict[str, Any]) -> list[str]:
    """What is not equal."""
    try:
        made = convert(workflow, catalog, now=datetime.now())
        api, faults = made.api, ()
    except WorkflowError as error:
        api, faults = error.api or {}, error.faults
    if "error" in sent:
        return [] if faults else [f"the page fails: {sent['error']}"]
    refused = [f"refused: {fault}" for fault in faults if fault.code not in WARNED]
    return refused or unequal(plain(api), plain(sent["api"]))


def plain(api: Mapping[str, Any]) -> dict[str, Any]:
    """Nodes as (class, title, inputs as pairs), without what depends on the server's files."""
    found: dict[str, Any] = {}
    for node_id, node in api.items():
        inputs = {} if node.get("class_type") == "LoadImageOutput" else node["inputs"]
        found[node_id] = (node.get("class_type"), node["_meta"].get("title"), list(inputs.items()))
    return found


def unequal(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    if list(ours) != list(theirs):
        return [f"nodes: ours {list(ours)}, the page's {list(theirs)}"]
    return [f"node {key}: ours {ours[key]}, the page's {theirs[key]}" for key in ours if ours[key] != theirs[key]]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="a folder for workflows that differ")
    args = parser.parse_args()
    version = httpx2.get(f"{args.url}/system_stats").json()["system"]["comfyui_version"]
    catalog = parse_catalog(httpx2.get(f"{args.url}/object_info", timeout=60).json(), version=version)
    wild, counted = Wild(catalog, args.seed), Counter[str]()
    with sync_playwright() as started:
        path = os.environ.get("COMFYC_TEST_CHROMIUM")
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = opened(browser, args.url)
        for number in range(args.count):
            workflow = wild.workflow()
            sent = page.evaluate(SENT, workflow)
            odd = differences(json.loads(json.dumps(workflow)), catalog, sent)
            counted["odd" if odd else "fails" if "error" in sent else "equal"] += 1
            if odd:
                print(f"#{number}", *odd[:4], sep="\n  ")
            if odd and args.keep:
                kept = args.keep / f"{version}-{args.seed}-{number}.json"
                kept.write_text(json.dumps({"workflow": workflow, "sent": sent}))
        browser.close()
    agree = counted["equal"] + counted["fails"]
    print(f"ComfyUI {version}, seed {args.seed}: {agree} of {args.count} workflows agree")
    print(f"of these  {counted['fails']} on which the page fails")
    return 1 if counted["odd"] else 0


if __name__ == "__main__":
    sys.exit(main())
