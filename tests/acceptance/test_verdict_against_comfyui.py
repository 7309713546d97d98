"""Our verdict beside a real ComfyUI's, on random graphs.

    COMFYUI_HOME=~/ComfyUI [COMFYC_TEST_SEED=1] [COMFYC_TEST_CASES=500] \\
        pytest tests/acceptance/test_verdict_against_comfyui.py -s

Graphs that we hold for deadly are not sent. What was accepted is taken from the queue again.
"""

from __future__ import annotations

import json
import os
from typing import Any

import httpx2
import pytest
from mutants import Mutants, in_every_order, ours, theirs
from real_comfyui import url

from compiler.catalog import Catalog
from compiler.catalog_parse import parse_catalog
from compiler.check.verdict import verdict

SEED = int(os.environ.get("COMFYC_TEST_SEED", "1"))
CASES = int(os.environ.get("COMFYC_TEST_CASES", "300"))
AGREEMENT = 0.98
"""The share of graphs that must agree wholly; the rest hangs on the order of Python sets and on nodes' own checks."""

pytestmark = pytest.mark.comfyui("empty")


def test_our_verdict_is_the_servers() -> None:
    with httpx2.Client(base_url=url(), timeout=60) as http:
        version = http.get("/system_stats").json()["system"]["comfyui_version"]
        catalog = parse_catalog(http.get("/object_info").json(), version=version)
        mutants, files = Mutants(catalog, SEED), _files(catalog)
        odd: list[str] = []
        statuses: dict[int, int] = {}
        sent = 0
        while sent < CASES:
            prompt = mutants.prompt()
            said = verdict(prompt, catalog, files=files.__contains__)
            if said.deadly:
                continue
            sent += 1
            found = _ask(http, prompt)
            statuses[found[0]] = statuses.get(found[0], 0) + 1
            if not any(_judge(same, catalog, files) == found for same in in_every_order(prompt, catalog)):
                odd.append(json.dumps({"prompt": prompt, "ours": ours(said), "theirs": found}))
    print(f"\nComfyUI {version}, seed {SEED}: {sent - len(odd)} of {sent} graphs agree; answers {statuses}")
    print("\n".join(line[:3000] for line in odd[:10]))
    assert len(odd) <= sent * (1 - AGREEMENT)


def _files(catalog: Catalog) -> frozenset[Any]:
    """The input files that the engine lists."""
    return frozenset(
        value
        for schema in catalog.nodes.values()
        for spec in schema.inputs
        if schema.name.startswith("Load")
        for value in spec.values or ()
    )


def _judge(prompt: dict[str, Any], catalog: Catalog, files: frozenset[Any]) -> tuple[int, Any]:
    return ours(verdict(prompt, catalog, files=files.__contains__))


def _ask(http: httpx2.Client, prompt: dict[str, Any]) -> tuple[int, Any]:
    answer = http.post("/prompt", json={"prompt": prompt})
    if answer.status_code == 200:
        http.post("/queue", json={"clear": True})
        http.post("/interrupt", json={})
    body = answer.json() if answer.status_code != 500 else None
    return theirs(answer.status_code, body)
