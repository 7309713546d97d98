"""A job: one accepted request and what became of it. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final


class State(StrEnum):
    """Where a job stands; see LEGAL for the moves."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """True for an end that never changes."""
        return self in TERMINAL


TERMINAL: Final = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
LEGAL: Final[Mapping[State, frozenset[State]]] = {
    State.QUEUED: frozenset({State.RUNNING, State.FAILED, State.CANCELLED}),
    State.RUNNING: frozenset({State.RUNNING, *TERMINAL}),  # running → running: a retry, or progress
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}


class Cause(StrEnum):
    """Why a job failed; a dialect maps it to its own codes."""

    INVALID = "invalid"  # the graph or the media were refused: the request's fault, never retried
    OUT_OF_MEMORY = "out_of_memory"
    NODE_ERROR = "node_error"  # a node raised
    PROVIDER = "provider"  # a service that a node calls failed, or refuses our key
    ENGINE_LOST = "engine_lost"  # crash, restart or vanished prompt, retries used up
    UNAVAILABLE = "unavailable"  # no engine could take it
    MODERATION = "moderation"
    QUOTA = "quota"
    TIMEOUT = "timeout"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class JobError:
    """A failure that is safe to show: no path, no traceback, no key, no prompt of another job."""

    cause: Cause
    message: str
    node: str = ""
    node_type: str = ""


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A result that lies in our own storage."""

    key: str
    """Storage key, `<job id>/<name>`."""
    kind: str
    """`image`, `video`, `audio` or `text`."""
    content_type: str
    size: int
    """Bytes."""
    width: int = 0
    height: int = 0
    poster: str = ""
    """Storage key of a video's poster picture (its first frame, PNG)."""
    number: int = 0
    """What callers of numeric dialects call it; a later request of theirs may use it."""
    expires_at: float | None = None
    """When it stops being there, seconds since the epoch; None: never."""


@dataclass(frozen=True, slots=True)
class Callback:
    """Where to tell the end of a job, and with which bearer token."""

    url: str
    token: str = ""
    once: bool = False
    """One try, whatever becomes of it."""
    timeout_s: float | None = None
    """How long the receiver may take; None: as long as any."""


@dataclass(frozen=True, slots=True)
class Job:
    """One accepted request. `number` is unique and grows: dialects with numeric ids show it."""

    id: str
    number: int
    tenant: str
    dialect: str
    provider: str
    request: Mapping[str, Any]
    """The validated request as JSON, with every random choice (the seed) already drawn: it can be replayed."""
    created_at: datetime
    state: State = State.QUEUED
    priority: int = 0
    """Higher runs first; jobs of one priority run in the order they came."""
    progress: float = 0.0
    """0–100, never falls; 100 only when the media can be fetched."""
    node: str = ""
    """The node being run, for people."""
    eta_s: float | None = None
    """Seconds left, by measured history; None if unknown."""
    attempt: int = 0
    """How many times an engine was given this job; also the fencing token of its owner."""
    prompt_id: str = ""
    instance: str = ""
    template: str = ""
    outputs: tuple[OutputFile, ...] = ()
    error: JobError | None = None
    unsupported: tuple[str, ...] = ()
    """What was asked and is not honoured, one line each."""
    callback: Callback | None = None
    media: Mapping[str, str] = field(default_factory=dict[str, str])
    """Media reference in the request → key in storage."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested: bool = False
