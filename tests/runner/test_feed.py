"""What the nodes of a job do reaches who looks on, in order and no more of it than they can read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jobs_support import setup

from runner.engine.base import Began, Cached, EngineEvent, NodeBegan, NodeOutput, NodeProgress, Note, Preview, Queued
from runner.feed import Feed, NodeState, Restarted
from runner.job import Cause, Job, JobError, State

JOB = Job("j", 1, "acme", "ext", "wan22-t2i", {}, datetime(2026, 1, 1, tzinfo=UTC))
P = "prompt"


def say(feed: Feed, job_id: str = "j") -> str:
    """Every node in short: `a=done b=running 1/4`."""
    return " ".join(short(state) for state in feed.nodes(job_id))


def short(state: Any) -> str:
    if isinstance(state, Job):
        return f"job {state.state}"
    if isinstance(state, Preview):
        return f"picture {state.data.decode()}"
    if isinstance(state, Restarted):
        return "restarted"
    steps = f" {state.value:g}/{state.maximum:g}" if state.maximum else ""
    return f"{state.node}={state.phase}{steps}"


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([Queued(P, 2), Note("a", "text")], ""),
        ([Began(P), Cached(P, ("a", "b"))], "a=cached b=cached"),
        ([NodeBegan(P, "a"), NodeBegan(P, "b")], "a=done b=running"),
        ([NodeBegan(P, "a"), NodeProgress(P, "a", 1, 4)], "a=running 1/4"),
        ([NodeProgress(P, "a", 1, 4), NodeProgress(P, "a", 4, 4, done=True)], "a=done 4/4"),
        ([NodeProgress(P, "a", 2, 4), NodeOutput(P, "a", ())], "a=done 4/4"),
        ([Cached(P, ("a",)), NodeProgress(P, "a", 0, 1), NodeBegan(P, "b")], "a=cached b=running"),
        ([NodeBegan(P, "a"), NodeOutput(P, "a", ()), NodeProgress(P, "a", 1, 1)], "a=done"),
        ([NodeBegan(P, "a"), Began(P), NodeBegan(P, "b")], "b=running"),
    ],
)
def test_engine_events_as_states_of_nodes(events: list[EngineEvent], said: str) -> None:
    feed = Feed()
    for event in events:
        feed.take("j", event)
    assert say(feed) == said


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (replace(JOB, state=State.SUCCEEDED), "a=done b=done"),
        (replace(JOB, state=State.CANCELLED), "a=done"),
        (replace(JOB, state=State.FAILED, error=JobError(Cause.NODE_ERROR, "broke", "b")), "a=done b=failed"),
    ],
)
def test_no_node_runs_after_the_end(end: Job, said: str) -> None:
    feed = Feed()
    for event in (NodeBegan(P, "a"), NodeBegan(P, "b"), Preview(P, "b", "image/png", b"1")):
        feed.take("j", event)
    feed.ended(end)
    assert say(feed) == said


async def test_a_watcher_hears_the_newest_of_each_node_and_the_end_last() -> None:
    feed, jobs = Feed(), asyncio.Queue[Job]()

    async def changes() -> AsyncIterator[Job]:
        while True:
            job = await jobs.get()
            yield job
            if job.state.terminal:
                return

    feed.take("j", NodeBegan(P, "before"))
    heard: list[str] = []

    async def listen() -> None:
        async for news in feed.watch("j", changes()):
            heard.append(short(news))

    task = asyncio.create_task(listen())
    await asyncio.sleep(0)
    feed.take("j", Began(P))
    feed.take("j", NodeBegan(P, "a"))
    for step in range(1, 4):
        feed.take("j", NodeProgress(P, "a", step, 3))
        feed.take("j", Preview(P, "a", "image/jpeg", str(step).encode()))
    jobs.put_nowait(replace(JOB, state=State.RUNNING))
    await asyncio.sleep(0.01)
    feed.take("j", NodeBegan(P, "b"))
    feed.ended(replace(JOB, state=State.SUCCEEDED))
    jobs.put_nowait(replace(JOB, state=State.SUCCEEDED))
    await asyncio.wait_for(task, 5)
    assert heard == [
        "before=running",
        "restarted",
        "a=running 3/3",
        "picture 3",
        "job running",
        "a=done 3/3",
        "b=done",
        "job succeeded",
    ]


async def test_what_happens_while_a_watcher_is_told_is_told_next() -> None:
    async def quiet() -> AsyncIterator[Job]:
        await asyncio.Event().wait()
        yield JOB

    feed = Feed()
    for event in (Began(P), NodeBegan(P, "a")):
        feed.take("j", event)
    heard: list[str] = []
    watcher = feed.watch("j", quiet())
    async with asyncio.timeout(60), aclosing(watcher) as news:  # pyright: ignore[reportArgumentType] - it is a generator
        async for one in news:
            heard.append(short(one))
            if heard[-1] == "restarted":
                feed.take("j", NodeBegan(P, "b"))
            if heard[-1] == "b=running":
                break
            assert len(heard) < 9
    assert heard[0] == "restarted"
    assert "a=done" in heard


async def test_memory_is_bounded_and_a_watched_job_stays() -> None:
    feed = Feed(keep=2)
    never = asyncio.Event()

    async def quiet() -> AsyncIterator[Job]:
        await never.wait()
        yield JOB

    watcher = feed.watch("j", quiet())
    feed.take("j", NodeBegan(P, "a"))
    assert short(await anext(watcher)) == "a=running"
    for number in range(5):
        feed.take(f"other-{number}", NodeBegan(P, "x"))
    assert [bool(feed.nodes(key)) for key in ("j", "other-0", "other-3", "other-4")] == [True, False, False, True]
    await watcher.aclose()  # pyright: ignore[reportAttributeAccessIssue]


async def test_a_real_run_tells_every_node_and_pictures(tmp_path: Path) -> None:
    async with setup(f"sqlite:///{tmp_path}/comfyc.db", tmp_path, held=True) as running:
        job = await running.submit()
        async with running.brake.walking(1, every_s=0.02):
            news = [one async for one in running.backend.service.follow(job.id)]
        last = {one.node: one.phase.value for one in news if isinstance(one, NodeState)}
        assert isinstance(news[-1], Job)
        assert news[-1].state is State.SUCCEEDED
        ran = (await running.history())[news[-1].prompt_id]["prompt"][2]
        assert last == dict.fromkeys(ran, "done")
        assert any(isinstance(one, Preview) and one.data for one in news)
        assert max(one.value for one in news if isinstance(one, NodeState) and one.maximum > 1) > 1
