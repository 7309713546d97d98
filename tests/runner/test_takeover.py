"""Processes that are killed or frozen: nothing is lost, nothing ends twice."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import jobs_process
import pytest
from brake import Brake
from jobs_support import PATIENCE_S, database_url, stocked, until

from runner.durable import Durable
from runner.engine.sandbox.server import Sandbox
from runner.job import State
from runner.store.database import Database
from runner.store.jobs import JobStore, Row
from runner.store.workers import Workers
from runner.takeover import BEAT_S, SILENT_S, Takeover


class Process:
    """A jobs_process, and the jobs that it was given."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.executor = ""

    async def submit(self, seed: int) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"acme {seed}\n".encode())
        return await self.line(lambda line: len(line) == 32)

    async def line(self, wanted: Callable[[str], bool]) -> str:
        """The next line that is wanted; others are log lines."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := (await self._process.stdout.readline()).decode():
                if wanted(line.strip()):
                    return line.strip()
        raise AssertionError("it has ended")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def process(url: str, folder: Path, box: Sandbox, running: int = 30) -> AsyncIterator[Process]:
    started = Process(
        await asyncio.create_subprocess_exec(
            sys.executable,
            jobs_process.__file__,
            url,
            str(folder),
            str(running),
            f"{box.name}={box.url}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
    )
    try:
        started.executor = (await started.line(lambda line: line.startswith("ready "))).split()[1]
        yield started
    finally:
        await started.kill()


@asynccontextmanager
async def world(kind: str, folder: Path, brake: Brake) -> AsyncIterator[tuple[str, Sandbox, JobStore]]:
    """A database, a sandbox that no process's death touches, and a look at the jobs."""
    with database_url(kind, folder) as url:
        async with Sandbox(stocked(), folder / "box", name="box", ops=brake) as box:
            database = Database(url)
            await database.open()
            try:
                yield url, box, JobStore(database)
            finally:
                await database.close()


async def rows(store: JobStore, ids: list[str]) -> list[Row]:
    found = [await store.get(job_id) for job_id in ids]
    return [row for row in found if row is not None]


async def all_ended(store: JobStore, ids: list[str]) -> list[Row]:
    async def over() -> bool:
        return all(row.job.state.terminal for row in await rows(store, ids))

    await until(over)
    return await rows(store, ids)


async def running(store: JobStore, ids: list[str]) -> None:
    """Waits until one of them runs: which of two that were sent together comes first is the engine's choice."""

    async def begun() -> bool:
        return any(row.job.state is State.RUNNING for row in await rows(store, ids))

    await until(begun)


async def history(box: Sandbox) -> set[str]:
    async with httpx2.AsyncClient(timeout=PATIENCE_S) as client:
        return set((await client.get(f"{box.url}/history")).json())


async def prompts(box: Sandbox) -> set[str]:
    """Every prompt that the sandbox knows, whether ended, running or waiting."""
    async with httpx2.AsyncClient(timeout=PATIENCE_S) as client:
        queue = (await client.get(f"{box.url}/queue")).json()
    return await history(box) | {item[1] for part in queue.values() for item in part}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_killed_process_is_followed_by_its_next_start(kind: str, tmp_path: Path) -> None:
    brake = Brake()
    async with world(kind, tmp_path, brake) as (url, box, store):
        async with process(url, tmp_path, box) as first:
            ids = [await first.submit(seed) for seed in range(4)]
            await running(store, ids)
            await first.kill()
        before, known = await rows(store, ids), await prompts(box)
        brake.release()
        async with process(url, tmp_path, box):
            after = await all_ended(store, ids)
        assert [row.job.state for row in after] == [State.SUCCEEDED] * 4
        given = {row.job.prompt_id for row in before} & known  # one that was stored and not yet sent is sent anew
        assert given <= {row.job.prompt_id for row in after}  # joined, not sent again
        assert len(await history(box)) == 4


async def test_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    """Within ten seconds where the machine keeps up: all that is waited for by the clock is silence and two beats."""
    assert SILENT_S + 2 * BEAT_S < 10
    brake = Brake()
    async with (
        world("postgresql", tmp_path, brake) as (url, box, store),
        process(url, tmp_path, box) as first,
        process(url, tmp_path, box) as second,
    ):
        ids = [await first.submit(1)]
        await running(store, ids)
        owner = (await rows(store, ids))[0].worker
        assert owner in (first.executor, second.executor)
        victim, other = (first, second) if first.executor == owner else (second, first)
        await victim.kill()

        async def taken() -> bool:
            return (await rows(store, ids))[0].worker == other.executor

        await until(taken)
        brake.release()
        (row,) = await all_ended(store, ids)
        assert (row.job.state, row.job.attempt) == (State.SUCCEEDED, 2)
        assert len(await history(box)) == 1  # it was joined, not sent again


async def test_a_frozen_process_that_wakes_ends_nothing_twice(tmp_path: Path) -> None:
    brake = Brake()
    async with world("postgresql", tmp_path, brake) as (url, box, store), process(url, tmp_path, box) as frozen:
        ids = [await frozen.submit(seed) for seed in range(2)]
        await running(store, ids)
        frozen.signal(signal.SIGSTOP)
        brake.release()
        async with process(url, tmp_path, box) as rescuer:
            ended = await all_ended(store, ids)
            assert {row.worker for row in ended} == {rescuer.executor}
            frozen.signal(signal.SIGCONT)
            await asyncio.sleep(3)
            assert await rows(store, ids) == ended
            again = [await frozen.submit(seed) for seed in range(10, 13)]  # it is of use again
            assert {row.job.state for row in await all_ended(store, again)} == {State.SUCCEEDED}
        assert [row.job.state for row in ended] == [State.SUCCEEDED] * 2


async def test_a_tenant_runs_so_many_at_once_in_all_processes_together(tmp_path: Path) -> None:
    brake, most = Brake(), 0
    async with (
        world("postgresql", tmp_path, brake) as (url, box, store),
        process(url, tmp_path, box, running=1) as first,
        process(url, tmp_path, box, running=1),
    ):
        ids = [await first.submit(seed) for seed in range(3)]
        await running(store, ids)
        brake.release()

        async def ended() -> bool:
            nonlocal most
            jobs = await store.some(ids)  # in one look
            most = max(most, sum(bool(job.prompt_id) and not job.state.terminal for job in jobs))
            return all(job.state.terminal for job in jobs)

        await until(ended)
        assert most == 1
        assert {row.job.state for row in await rows(store, ids)} == {State.SUCCEEDED}


async def test_one_process_at_a_time_takes_over(tmp_path: Path) -> None:
    """Who has not the lock does nothing, and a process that beats is left alone."""
    with database_url("postgresql", tmp_path) as url:
        database = Database(url)
        await database.open()
        taken: list[str] = []

        class Queue(Durable):
            def executors(self) -> set[str]:
                return {"dead", self.executor_id}

            def take_over(self, dead: str) -> int:
                taken.append(dead)
                return 1

        takeover = Takeover(database, Queue(url, executor_id="me"), 2)
        assert await takeover.join() == 2
        await database.write(takeover.take_over)
        assert taken == ["dead"]

        holding, go = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def hold(connection: object) -> None:
            assert database.try_lock(connection, "comfyc takeover")  # type: ignore[arg-type]
            loop.call_soon_threadsafe(holding.set)
            asyncio.run_coroutine_threadsafe(go.wait(), loop).result(20)

        holder = asyncio.create_task(database.write(hold))
        await holding.wait()
        await database.write(takeover.take_over)
        assert taken == ["dead"]
        go.set()
        await holder
        await Workers(database).beat("big", "elsewhere", 9)
        assert await takeover.join() == 9  # the queue's limit is one number: that of the largest
        await takeover.leave()
        assert [row.id for row in await Workers(database).all()] == ["big"]
        await database.close()
