"""The engine's contract on the sandbox of both versions; on a real ComfyUI: tests/acceptance/test_contract_real.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from exchange import Exchange

from compiler import shipped_catalog
from runner.engine.sandbox import ops
from runner.engine.sandbox.node import NodeContext, NodeResult
from runner.engine.sandbox.server import Sandbox

TABLE = yaml.safe_load((Path(__file__).parent / "scenarios.yaml").read_text())


class SlowBlur:
    """The sandbox's nodes, but a wide blur takes a while, as on a real CPU: some scenarios act in the middle of it."""

    fingerprint = staticmethod(ops.fingerprint)
    takes_lists = staticmethod(ops.takes_lists)
    lazy_inputs = staticmethod(ops.lazy_inputs)

    def run_node(self, kind: str, inputs: Mapping[str, Any], context: NodeContext) -> NodeResult:
        if kind == "ImageBlur" and inputs["blur_radius"] >= 20:
            context.sleep(0.2)
            return NodeResult((inputs["image"],))
        return ops.run_node(kind, inputs, context)


@pytest_asyncio.fixture(params=["0.3.64", "0.8.0"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """(URL, version) of an engine."""
    async with Sandbox(shipped_catalog(request.param), tmp_path, ops=SlowBlur()) as sandbox:
        yield sandbox.url, request.param


@pytest.mark.parametrize("scenario", TABLE["scenarios"], ids=lambda scenario: scenario["why"])
async def test_the_engine_keeps_its_contract(engine: tuple[str, str], scenario: dict[str, Any]) -> None:
    url, version = engine
    if scenario.get("version", version) != version:
        pytest.skip(f"this is what {scenario['version']} does")
    exchange = Exchange(url, TABLE["graphs"], 7)
    try:
        for step in scenario["steps"]:
            kind = next((key for key in step if hasattr(exchange, f"do_{key}")), "")
            await exchange.perform({kind: step[kind], **step})
    finally:
        await exchange.close()
