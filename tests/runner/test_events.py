"""fold: what every event makes of a job, and which moves it refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.events import (
    Assigned,
    Cancelled,
    CancelRequested,
    Event,
    Failed,
    IllegalMove,
    NodeChanged,
    Progressed,
    Retrying,
    Started,
    Succeeded,
    fold,
)
from runner.job import LEGAL, Cause, Job, JobError, OutputFile, State

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 2, tzinfo=UTC)
ERROR = JobError(Cause.ENGINE_LOST, "gone")
FILE = OutputFile("j/image-1.png", "image", "image/png", 10)
JOB = Job("j", 1, "acme", "ext", "wan22-t2i", {}, NOW)
RUNNING = replace(JOB, state=State.RUNNING, attempt=1, progress=40.0, node="sampler", started_at=NOW)
ENDED = [replace(RUNNING, state=state) for state in (State.SUCCEEDED, State.FAILED, State.CANCELLED)]
EVENTS: list[Event] = [
    Assigned("a", "p", 9),
    Started(NOW),
    NodeChanged("n"),
    Progressed(50),
    Retrying(ERROR),
    CancelRequested(),
    Succeeded((FILE,), NOW),
    Failed(ERROR, NOW),
    Cancelled(NOW),
]


def test_the_whole_way_to_success() -> None:
    job = fold(JOB, Assigned("box", "p-1", 1))
    assert (job.state, job.instance, job.prompt_id, job.attempt) == (State.QUEUED, "box", "p-1", 1)
    job = fold(job, Started(NOW))
    job = fold(job, NodeChanged("sampler"))
    job = fold(job, Progressed(30, "sampler", 12.0))
    assert (job.state, job.node, job.progress, job.eta_s, job.started_at) == (State.RUNNING, "sampler", 30, 12.0, NOW)
    job = fold(job, Succeeded((FILE,), LATER))
    assert (job.state, job.progress, job.outputs, job.finished_at) == (State.SUCCEEDED, 100.0, (FILE,), LATER)
    assert (job.node, job.eta_s) == ("", None)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("job", ENDED, ids=lambda job: job.state)
def test_a_terminal_state_takes_no_event(job: Job, event: Event) -> None:
    with pytest.raises(IllegalMove, match=job.state):
        fold(job, event)


def test_a_queued_job_cannot_succeed() -> None:
    with pytest.raises(IllegalMove, match="queued to succeeded"):
        fold(JOB, Succeeded((), NOW))


def test_an_attempt_is_given_once() -> None:
    with pytest.raises(IllegalMove, match="attempt 1 follows attempt 1"):
        fold(RUNNING, Assigned("box", "p", 1))


def test_a_retry_keeps_progress_and_start() -> None:
    job = fold(fold(RUNNING, Retrying(ERROR, 1.0)), Assigned("other", "p-2", 2))
    assert (job.state, job.progress, job.node, job.attempt) == (State.RUNNING, 40.0, "", 2)
    assert fold(job, Started(LATER)).started_at == NOW


def test_only_success_shows_100() -> None:
    assert fold(RUNNING, Progressed(100)).progress == 99.0


@given(st.lists(st.sampled_from(EVENTS) | st.floats(0, 100).map(lambda percent: Progressed(percent)), max_size=30))
def test_any_stream_of_events_keeps_the_rules(events: list[Event]) -> None:
    job = JOB
    for event in events:
        try:
            after = fold(job, event)
        except IllegalMove:
            continue
        assert after.state is job.state or after.state in LEGAL[job.state]
        assert after.progress >= job.progress
        assert (after.progress == 100.0) == (after.state is State.SUCCEEDED)
        assert after.state.terminal == (after.finished_at is not None)
        job = after
