"""The durable queue on both databases: what it keeps, in which order it runs, and the traps of DBOS that it avoids."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from jobs_support import PATIENCE_S, database_url, postgres, until

from runner.durable import Durable, DurableError, rank


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with database_url(request.param, tmp_path) as found:
        yield found


@asynccontextmanager
async def queue(
    url: str, handler: Callable[[str, int], Awaitable[None]], *, slots: int | None = 4, executor_id: str = "one"
) -> AsyncIterator[Durable]:
    durable = Durable(url, executor_id=executor_id, poll_s=0.02)
    durable.handle("work", handler, slots)
    await durable.start()
    try:
        yield durable
    finally:
        await durable.stop()


async def ended(durable: Durable, key: str) -> None:
    async def over() -> bool:
        return await durable.status(key) == "SUCCESS"

    await until(over)


async def test_tasks_run_once_each_on_our_loop(url: str) -> None:
    done: list[tuple[str, int]] = []
    loops: set[object] = set()

    async def work(key: str, run: int) -> None:
        loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0.01)
        done.append((key, run))

    async with queue(url, work) as durable:
        for number in range(10):
            await durable.submit("work", f"k{number}")
            await durable.submit("work", f"k{number}")  # a second time: the same task
        await durable.submit("work", "k0", 1)
        await until(lambda: len(done) >= 11)
        await asyncio.sleep(0.1)
        assert sorted(done) == sorted([*((f"k{number}", 0) for number in range(10)), ("k0", 1)])
        assert loops == {asyncio.get_running_loop()}
        await ended(durable, "k3")
        assert await durable.status("unknown") is None


async def test_slots_limit_what_runs_at_once(url: str) -> None:
    running, most = 0, 0
    gate = asyncio.Event()

    async def work(key: str, run: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1

    async with queue(url, work, slots=3) as durable:
        for number in range(7):
            await durable.submit("work", f"k{number}")
        await until(lambda: running == 3)
        await asyncio.sleep(0.1)
        gate.set()
        for number in range(7):
            await ended(durable, f"k{number}")
        assert most == 3


async def test_order_is_priority_then_number(url: str) -> None:
    order: list[str] = []

    async def work(key: str, run: int) -> None:
        order.append(key)
        if key == "first":
            await asyncio.sleep(0.5)

    async with queue(url, work, slots=1) as durable:
        await durable.submit("work", "first", rank=1)
        await until(lambda: order)
        jobs = [(7, 0), (3, 0), (9, 5), (4, 0), (5, -1), (8, 5)]
        for number, priority in jobs:
            await durable.submit("work", f"p{priority} n{number}", rank=rank(priority, number))
        await until(lambda: len(order) == 7)
    assert order == ["first", "p5 n8", "p5 n9", "p0 n3", "p0 n4", "p0 n7", "p-1 n5"]


@pytest.mark.parametrize(
    ("first", "second"),
    [((1, 9), (0, 1)), ((0, 1), (0, 2)), ((0, 2), (-1, 1)), ((99, 2), (14, 1)), ((-14, 2), (-99, 1))],
)
def test_rank(first: tuple[int, int], second: tuple[int, int]) -> None:
    assert 1 <= rank(*first) < rank(*second) <= 2**31 - 1


async def test_a_delay_holds_no_slot(url: str) -> None:
    began: dict[str, float] = {}

    async def work(key: str, run: int) -> None:
        began[key] = time.monotonic()

    async with queue(url, work, slots=1) as durable:
        start = time.monotonic()
        await durable.retry("work", "late", 1, rank=1, delay_s=2.0)
        assert await durable.status("late", 1) == "DELAYED"
        await durable.submit("work", "soon", rank=2)
        await until(lambda: len(began) == 2)
    assert began["soon"] < began["late"]
    assert began["late"] - start >= 2.0


async def test_pause_resume_and_cancel(url: str) -> None:
    done: list[str] = []
    gate = asyncio.Event()

    async def work(key: str, run: int) -> None:
        done.append(key)
        await gate.wait()

    async with queue(url, work, slots=1) as durable:
        await durable.submit("work", "blocker", rank=1)
        await until(lambda: done)
        for number, key in enumerate(("paused", "cancelled", "other"), 2):
            await durable.submit("work", key, rank=number)
        stats = await durable.stats("work")
        assert (stats.waiting, stats.active, stats.by_worker) == (3, 1, {"one": 1})
        await durable.pause("paused")
        await durable.cancel("cancelled")
        gate.set()
        await until(lambda: done == ["blocker", "other"])
        assert await durable.status("paused") == "CANCELLED"
        await durable.resume("work", "paused")
        await until(lambda: done == ["blocker", "other", "paused"])
        assert await durable.status("cancelled") == "CANCELLED"


async def test_a_task_cut_off_by_stop_begins_again(url: str) -> None:
    begun: list[str] = []

    async def hangs(key: str, run: int) -> None:
        begun.append(f"hangs {key}")
        await asyncio.Event().wait()

    async def works(key: str, run: int) -> None:
        begun.append(f"works {key}")

    async with queue(url, hangs) as durable:
        await durable.submit("work", "a")
        await until(lambda: begun)
    async with queue(url, works):
        await until(lambda: begun == ["hangs a", "works a"])


async def test_a_failing_handler_ends_its_task_only(url: str) -> None:
    done: list[str] = []

    async def work(key: str, run: int) -> None:
        if key == "bad":
            raise RuntimeError("on purpose")
        done.append(key)

    async with queue(url, work, slots=1) as durable:
        await durable.submit("work", "bad", rank=1)
        await durable.submit("work", "good", rank=2)
        await until(lambda: done == ["good"])
        assert await durable.status("bad") == "ERROR"


async def test_start_and_stop_leave_the_loop_as_it_was(url: str) -> None:
    """DBOS would make its own pool the loop's default executor, and shut it down; and block the loop meanwhile."""

    async def work(key: str, run: int) -> None: ...

    longest, last = 0.0, time.monotonic()

    async def heart() -> None:
        nonlocal longest, last
        while True:
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
            await asyncio.sleep(0.005)

    beating = asyncio.create_task(heart())
    took = 0.0
    for _ in range(2):
        began = time.monotonic()
        async with queue(url, work) as durable:
            await durable.submit("work", f"k{_}")
            assert await asyncio.to_thread(lambda: 1) == 1
        took += time.monotonic() - began
        assert await asyncio.to_thread(lambda: 2) == 2
    beating.cancel()
    assert longest < took / 3  # launch and destroy take most of that time, elsewhere


async def test_stop_right_after_start(url: str) -> None:
    async def work(key: str, run: int) -> None: ...

    for number in range(5):
        async with queue(url, work) as durable:
            await durable.submit("work", f"k{number}")


async def test_one_queue_for_each_process(url: str) -> None:
    async def work(key: str, run: int) -> None: ...

    async with queue(url, work):
        with pytest.raises(DurableError, match="in this process"):
            await Durable(url).start()
    async with queue(url, work):  # the refused one did not end the first
        pass


async def test_a_sqlite_file_has_one_process(tmp_path: Path) -> None:
    async def work(key: str, run: int) -> None: ...

    with database_url("sqlite", tmp_path) as url:
        durable = Durable(url)
        other = await asyncio.create_subprocess_exec(
            "python3",
            "-c",
            f"import fcntl,sys,time; f=open({str(tmp_path / 'comfyc.queue.db.lock')!r},'ab');"
            "fcntl.flock(f,fcntl.LOCK_EX); print('held',flush=True); sys.stdin.read()",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert other.stdout is not None
        assert other.stdin is not None
        await other.stdout.readline()
        durable.handle("work", work)
        with pytest.raises(DurableError, match="another process"):
            await durable.start()
        other.stdin.close()
        await other.wait()
        await durable.start()
        await durable.stop()


async def test_old_tasks_are_forgotten(url: str) -> None:
    async def work(key: str, run: int) -> None: ...

    async with queue(url, work) as durable:
        await durable.submit("work", "old")
        await ended(durable, "old")
        assert await durable.forget(3600) == 0
        await asyncio.sleep(1.1)  # SQLite's clock ticks in seconds
        assert await durable.forget(0) == 1
        assert await durable.status("old") is None


async def test_tasks_of_a_dead_executor_are_taken_over() -> None:
    begun: list[str] = []

    async def hangs(key: str, run: int) -> None:
        begun.append("dead")
        await asyncio.Event().wait()

    async def works(key: str, run: int) -> None:
        begun.append("alive")

    with database_url("postgresql", Path()) as url:
        async with queue(url, hangs, executor_id="dead") as durable:
            await durable.submit("work", "a")
            await until(lambda: begun)
        async with queue(url, works, executor_id="alive") as durable:
            await asyncio.sleep(0.3)
            assert begun == ["dead"]  # DBOS finds its own executor's tasks only
            assert await asyncio.to_thread(durable.executors) == {"dead"}
            assert await asyncio.to_thread(durable.take_over, "dead") == 1
            await until(lambda: begun == ["dead", "alive"])
            assert await asyncio.to_thread(durable.take_over, "dead") == 0


async def test_a_database_that_is_gone_holds_no_thread(tmp_path: Path) -> None:
    """A process could never end: DBOS tries for ever to store how a task ended."""
    running, go = asyncio.Event(), asyncio.Event()

    async def work(key: str, run: int) -> None:
        running.set()
        await go.wait()

    with database_url("postgresql", tmp_path) as url:
        async with queue(url, work) as durable:
            await durable.submit("work", "k")
            await asyncio.wait_for(running.wait(), PATIENCE_S)
            shut(url)
            go.set()
            await until(lambda: any(map(is_executor, threading.enumerate())))
            await asyncio.sleep(0.5)  # the first try fails
        await until(lambda: not any(map(is_executor, threading.enumerate())))


def is_executor(thread: threading.Thread) -> bool:
    return thread.name.startswith("dbos-executor")


def shut(url: str) -> None:
    """Cuts every connection to the database, and allows none."""
    name = sa.make_url(url).database
    with postgres().connect() as connection:
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
