"""What a job becomes when its engine fails: one row for each fault, on real sandboxes that fail on purpose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from jobs_support import TIMING, database_url, end, make_backend, setup, until
from sqlalchemy import update

from runner.engine.sandbox.faults import Fault
from runner.job import Cause, State
from runner.store.tables import jobs

URL = "sqlite:///{}/comfyc.db"


@dataclass(frozen=True)
class Case:
    why: str
    faults: tuple[Fault, ...]
    attempts: int = 1
    state: State = State.SUCCEEDED
    cause: Cause | None = None
    instances: int = 1
    late: float = 3.0
    """How long the client looks for a prompt that is in no list."""


CASES = {
    "crash": Case(
        "the engine restarts: the prompt is lost and sent again", (Fault("crash", "KSampler", seconds=0.1),), 2
    ),
    "crash twice": Case("and again", (Fault("crash", "KSampler", times=2, seconds=0.1),), 3),
    "lose": Case("a vanished prompt is sent again", (Fault("lose", "KSampler"),), 2, late=0.5),
    "drop sockets": Case("the socket is opened again", (Fault("drop_sockets", "KSampler"),)),
    "deaf socket": Case("the lists tell what the socket does not", (Fault("deaf_socket"),)),
    "late history": Case("a prompt in no list for a moment is not lost", (Fault("late_history", seconds=0.1),)),
    "very late history": Case("after longer it is, and runs again", (Fault("late_history", seconds=4.0),), 2, late=0.4),
    "cut before": Case("a POST that never arrived is sent again", (Fault("cut_before"),)),
    "cut after": Case("a POST whose answer was lost is looked up", (Fault("cut_after"),)),
    "out of memory": Case("memory is freed, then it runs", (Fault("out_of_memory", "KSampler"),), 2),
    "out of memory for good": Case(
        "the limit of retries is reached",
        (Fault("out_of_memory", "KSampler", times=0),),
        4,
        State.FAILED,
        Cause.OUT_OF_MEMORY,
    ),
    "device fault": Case("another instance takes it", (Fault("device_fault", "KSampler"),), 2, instances=2),
    "node error": Case(
        "a node's error is not retried", (Fault("error", "KSampler"),), 1, State.FAILED, Cause.NODE_ERROR
    ),
    "500": Case("an answer of nonsense", (Fault("http_500", path="/history"),)),
}


@pytest.mark.parametrize("name", CASES)
async def test_table(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    timing = replace(TIMING, late=case.late)
    async with setup(
        URL.format(tmp_path), tmp_path, faults=[case.faults], instances=case.instances, timing=timing
    ) as running:
        done = await running.end(await running.submit())
        assert (done.state, done.attempt) == (case.state, case.attempts), (case.why, done.error)
        assert (done.error.cause if done.error else None) == case.cause
        if done.state is State.SUCCEEDED:
            assert done.progress == 100
            assert [await running.storage.size(file.key) for file in done.outputs] == [
                file.size for file in done.outputs
            ]


async def test_an_error_names_the_node_and_hides_the_rest(tmp_path: Path) -> None:
    fault = Fault("error", "KSampler", message="bad /srv/secret/models/x.safetensors")
    async with setup(URL.format(tmp_path), tmp_path, faults=[(fault,)]) as running:
        done = await running.end(await running.submit())
        assert done.error is not None
        assert done.error.node_type == "KSampler"
        assert "/srv/secret" not in done.error.message


async def test_the_device_that_failed_gets_no_more_work(tmp_path: Path) -> None:
    async with setup(
        URL.format(tmp_path), tmp_path, faults=[(Fault("device_fault", "KSampler"),)], instances=2
    ) as running:
        first = await running.end(await running.submit())
        more = [await running.end(await running.submit(body={"seed": seed})) for seed in range(3)]
        assert {job.instance for job in [first, *more]} == {"box-1"}


async def test_a_job_goes_on_where_its_prompt_runs(tmp_path: Path) -> None:
    """The process stops while the engine works; the next one joins the prompt instead of sending it again."""
    async with setup(URL.format(tmp_path), tmp_path, held=True) as running:
        job = await running.started(await running.submit())
        await running.backend.__aexit__()
        left = await running.backend.jobs.get(job.id)
        assert left is not None
        assert left.job.state is State.RUNNING
        async with make_backend(running.database, running.pool, running.storage, running.receiver) as second:
            running.brake.release()
            done = await end(second, job)
        assert (done.state, done.prompt_id, done.attempt) == (State.SUCCEEDED, job.prompt_id, 2)
        assert done.started_at == left.job.started_at
        assert list(await running.history()) == [job.prompt_id]


async def test_an_attempt_that_lost_its_job_changes_nothing(tmp_path: Path) -> None:
    """As a frozen worker that wakes after a takeover: another attempt has begun."""
    async with setup(URL.format(tmp_path), tmp_path, held=True) as running:
        job = await running.started(await running.submit())
        taken = update(jobs).where(jobs.c.id == job.id).values(attempt=job.attempt + 1, prompt_id="another")
        await running.database.write(lambda connection: connection.execute(taken))
        running.brake.release()
        await until(lambda: not running.backend.live.is_here(job.id))
        row = await running.backend.jobs.get(job.id)
        assert row is not None
        assert (row.job.state, row.job.attempt, row.job.outputs) == (State.RUNNING, 2, ())


async def test_a_run_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    async with setup(URL.format(tmp_path), tmp_path, held=True, timeout_s=0.5) as running:
        done = await running.end(await running.submit())
        assert done.error is not None
        assert (done.state, done.error.cause) == (State.FAILED, Cause.TIMEOUT)

        async def idle() -> bool:
            return not (await running.queue())["queue_running"]

        await until(idle)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_what_a_crash_left_without_a_task_is_found(kind: str, tmp_path: Path) -> None:
    """An accepted job that was never queued; one whose retry was stored and never queued; one whose task has ended."""
    with database_url(kind, tmp_path) as url:
        async with setup(url, tmp_path) as running:
            backend, durable = running.backend, running.backend.durable
            submit = durable.submit

            async def broken(*args: object, **more: object) -> None:
                raise ConnectionError("the queue's database is gone")

            durable.submit = broken  # type: ignore[method-assign]
            never_queued = await running.submit()
            retried = await running.submit(body={"seed": 2})
            ended = await running.submit(body={"seed": 3})
            durable.submit = submit  # type: ignore[method-assign]
            assert await backend.jobs.retry(retried, 1, forget=True)
            await durable.submit("jobs", ended.id)
            await durable.cancel(ended.id)
            await backend.sweep(0.0)
            for job in (never_queued, retried, ended):
                assert (await running.end(job)).state is State.SUCCEEDED
