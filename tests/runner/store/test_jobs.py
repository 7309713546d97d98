"""The job store on both databases: fences, the limit, cancellation, the outbox in the same transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from jobs_support import database_url

from compiler import Media
from runner.events import Assigned, Cancelled, Failed, Progressed, Started, Succeeded, fold
from runner.job import Callback, Cause, Job, JobError, OutputFile, State
from runner.store.database import Database, engine_url
from runner.store.jobs import JobStore, NewJob, TooManyJobs
from runner.store.media import StoredMedia
from runner.store.migrations import STEPS, SchemaError, migrate
from runner.store.outbox import Delivery, Outbox
from runner.store.shelf import Entry, SqlShelf
from runner.store.tables import jobs, schema_version
from runner.store.timings import Timings
from runner.store.workers import Workers

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FILE = OutputFile("j/video-1.mp4", "video", "video/mp4", 10, 64, 32, "j/video-1-poster.png")
NEW = NewJob("acme", "ext", "wan22-t2i", {"prompt": "ä", "seed": 2**53 - 1, "loras": [{"id": "x", "strength": 0.5}]})


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    with database_url(request.param, tmp_path) as url:
        database = Database(url)
        await database.open()
        yield database
        await database.close()


async def given(store: JobStore, new: NewJob = NEW) -> Job:
    """A job that an engine was given."""
    job = fold(await store.insert(new), Assigned("box", "p-1", 1))
    assert await store.assign(job, "me")
    return job


async def test_a_job_is_read_as_it_was_written(database: Database) -> None:
    store = JobStore(database)
    media = {"f1": StoredMedia("uploads/a/f1.png", Media("comfyc/f1.png", "image", 8, 4, alpha=True))}
    new = replace(NEW, media=media, callback=Callback("https://x.example/", "t"), unsupported=["a: b"], priority=3)
    job = await store.insert(new)
    assert job.media == {"f1": "uploads/a/f1.png"}
    row = await store.get(job.id)
    assert row is not None
    assert (row.job, row.media, row.run, row.worker) == (job, media, 0, "")
    job = fold(fold(fold(job, Assigned("box", "p", 1)), Started(NOW)), Progressed(40, "sampler", 3.5))
    assert await store.assign(job, "me")
    await store.save([job])
    row = await store.get(job.id)
    assert row is not None
    assert row.job == job
    job = fold(job, Succeeded((FILE,), NOW))
    assert await store.finish(job)
    row = await store.get(job.id)
    assert row is not None
    assert row.job == job


async def test_numbers_grow(database: Database) -> None:
    store = JobStore(database)
    made = await asyncio.gather(*(store.insert(NEW) for _ in range(8)))
    assert len({job.number for job in made}) == 8
    later = await store.insert(NEW)
    assert later.number > max(job.number for job in made)
    assert (await store.list("acme", limit=3))[0].number == later.number


async def test_the_limit_counts_unfinished_jobs_of_the_tenant(database: Database) -> None:
    store = JobStore(database)
    first = await store.insert(NEW, limit=2)
    await store.insert(NEW, limit=2)
    with pytest.raises(TooManyJobs, match="2 jobs"):
        await store.insert(NEW, limit=2)
    await store.insert(replace(NEW, tenant="other"), limit=2)
    assert await store.finish(fold(first, Failed(JobError(Cause.INTERNAL, "x"), NOW)))
    await store.insert(NEW, limit=2)
    found = await asyncio.gather(
        *(store.insert(replace(NEW, tenant="third"), limit=3) for _ in range(12)), return_exceptions=True
    )
    assert sum(isinstance(one, Job) for one in found) == 3


async def test_only_the_newest_attempt_writes(database: Database) -> None:
    store = JobStore(database)
    old = fold(await given(store), Started(NOW))
    newer = fold(old, Assigned("other", "p-2", 2))
    assert await store.adopt(newer, "you")
    await store.save([fold(old, Progressed(90))])
    assert not await store.finish(fold(old, Succeeded((FILE,), NOW)))
    assert not await store.retry(old, 1, forget=True)
    assert not await store.assign(newer, "me")
    row = await store.get(old.id)
    assert row is not None
    assert (row.job.progress, row.job.attempt, row.worker, row.run) == (0, 2, "you", 0)
    assert await store.finish(fold(fold(newer, Started(NOW)), Succeeded((FILE,), NOW)))


async def test_an_end_comes_once(database: Database) -> None:
    store, outbox = JobStore(database), Outbox(database)
    job = fold(await given(store, replace(NEW, callback=Callback("https://x.example/", "t"))), Started(NOW))
    ends = [fold(job, Succeeded((FILE,), NOW)), fold(job, Failed(JobError(Cause.INTERNAL, "x"), NOW))] * 4
    assert sum(await asyncio.gather(*(store.finish(end) for end in ends))) == 1
    (message,) = await outbox.pending()
    assert (message.id, message.url, message.token) == (f"msg_{job.id}", "https://x.example/", "t")
    await store.save([job])
    assert await store.cancel("acme", job.id) is not None
    row = await store.get(job.id)
    assert row is not None
    assert row.job.state.terminal
    assert not row.job.cancel_requested


async def test_cancel_before_an_engine_ends_it_there(database: Database) -> None:
    store, outbox = JobStore(database), Outbox(database)
    job = await store.insert(replace(NEW, callback=Callback("https://x.example/")))
    found = await store.cancel("acme", job.number)
    assert found is not None
    assert (found[0].state, found[1]) == (State.CANCELLED, True)
    assert len(await outbox.pending()) == 1
    assert not await store.assign(fold(job, Assigned("box", "p", 1)), "me")
    again = await store.cancel("acme", job.id)
    assert again is not None
    assert again[1] is False
    assert await store.cancel("other", job.id) is None


async def test_cancel_and_assign_at_once(database: Database) -> None:
    """Either the engine never gets it, or its runner learns of the cancellation: never neither."""
    store = JobStore(database)
    for _ in range(10):
        job = await store.insert(NEW)
        assigned, found = await asyncio.gather(
            store.assign(fold(job, Assigned("box", "p", 1)), "me"), store.cancel("acme", job.id)
        )
        assert found is not None
        assert found[1] is not assigned
        if assigned:
            assert job.id in await store.to_cancel("me")


async def test_success_after_an_accepted_cancellation_is_refused(database: Database) -> None:
    store = JobStore(database)
    job = fold(await given(store), Started(NOW))
    found = await store.cancel("acme", job.id)
    assert found is not None
    assert (found[0].cancel_requested, found[0].state) == (True, State.QUEUED)
    assert not await store.finish(fold(job, Succeeded((FILE,), NOW)))
    assert await store.finish(fold(job, Cancelled(NOW)))


async def test_a_retry_forgets_or_keeps_the_prompt(database: Database) -> None:
    store = JobStore(database)
    job = await given(store)
    assert await store.retry(job, 1, forget=False)
    row = await store.get(job.id)
    assert row is not None
    assert (row.run, row.job.prompt_id, row.job.instance) == (1, "p-1", "box")
    assert await store.retry(job, 2, forget=True)
    row = await store.get(job.id)
    assert row is not None
    assert (row.run, row.job.prompt_id, row.job.instance) == (2, "", "")


async def test_live_jobs(database: Database) -> None:
    store = JobStore(database)
    one, two = await store.insert(NEW), await given(store)
    assert [row.job.id for row in await store.live()] == [one.id, two.id]
    assert await store.live(idle_s=60) == []
    assert await store.count() == {"queued": 2}
    await store.finish(fold(one, Cancelled(NOW)))
    assert [row.job.id for row in await store.live()] == [two.id]


async def test_webhooks_keep_their_end(database: Database) -> None:
    store, outbox = JobStore(database), Outbox(database)
    job = await store.insert(replace(NEW, callback=Callback("https://x.example/")))
    await store.cancel("acme", job.id)
    (message,) = await outbox.pending()
    await outbox.tried(message, Delivery.PENDING, "no answer")
    (again,) = await outbox.pending()
    assert (again.tries, again.error) == (1, "no answer")
    assert await outbox.pending(idle_s=60) == []
    await outbox.tried(again, Delivery.DELIVERED)
    await outbox.tried(again, Delivery.DEAD, "late")
    found = await outbox.get(message.id)
    assert found is not None
    assert (found.state, found.tries) == (Delivery.DELIVERED, 2)


async def test_timings_are_a_moving_mean(database: Database) -> None:
    timings = Timings(database)
    for seconds in (10.0, 20.0, 30.0):
        await timings.add("wan/video", "box", seconds, 8)
    fresh = Timings(database)
    await fresh.load()
    timing = fresh.get("wan/video", "box")
    assert timing is not None
    assert (timing.runs, timing.seconds, timing.steps) == (3, pytest.approx(20.0), 8)
    assert timing.expected(16) == pytest.approx(40.0)
    assert fresh.get("wan/video", "unknown box") == timing
    assert fresh.get("unknown", "box") is None


async def test_workers_beat_by_the_databases_clock(database: Database) -> None:
    workers = Workers(database)
    await workers.beat("a", "host", 2)
    await workers.beat("a", "host", 4)
    (row,) = await workers.all()
    assert (row.id, row.host, row.slots) == ("a", "host", 4)
    assert -1 < row.silent_s < 5
    assert await database.read(lambda connection: workers.alive(connection, 5)) == {"a"}
    await asyncio.sleep(0.05)
    await database.write(lambda connection: workers.bury(connection, 0.01))
    assert await workers.all() == []


async def test_opening_twice_changes_nothing(database: Database) -> None:
    job = await JobStore(database).insert(NEW)
    other = Database(database.url.render_as_string(hide_password=False))
    await other.open()
    assert await JobStore(other).get(job.id) is not None
    await other.close()


async def test_migrations_run_in_order_and_once(database: Database) -> None:
    done: list[int] = []

    def add(connection: sa.Connection) -> None:
        done.append(2)
        connection.execute(sa.text("ALTER TABLE jobs ADD COLUMN colour TEXT"))

    def fill(connection: sa.Connection) -> None:
        done.append(3)
        connection.execute(sa.text("UPDATE jobs SET colour = 'red'"))

    job = await JobStore(database).insert(NEW)
    newest = len(STEPS) + 1
    assert await database.write(lambda connection: migrate(connection, (*STEPS, add))) == newest + 1
    assert await database.write(lambda connection: migrate(connection, (*STEPS, add, fill))) == newest + 2
    assert await database.write(lambda connection: migrate(connection, (*STEPS, add, fill))) == newest + 2
    assert done == [2, 3]
    query = sa.select(sa.text("colour")).select_from(jobs).where(jobs.c.id == job.id)
    assert await database.read(lambda connection: connection.scalar(query)) == "red"
    with pytest.raises(SchemaError, match=f"version {newest + 2}, this comfyc knows {newest}"):
        await database.open()


async def test_a_database_of_the_first_version_is_brought_forward(database: Database) -> None:
    job = await JobStore(database).insert(NEW)

    def as_it_was(connection: sa.Connection) -> None:
        for table in ("media", "models", "subscriptions"):
            connection.execute(sa.text(f"DROP TABLE {table}"))
        connection.execute(sa.text("ALTER TABLE jobs DROP COLUMN assets"))
        connection.execute(schema_version.update().values(version=1))

    await database.write(as_it_was)
    assert await database.write(migrate) == len(STEPS) + 1
    row = await JobStore(database).get(job.id)
    assert row is not None
    assert row.assets == {}
    (entry,) = await SqlShelf(database).put([Entry("acme", "uploads/a/b.png")])
    assert entry.number == 1


async def test_a_failed_migration_leaves_the_database_as_it_was(database: Database) -> None:
    def broken(connection: sa.Connection) -> None:
        connection.execute(sa.text("ALTER TABLE jobs ADD COLUMN colour TEXT"))
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        await database.write(lambda connection: migrate(connection, (*STEPS, broken)))
    version = await database.read(lambda connection: connection.scalar(sa.select(schema_version.c.version)))
    names = await database.read(lambda connection: {one["name"] for one in sa.inspect(connection).get_columns("jobs")})
    assert version == len(STEPS) + 1
    assert "colour" not in names


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not a database that comfyc can use"):
        engine_url(url)


async def test_a_lost_connection_is_tried_again(tmp_path: Path) -> None:
    with database_url("postgresql", tmp_path) as url:
        database = Database(url, pool_size=2)
        await database.open()
        store = JobStore(database)
        job = await store.insert(NEW)
        kill = sa.text(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await database.write(lambda connection: connection.execute(kill).scalar())
        found = await asyncio.gather(*(store.get(job.id) for _ in range(4)), store.list("acme"))
        assert all(found)
        await database.close()
