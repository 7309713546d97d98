"""Engines from the `--engine` value."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from engines import FAST, drive, eventually, submission

from compiler import shipped_catalog
from runner.engine.base import Ending, Health
from runner.engine.home import SetupError
from runner.engine.instance import Standing
from runner.engine.open import EngineSpecError, SandboxEngine, open_engines
from runner.engine.options import EngineOptions
from runner.engine.pool import Pool
from runner.engine.sandbox.faults import Fault


@pytest.fixture
def options(tmp_path: Path) -> EngineOptions:
    return EngineOptions(tmp_path, instances=2, sandbox_catalog=shipped_catalog("0.8.0"), timing=FAST)


async def test_sandboxes_are_started_and_end_with_close(options: EngineOptions) -> None:
    engines = await open_engines("sandbox", options)
    assert [engine.name for engine in engines] == ["sandbox-0", "sandbox-1"]
    assert [(await drive(engine, submission(fresh=True)))[1].ending for engine in engines] == [Ending.SUCCESS] * 2  # type: ignore[arg-type]
    await asyncio.gather(*(engine.close() for engine in engines))
    (again,) = await open_engines(engines[0].base_url, options)  # type: ignore[attr-defined]
    assert await again.health() is Health.REFUSED
    await again.close()


async def test_a_sandbox_whose_device_fails_is_restarted_by_the_pool(options: EngineOptions) -> None:
    engines = await open_engines("sandbox", options)
    first = engines[0]
    assert isinstance(first, SandboxEngine)
    pool = Pool(engines, watch_s=0.05)
    await pool.start()
    before = pool.instances()[0].boot
    first.sandbox.faults.add([Fault("device_fault")])
    assert (await drive(first, submission(fresh=True)))[1].device_fault
    pool.latch(first.name, "its device failed")
    await eventually(lambda: pool.instances()[0].standing is Standing.READY)
    assert pool.instances()[0].boot != before
    assert (await drive(first, submission(fresh=True)))[1].ending is Ending.SUCCESS
    await pool.stop()


async def test_addresses(options: EngineOptions) -> None:
    engines = await open_engines("http://a:1, b:2/x/,http://a:1", options)
    assert [engine.name for engine in engines] == ["a:1", "b:2"]
    await asyncio.gather(*(engine.close() for engine in engines))


@pytest.mark.parametrize("spec", ["", " , ", "sandbx", "ftp://a:1", "http://", "sandbox,http://a:1", "8188"])
async def test_what_is_no_engine(options: EngineOptions, spec: str) -> None:
    with pytest.raises(EngineSpecError, match="engine"):
        await open_engines(spec, options)


async def test_managed_needs_a_home(options: EngineOptions) -> None:
    with pytest.raises(SetupError, match="COMFYUI_HOME"):
        await open_engines("managed", options)
