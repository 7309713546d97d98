"""What a process knows of jobs without asking: freshness, watchers, and a bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jobs_support import database_url, until

from runner.events import Assigned, Cancelled, Progressed, Started, fold
from runner.job import Job, State
from runner.live import Live
from runner.store.database import Database
from runner.store.jobs import JobStore, NewJob

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NEW = NewJob("acme", "ext", "wan22-t2i", {})


class CountingStore(JobStore):
    """Counts the queries."""

    reads = 0

    async def find(self, tenant: str, ident: int | str):  # noqa: ANN201, RUF100
        self.reads += 1
        return await super().find(tenant, ident)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[CountingStore]:
    with database_url("sqlite", tmp_path) as url:
        database = Database(url)
        await database.open()
        yield CountingStore(database)
        await database.close()


async def elsewhere(store: JobStore, job: Job) -> Job:
    """Another process gives the job to an engine and tells of its progress."""
    job = fold(job, Assigned("box", "p", job.attempt + 1))
    assert await store.assign(job, "other")
    job = fold(fold(job, Started(NOW)), Progressed(40))
    await store.save([job])
    return job


async def test_a_live_job_is_read_again_when_it_is_old(store: CountingStore) -> None:
    now = 0.0
    live = Live(store, fresh_s=0.2, clock=lambda: now)
    job = live.put(await store.insert(NEW))
    changed = await elsewhere(store, job)
    now = 0.1
    assert await live.get("acme", job.number) == job
    assert store.reads == 0
    now = 0.3
    assert await live.get("acme", job.number) == changed
    assert await live.get("acme", job.id) == changed
    assert store.reads == 1
    assert await live.get("other", job.id) is None


async def test_an_ended_job_is_never_read_again(store: CountingStore) -> None:
    now = 0.0
    live = Live(store, clock=lambda: now)
    job = live.put(fold(await store.insert(NEW), Cancelled(NOW)))
    now = 1e9
    assert await live.get("acme", job.number) == job
    assert live.put(replace(job, state=State.RUNNING)) == job
    assert store.reads == 0


async def test_memory_is_ahead_of_the_database_where_the_job_runs(store: CountingStore) -> None:
    now = 0.0
    live = Live(store, clock=lambda: now)
    job = await store.insert(NEW)
    ahead = live.put(fold(fold(job, Started(NOW)), Progressed(70)), here=True)
    now = 100.0
    assert await live.get("acme", job.id) == ahead
    assert live.current(job) == ahead
    live.release(job.id)
    changed = await elsewhere(store, job)
    assert await live.get("acme", job.id) == changed


async def test_watchers_hear_of_changes_elsewhere_and_here(store: CountingStore) -> None:
    live = Live(store, fresh_s=0.02)
    job = live.put(await store.insert(NEW))
    seen: list[list[Job]] = [[], [], []]

    async def watch(into: list[Job]) -> None:
        async for one in live.watch(job.id):
            into.append(one)

    tasks = [asyncio.create_task(watch(into)) for into in seen]
    await until(lambda: all(seen))
    changed = await elsewhere(store, job)
    await until(lambda: all(changed in into for into in seen))
    end = live.put(fold(changed, Cancelled(NOW)))
    await asyncio.gather(*tasks)
    assert all(into == [job, changed, end] for into in seen)
    await until(lambda: live._reader is None or live._reader.done())  # nobody listens: nobody reads
    await live.close()


async def test_memory_is_bounded_and_keeps_who_is_needed(store: CountingStore) -> None:
    live = Live(store, keep=10)
    needed = live.put(await store.insert(NEW), here=True)
    for _ in range(30):
        last = live.put(await store.insert(NEW))
    assert live.peek(needed.id) == needed
    assert live.peek(last.id) == last
    assert len(live._known) <= 11
    assert await live.get("acme", needed.number + 1) is not None  # a dropped one is read again
