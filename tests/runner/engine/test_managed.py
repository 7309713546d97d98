"""Managed processes: real ones, whose main.py only answers that it lives, or is the sandbox."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from engines import FAST, drive, eventually, submission

from runner.engine.base import Ending, EngineError, Health, PromptLost
from runner.engine.home import Home
from runner.engine.managed import Backoff, ManagedEngine, Setup, open_managed
from runner.engine.options import EngineOptions
from runner.engine.process import ProcessState, end, read_states, tail

ROOT = Path(__file__).resolve().parents[3]
MAIN = f"""
import argparse, json, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int)
parser.add_argument("--base-directory")
asked, _ = parser.parse_known_args()
print("starting in", os.path.abspath(asked.base_directory), flush=True)
if os.path.exists("broken"):
    sys.exit("no CUDA-capable device is detected by /opt/secret/driver.so")
if os.path.exists("sandbox"):
    import asyncio
    from pathlib import Path
    sys.path.insert(0, {str(ROOT)!r})
    from compiler import shipped_catalog
    from runner.engine.sandbox.server import Sandbox
    async def main():
        async with Sandbox(shipped_catalog("0.8.0"), Path(asked.base_directory), port=asked.port):
            await asyncio.Event().wait()
    asyncio.run(main())
from http.server import BaseHTTPRequestHandler, HTTPServer
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({{"exec_info": {{"queue_remaining": 0}}}}).encode())
HTTPServer(("127.0.0.1", asked.port), Answer).serve_forever()
"""
QUICK = Backoff(first=0.01, longest=0.05, tries=3)


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    home = tmp_path / "ComfyUI"
    (home / "models").mkdir(parents=True)
    (home / "main.py").write_text(MAIN)
    (home / "comfyui_version.py").write_text('__version__ = "0.8.0"\n')
    return Setup("comfyui-0", Home(home, Path(sys.executable)), tmp_path / "engines", start_s=60, backoff=QUICK)


@pytest.fixture
async def engine(setup: Setup):
    made = ManagedEngine(setup, timing=FAST)
    await made.start()
    yield made
    await made.close()


def kill(engine: ManagedEngine) -> None:
    assert engine.state
    os.kill(engine.state.pid, signal.SIGKILL)


async def test_a_managed_engine_runs_prompts_until_it_is_killed(setup: Setup) -> None:
    (setup.home.folder / "sandbox").touch()
    engine = ManagedEngine(setup, timing=FAST)
    await engine.start()
    assert (await drive(engine, submission(fresh=True)))[1].ending is Ending.SUCCESS
    kill(engine)
    with pytest.raises((PromptLost, EngineError)):
        await drive(engine, submission(fresh=True))
    await engine.close()


async def test_the_state_file_tells_where_it_is(engine: ManagedEngine, setup: Setup) -> None:
    assert await engine.health() is Health.ALIVE
    assert "starting in" in engine.logs(5)
    (state,) = read_states(setup.data)
    assert state == engine.state
    assert (state.url, state.boot) == (engine.base_url, await engine.boot_id())
    assert (setup.base / "custom_nodes" / "comfyc").is_symlink()


async def test_a_killed_process_is_started_again_at_the_same_address(engine: ManagedEngine) -> None:
    before, address = await engine.boot_id(), engine.base_url
    kill(engine)
    await eventually(lambda: engine.state and not engine.state.process())
    assert await engine.boot_id() == ""
    assert await engine.health() is Health.REFUSED
    await eventually(lambda: engine.state and engine.state.process() and engine.why == "", 60)
    assert await engine.boot_id() not in ("", before)
    assert engine.base_url == address
    assert await engine.health() is Health.ALIVE


async def test_after_some_failures_at_once_it_gives_up_and_says_why(engine: ManagedEngine, setup: Setup) -> None:
    (setup.home.folder / "broken").touch()
    kill(engine)
    await eventually(lambda: "given up" in engine.why, 30)
    assert "no CUDA-capable device is detected by …/driver.so" in engine.why
    assert "(given up after 3 failures in a row)" in engine.why
    assert str(setup.data) not in engine.why
    assert not engine.restarts
    (setup.home.folder / "broken").unlink()
    await engine.restart("on request")
    assert (await engine.health(), engine.why) == (Health.ALIVE, "")


async def test_one_that_does_not_start_says_why(setup: Setup) -> None:
    (setup.home.folder / "broken").touch()
    engine = ManagedEngine(setup, timing=FAST)
    with pytest.raises(EngineError, match=r"comfyui-0 ended while it started; its log ends with: .*no CUDA-capable"):
        await engine.start()
    await engine.close()


async def test_a_process_that_outlived_its_comfyc_is_adopted(engine: ManagedEngine, setup: Setup) -> None:
    assert engine.state
    orphan = replace(engine.state, owner=1, owner_started=1.0)  # its comfyc has died
    orphan.write(setup.data)
    heir = ManagedEngine(setup, timing=FAST)
    await heir.start()
    assert heir.state
    assert (heir.state.pid, heir.state.owned_by_us, heir.restarts) == (orphan.pid, True, True)
    await heir.close()
    assert orphan.process() is None


async def test_a_process_of_another_living_comfyc_is_used_and_not_stopped(engine: ManagedEngine, setup: Setup) -> None:
    assert engine.state
    parent = os.getppid()
    import psutil

    replace(engine.state, owner=parent, owner_started=psutil.Process(parent).create_time()).write(setup.data)
    guest = ManagedEngine(setup, timing=FAST)
    await guest.start()
    assert not guest.restarts
    assert await guest.health() is Health.ALIVE
    await guest.close()
    assert await engine.health() is Health.ALIVE


async def test_one_that_is_kept_outlives_close_and_can_be_stopped_by_its_state(setup: Setup) -> None:
    engine = ManagedEngine(replace(setup, keep=True), timing=FAST)
    await engine.start()
    await engine.close()
    (state,) = read_states(setup.data)
    process = state.process()
    assert process
    await end(process)
    assert state.process() is None


async def test_drain_waits_until_nothing_runs(engine: ManagedEngine) -> None:
    assert await engine.drain()
    engine.remaining = lambda: asyncio.sleep(0, 1)  # type: ignore[method-assign]  a prompt that never ends
    assert not await engine.drain(0.3)


async def test_several_are_started_over_the_gpus(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYUI_PYTHON", sys.executable)
    options = EngineOptions(setup.data, comfyui_home=setup.home.folder, instances=3, devices=("0", "1"), timing=FAST)
    engines = await open_managed(options)
    try:
        assert [engine.name for engine in engines] == ["comfyui-0", "comfyui-1", "comfyui-2"]
        assert [engine._setup.device for engine in engines] == ["0", "1", "0"]  # pyright: ignore[reportPrivateUsage]
        assert len({engine.base_url for engine in engines}) == 3
    finally:
        await asyncio.gather(*(engine.close() for engine in engines))


@pytest.mark.parametrize(("failures", "least", "most"), [(1, 0.5, 1), (2, 1, 2), (4, 4, 8), (20, 30, 60)])
def test_the_wait_before_a_restart_doubles_up_to_a_limit(failures: int, least: float, most: float) -> None:
    assert Backoff().wait(failures, lambda: 0.0) == least
    assert Backoff().wait(failures, lambda: 1.0) == most


def test_broken_state_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text(json.dumps({"name": "b"}))
    state = ProcessState("c", os.getpid(), 1.0, 1, "h", "l")
    state.write(tmp_path)
    assert read_states(tmp_path) == (state,)
    assert state.process() is None  # this pid, but another start time
    assert read_states(tmp_path / "none") == ()


def test_the_tail_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert tail(log, 3) == ""
    log.write_text("a\nb\nc\nd\n")
    assert tail(log, 2) == "c\nd\n"
