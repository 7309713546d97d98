"""Our verdict beside a real ComfyUI's, on spoilt graphs. `differential.py` alone takes any URL, seed and count.

    COMFYUI_HOME=~/ComfyUI [COMFYC_TEST_SEED=1] [COMFYC_TEST_CASES=500] \\
        pytest tests/acceptance/test_verdict_against_comfyui.py -s
"""

from __future__ import annotations

import json
import os

import httpx2
import pytest
from differential import compare
from real_comfyui import url

SEED = int(os.environ.get("COMFYC_TEST_SEED", "1"))
CASES = int(os.environ.get("COMFYC_TEST_CASES", "300"))

pytestmark = pytest.mark.comfyui("empty")


@pytest.mark.parametrize("catalog", ["live", "shipped"])
def test_our_verdict_is_the_servers(catalog: str) -> None:
    with httpx2.Client(base_url=url(), timeout=60, trust_env=False) as http:
        report = compare(http, SEED, CASES, shipped=catalog == "shipped")
    print(f"\n{report}")
    assert report.odd == [], "\n".join(json.dumps(case)[:3000] for case in report.odd[:10])
