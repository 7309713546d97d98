"""What a dialect relies on: the way of a job on real sandboxes, limits, cancellation, tenants; on both databases."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest
from jobs_support import IMAGE, PATIENCE_S, Setup, database_url, setup, until

from compiler import Asset, AssetRef, RequestError
from runner.engine.sandbox.faults import Fault
from runner.job import Job, State
from runner.progress import EVERY_S
from runner.service import NoEngine, TooManyJobs
from runner.store.database import Database
from runner.store.retention import Lifetimes, shelve_outputs
from runner.store.shelf import SqlShelf


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with database_url(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/comfyc.db"


async def watched_step_by_step(running: Setup, job: Job) -> list[Job]:
    """All that a client sees of a job whose quarters are far enough apart to be told one by one."""
    async with asyncio.timeout(PATIENCE_S), running.brake.walking(7, every_s=2 * EVERY_S):
        return [now async for now in running.backend.service.subscribe(job.id)]


async def test_a_job_runs_to_its_file(url: str, tmp_path: Path) -> None:
    async with setup(url, tmp_path, held=True) as running:
        job = await running.submit()
        assert job.state is State.QUEUED
        seen = await watched_step_by_step(running, job)
        done = seen[-1]
        assert done.state is State.SUCCEEDED, done.error
        assert [one.progress for one in seen] == sorted(one.progress for one in seen)
        assert sum(0 < one.progress < 100 for one in seen) >= 2
        assert {one.node for one in seen} > {""}
        assert (done.progress, done.node, done.eta_s) == (100, "", None)
        assert job.created_at <= done.started_at <= done.finished_at  # type: ignore[operator]
        (file,) = done.outputs
        assert (file.kind, file.content_type, file.width, file.height) == ("image", "image/png", 512, 512)
        assert await running.storage.size(file.key) == file.size
        row = await running.backend.jobs.get(job.id)
        assert row is not None
        assert row.job == done
        later = await running.submit(body={"seed": 8})
        etas = [one.eta_s for one in await watched_step_by_step(running, later) if one.state is State.RUNNING]
        assert any(eta is not None and 0 <= eta < 60 for eta in etas)


async def test_what_a_bad_request_leaves(sqlite: str, tmp_path: Path) -> None:
    async with setup(sqlite, tmp_path) as running:
        with pytest.raises(RequestError, match="model"):
            await running.submit(body={"model": "unknown"})
        with pytest.raises(RequestError, match="is unknown"):
            await running.backend.service.submit(
                "acme",
                "ext",
                {"model": "wan22-i2v", "prompt": "x", "duration": 3, "file_id": "nothing"},
                operation="video",
            )
        assert await running.backend.service.list("acme") == []


async def test_a_seed_is_drawn_once_and_stored(sqlite: str, tmp_path: Path) -> None:
    async with setup(sqlite, tmp_path) as running:
        body = {key: value for key, value in IMAGE.items() if key != "seed"}
        jobs = [await running.backend.service.submit("acme", "ext", body, operation="image") for _ in range(2)]
        seeds = {job.request["seed"] for job in jobs}
        assert len(seeds) == 2
        done = [await running.end(job) for job in jobs]
        assert [job.request["seed"] for job in done] == [job.request["seed"] for job in jobs]


async def test_no_engine_answers(sqlite: str, tmp_path: Path) -> None:
    async with setup(sqlite, tmp_path, instances=0) as running:
        with pytest.raises(NoEngine):
            await running.submit()


async def test_the_limit_holds_against_requests_at_once(url: str, tmp_path: Path) -> None:
    async with setup(url, tmp_path, held=True) as running:
        found = await asyncio.gather(*(running.submit(limit=6) for _ in range(16)), return_exceptions=True)
        accepted = [job for job in found if isinstance(job, Job)]
        assert len(accepted) == 6
        assert all(isinstance(one, TooManyJobs) and one.limit == 6 for one in found if not isinstance(one, Job))
        assert isinstance(await running.submit("other", limit=6), Job)
        running.brake.release()
        await running.end(accepted[0])
        assert isinstance(await running.submit(limit=6), Job)
        numbers = [job.number for job in accepted]
        assert len(set(numbers)) == 6


async def test_a_tenant_sees_its_own_jobs_only(url: str, tmp_path: Path) -> None:
    async with setup(url, tmp_path) as running:
        service = running.backend.service
        mine, theirs = await running.submit("mine"), await running.submit("theirs")
        assert [job.id for job in await service.list("mine")] == [mine.id]
        for ident in (theirs.number, theirs.id):
            assert await service.get("mine", ident) is None
            assert await service.cancel("mine", ident) is None
        for ident in (mine.number, mine.id):
            found = await service.get("mine", ident)
            assert found is not None
            assert found.id == mine.id
        for ident in (0, -1, 2**70, 999, "x"):
            assert await service.get("mine", ident) is None
            assert await service.cancel("mine", ident) is None
        assert (await running.end(theirs)).state is State.SUCCEEDED


async def test_lists_go_on_from_a_number(sqlite: str, tmp_path: Path) -> None:
    async with setup(sqlite, tmp_path) as running:
        jobs = [await running.submit() for _ in range(5)]
        service = running.backend.service
        first = await service.list("acme", limit=3)
        rest = await service.list("acme", limit=3, before=first[-1].number)
        assert [job.number for job in [*first, *rest]] == sorted((job.number for job in jobs), reverse=True)


async def test_cancel_a_queued_job(url: str, tmp_path: Path) -> None:
    """It never reaches an engine."""
    async with setup(url, tmp_path, held=True, look_ahead=0) as running:
        jobs = [await running.submit(body={"seed": seed}) for seed in range(3)]  # two slots: the third waits
        cancelled = await running.backend.service.cancel("acme", jobs[2].number)
        assert cancelled is not None
        assert (cancelled.state, cancelled.prompt_id, cancelled.attempt) == (State.CANCELLED, "", 0)
        assert cancelled.finished_at is not None
        again = await running.backend.service.cancel("acme", jobs[2].number)
        assert again == cancelled
        running.brake.release()
        done = [await running.end(job) for job in jobs[:2]]
        assert [job.state for job in done] == [State.SUCCEEDED] * 2
        assert set(await running.history()) == {job.prompt_id for job in done}


async def test_cancel_one_running_job_and_only_it(url: str, tmp_path: Path) -> None:
    async with setup(url, tmp_path, held=True) as running:
        victim = await running.started(await running.submit(body={"seed": 1}))
        other = await running.submit(body={"seed": 2})
        cancelled = await running.backend.service.cancel("acme", victim.id)
        assert cancelled is not None
        assert (cancelled.state, cancelled.outputs) == (State.CANCELLED, ())
        lists = await running.queue()
        assert victim.prompt_id not in str(lists)
        running.brake.release()
        assert (await running.end(other)).state is State.SUCCEEDED


async def test_cancel_a_job_that_waits_at_the_engine(sqlite: str, tmp_path: Path) -> None:
    async with setup(sqlite, tmp_path, held=True) as running:
        first = await running.started(await running.submit(body={"seed": 1}))
        second = await running.submit(body={"seed": 2})

        async def given() -> bool:
            return len((await running.queue())["queue_pending"]) == 1

        await until(given)
        cancelled = await running.backend.service.cancel("acme", second.id)
        assert cancelled is not None
        assert cancelled.state is State.CANCELLED
        assert (await running.queue())["queue_pending"] == []
        running.brake.release()
        assert (await running.end(first)).state is State.SUCCEEDED


async def test_a_cancellation_during_a_retry_holds(sqlite: str, tmp_path: Path) -> None:
    faults = [Fault("out_of_memory", "KSampler", times=0)]
    async with setup(sqlite, tmp_path, faults=[faults]) as running:
        job = await running.submit()

        async def failed_once() -> bool:
            row = await running.backend.jobs.get(job.id)
            return row is not None and row.run >= 1

        await until(failed_once)
        cancelled = await running.backend.service.cancel("acme", job.id)
        assert cancelled is not None
        assert cancelled.state is State.CANCELLED


async def test_cancel_that_races_the_end(url: str, tmp_path: Path) -> None:
    """Whatever comes first: one end, the same for all who look, and never a success after an accepted cancellation."""
    draw = random.Random(1)
    async with setup(url, tmp_path) as running:
        service = running.backend.service

        async def race(seed: int) -> tuple[Job, Job]:
            job = await running.submit(body={"seed": seed})
            await asyncio.sleep(draw.random() * 0.4)
            answer = await service.cancel("acme", job.id)
            assert answer is not None
            return answer, await running.end(job)

        pairs = await asyncio.gather(*(race(seed) for seed in range(24)))
        for answer, end in pairs:
            row = await running.backend.jobs.get(end.id)
            assert row is not None
            assert row.job == end
            assert answer == end
            assert (end.state is State.SUCCEEDED) == bool(end.outputs)
            if end.cancel_requested:
                assert end.state is State.CANCELLED
        assert {end.state for _, end in pairs} <= {State.SUCCEEDED, State.CANCELLED}
        queue = await running.queue()
        assert queue["queue_pending"] == queue["queue_running"] == []


async def test_priority(sqlite: str, tmp_path: Path) -> None:
    async with setup(sqlite, tmp_path, held=True, look_ahead=0) as running:
        first = [await running.submit(body={"seed": seed}) for seed in range(2)]

        async def full() -> bool:
            lists = await running.queue()
            return len(lists["queue_running"]) + len(lists["queue_pending"]) == 2

        await until(full)
        low = [await running.submit(body={"seed": seed}, priority=-1) for seed in range(2, 4)]
        high = await running.submit(body={"seed": 9}, priority=5)
        running.brake.release()
        done = [await running.end(job) for job in [*first, *low, high]]
        order = [job.number for job in sorted(done, key=lambda job: job.started_at or job.created_at)]
        assert sorted(order[:2]) == [job.number for job in first]
        assert order[2:] == [high.number, *(job.number for job in low)]


async def test_subscribe_to_what_has_ended_or_never_was(sqlite: str, tmp_path: Path) -> None:
    async with setup(sqlite, tmp_path) as running:
        done = await running.end(await running.submit())
        assert [job async for job in running.backend.service.subscribe(done.id)] == [done]
        assert [job async for job in running.backend.service.subscribe("unknown")] == []


async def test_both_slots_are_used(sqlite: str, tmp_path: Path) -> None:
    """One runs and one waits at the engine, so that its device never idles between jobs."""
    async with setup(sqlite, tmp_path, held=True) as running:
        jobs = [await running.submit(body={"seed": seed}) for seed in range(4)]

        async def full() -> bool:
            lists = await running.queue()
            return len(lists["queue_running"]) == len(lists["queue_pending"]) == 1

        await until(full)
        running.brake.release()
        assert [(await running.end(job)).state for job in jobs] == [State.SUCCEEDED] * 4


async def test_one_tenant_runs_so_many_at_once(sqlite: str, tmp_path: Path) -> None:
    """The others wait although there are slots; another tenant's job does not."""
    async with setup(sqlite, tmp_path, instances=2, held=True, running=1) as running:
        mine = [await running.submit("mine", body={"seed": seed}) for seed in range(3)]
        theirs = await running.submit("theirs")
        await running.started(theirs)
        running.brake.release()
        most = 0

        async def ended() -> bool:
            nonlocal most
            jobs = await running.backend.service.list("mine")
            most = max(most, sum(bool(job.instance) and not job.state.terminal for job in jobs))
            return all(job.state.terminal for job in jobs)

        await until(ended)
        assert most == 1
        assert [(await running.end(job)).state for job in mine] == [State.SUCCEEDED] * 3


async def test_results_get_numbers(url: str, tmp_path: Path) -> None:
    database = Database(url)
    await database.open()
    shelf = SqlShelf(database)
    shelve = partial(shelve_outputs, shelf, Lifetimes({"ext": 1.0}))
    async with setup(url, tmp_path, shelve=shelve) as running:
        done = await running.end(await running.submit())
        (file,) = done.outputs
        entry = await shelf.find("acme", file.number)
        assert entry is not None
        assert (entry.key, entry.expires_at) == (file.key, file.expires_at)
        assert file.expires_at is not None
        row = await running.backend.jobs.get(done.id)
        assert row is not None
        assert row.job == done  # stored with the job
    await database.close()


async def test_an_imported_model_is_compiled_in(sqlite: str, tmp_path: Path) -> None:
    """What the resolver finds is stored with the job and used again when it runs."""
    asset = Asset(kind="lora", family="sdxl", files={"*": "illustrious-hentai-studio-quality.safetensors"})

    class Imports:
        """A model importer that knows one model."""

        async def assets(self, tenant: str, refs: Sequence[AssetRef]) -> Mapping[str, Asset]:
            assert [(ref.field, ref.value) for ref in refs] == [("TaskModels[0].ModelId", "999")]
            return {"999": asset}

        async def run(self, key: str, number: int) -> None: ...

        async def sweep(self) -> None: ...

    body = {"__type": 4, "Prompt": "x", "Width": 512, "Height": 512, "TaskModels": [{"ModelId": 999, "Strength": 0.5}]}
    async with setup(sqlite, tmp_path, models=lambda durable: Imports()) as running:
        service = running.backend.service
        done = await running.end(await service.submit("acme", "fusara", body, operation="generate"))
        assert done.state is State.SUCCEEDED, done.error
        (entry,) = (await running.history()).values()
        loaders = [node["inputs"] for node in entry["prompt"][2].values() if node["class_type"] == "LoraLoader"]
        assert [(one["lora_name"], one["strength_model"]) for one in loaders] == [(asset.files["*"], 0.5)]


async def test_every_wrong_medium_is_told_at_once(sqlite: str, tmp_path: Path) -> None:
    async with setup(sqlite, tmp_path) as running:
        body = {"__type": 24, "Prompt": "x", "InputMediaIds": [1, 2]}
        with pytest.raises(RequestError) as caught:
            await running.backend.service.submit("acme", "fusara", body, operation="generate")
        assert [fault.where for fault in caught.value.faults] == ["InputMediaIds[0]", "InputMediaIds[1]"]
