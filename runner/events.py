"""What happens to a job, and what it makes of it: `fold(job, event) -> Job`, pure.

Every state of a job that anybody sees was made by `fold`, so its rules hold everywhere: a terminal state never
changes, progress never falls, and it is 100 only at success.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias

from runner.job import LEGAL, Job, JobError, OutputFile, State

ALMOST: Final = 99.0
"""The most that a job shows before its media can be fetched."""


class IllegalMove(Exception):
    """An event that the job's state does not allow: a defect, or a writer that lost its job."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """An engine is about to be given the job. It stays queued until the engine begins with it."""

    instance: str
    prompt_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Started:
    """The engine has begun with the job's prompt."""

    at: datetime


@dataclass(frozen=True, slots=True)
class NodeChanged:
    """Another node runs now; `node` is its readable id."""

    node: str


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far the run is: `percent` 0–100, `eta_s` seconds left or None."""

    percent: float
    node: str = ""
    eta_s: float | None = None


@dataclass(frozen=True, slots=True)
class Retrying:
    """The engine failed the job, and it will be given to one again in `delay_s` seconds."""

    error: JobError
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody wants the job cancelled; whoever runs it will end it."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """All outputs lie in storage."""

    outputs: tuple[OutputFile, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Failed:
    error: JobError
    at: datetime


@dataclass(frozen=True, slots=True)
class Cancelled:
    at: datetime


Event: TypeAlias = (
    Assigned | Started | NodeChanged | Progressed | Retrying | CancelRequested | Succeeded | Failed | Cancelled
)


def fold(job: Job, event: Event) -> Job:
    """The job after the event. Raises IllegalMove for an event that its state does not allow."""
    if job.state.terminal:
        raise IllegalMove(f"job {job.id} is {job.state}: {type(event).__name__} comes too late")
    match event:
        case Assigned(instance, prompt_id, attempt):
            if attempt <= job.attempt:
                raise IllegalMove(f"job {job.id}: attempt {attempt} follows attempt {job.attempt}")
            return replace(job, instance=instance, prompt_id=prompt_id, attempt=attempt)
        case Started(at):
            return replace(_move(job, State.RUNNING), started_at=job.started_at or at)
        case NodeChanged(node):
            return replace(_move(job, State.RUNNING), node=node)
        case Progressed(percent, node, eta_s):
            progress = max(job.progress, min(percent, ALMOST))
            return replace(_move(job, State.RUNNING), progress=progress, node=node or job.node, eta_s=eta_s)
        case Retrying():
            return replace(job, node="", eta_s=None)
        case CancelRequested():
            return replace(job, cancel_requested=True)
        case Succeeded(outputs, at):
            return replace(_ended(job, State.SUCCEEDED, at), outputs=outputs, progress=100.0)
        case Failed(error, at):
            return replace(_ended(job, State.FAILED, at), error=error)
        case Cancelled(at):
            return _ended(job, State.CANCELLED, at)


def _move(job: Job, state: State) -> Job:
    if state not in LEGAL[job.state]:
        raise IllegalMove(f"job {job.id} cannot go from {job.state} to {state}")
    return replace(job, state=state)


def _ended(job: Job, state: State, at: datetime) -> Job:
    return replace(_move(job, state), finished_at=at, node="", eta_s=None)
