"""The ext client on `comfyc serve` with a real ComfyUI behind it; tiny random weights will do.

tests/acceptance/tiny/link_models.py BASE/models --tiny FOLDER
COMFYC_ENGINE_URL=http://127.0.0.1:8188 pytest -s tests/acceptance/test_ext_client_real.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from live_server import live_server, run_ext_client

URL = os.environ.get("COMFYC_ENGINE_URL", "")
SECONDS = 1800
"""Longest time for one job: SDXL takes half a minute for a step on a busy processor."""

pytestmark = [pytest.mark.comfyui, pytest.mark.skipif(not URL, reason="needs COMFYC_ENGINE_URL")]


def test_an_ext_client_is_served_by_a_real_comfyui(tmp_path: Path) -> None:
    with live_server(tmp_path, engine=URL) as server:
        printed = run_ext_client(server, tmp_path / "results", SECONDS)
    print(printed)
    assert printed.count("webhook received") == 5
