"""The ext client on `comfyc serve` with a real ComfyUI behind it; tiny random weights will do.

COMFYUI_HOME=~/ComfyUI pytest -s tests/acceptance/test_ext_client_real.py
"""

from __future__ import annotations

from pathlib import Path

import pytest
from live_server import live_server, run_ext_client
from real_comfyui import url

SECONDS = 1800
"""Longest time for one job: SDXL takes half a minute for a step on a busy processor."""

pytestmark = [pytest.mark.comfyui("tiny"), pytest.mark.usefixtures("weights")]


def test_an_ext_client_is_served_by_a_real_comfyui(tmp_path: Path) -> None:
    with live_server(tmp_path, engine=url()) as server:
        printed = run_ext_client(server, tmp_path / "results", SECONDS)
    print(printed)
    assert printed.count("webhook received") == 5
