"""The scenarios that the sandbox keeps to (tests/runner/engine/contract), on a real ComfyUI.

COMFYUI_HOME=~/ComfyUI pytest tests/acceptance/test_contract_real.py
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from exchange import Exchange
from real_comfyui import url, version

TABLE = yaml.safe_load((Path(__file__).parents[1] / "runner/engine/contract/scenarios.yaml").read_text())

pytestmark = pytest.mark.comfyui("empty")


@pytest.mark.parametrize("scenario", TABLE["scenarios"], ids=lambda scenario: scenario["why"])
async def test_comfyui_keeps_the_contract(scenario: dict[str, Any]) -> None:
    if scenario.get("version", version()) != version():
        pytest.skip(f"this is what {scenario['version']} does")
    exchange = Exchange(url(), TABLE["graphs"], random.randrange(10**6))
    try:
        for step in scenario["steps"]:
            kind = next((key for key in step if hasattr(exchange, f"do_{key}")), "")
            await exchange.perform({kind: step[kind], **step})
    finally:
        await exchange.close()
