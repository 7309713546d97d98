"""The Fusara client on `comfyc serve` with a real ComfyUI behind it; tiny random weights will do.

COMFYUI_HOME=~/ComfyUI pytest -s tests/acceptance/test_fusara_client_real.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from live_server import ROOT, live_server
from real_comfyui import url

SECONDS = 1800
"""Longest time for one task."""

pytestmark = [pytest.mark.comfyui("tiny"), pytest.mark.usefixtures("weights")]


def test_a_client_of_the_contract_is_served_by_a_real_comfyui(tmp_path: Path) -> None:
    with live_server(tmp_path, engine=url()) as server:
        command = [sys.executable, str(ROOT / "tests/acceptance/fusara_client.py"), "--base", server.base]
        command += ["--key", server.keys["t0"], "--steps", "1", "--seconds", str(SECONDS)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr + server.log.read_text()[-3000:]
    print(done.stdout)
    assert done.stdout.count("ok ") == 7
