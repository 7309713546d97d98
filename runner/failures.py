"""What to do when a run fails: which failures are an engine's and worth another try, and what the caller is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from compiler.errors import ComfycError
from runner.causes import blame
from runner.engine.base import EngineError, EngineUnreachable, PromptLost, PromptRefused
from runner.execute import RunEmpty, RunFailed, RunInterrupted
from runner.job import Cause, JobError
from runner.store.storage import StorageError


class Fault(StrEnum):
    """Kinds of failure, by who is to blame and what helps."""

    REFUSED = "refused"
    NODE_ERROR = "node_error"
    EMPTY = "empty"
    HOLLOW = "hollow"
    LOST = "lost"
    INTERRUPTED = "interrupted"
    UNREACHABLE = "unreachable"
    OUT_OF_MEMORY = "out_of_memory"
    DEVICE = "device"
    ENGINE = "engine"
    STORAGE = "storage"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Policy:
    """How one kind is treated."""

    cause: Cause
    retries: int = 0
    """How often a job is run again because of this; each kind is counted by itself."""
    delay_s: float = 0.5
    """Before the first retry; doubled each time."""
    keep_prompt: bool = False
    """The engine may still have the prompt: the next run looks there first."""
    elsewhere: bool = False
    """Another instance is preferred for the next run."""


LONGEST_S: Final = 30.0
POLICIES: Final[Mapping[Fault, Policy]] = {
    Fault.REFUSED: Policy(Cause.INVALID),
    Fault.NODE_ERROR: Policy(Cause.NODE_ERROR),
    Fault.EMPTY: Policy(Cause.NODE_ERROR),
    Fault.HOLLOW: Policy(Cause.NODE_ERROR, retries=2, delay_s=0.0),  # the next attempt has another nonce
    Fault.LOST: Policy(Cause.ENGINE_LOST, retries=6, delay_s=0.2),
    Fault.INTERRUPTED: Policy(Cause.ENGINE_LOST, retries=3, delay_s=0.5),
    Fault.UNREACHABLE: Policy(Cause.ENGINE_LOST, retries=8, keep_prompt=True),
    Fault.OUT_OF_MEMORY: Policy(Cause.OUT_OF_MEMORY, retries=3, elsewhere=True),
    Fault.DEVICE: Policy(Cause.ENGINE_LOST, retries=4, elsewhere=True),
    Fault.ENGINE: Policy(Cause.ENGINE_LOST, retries=3, elsewhere=True),
    Fault.STORAGE: Policy(Cause.INTERNAL, retries=5, delay_s=1.0, keep_prompt=True),  # the engine keeps the files
    Fault.INTERNAL: Policy(Cause.INTERNAL),
}


def fault_of(error: Exception) -> Fault:
    """The kind of an exception of `execute` or of compile."""
    match error:
        case PromptRefused() | ComfycError():
            return Fault.REFUSED
        case PromptLost():
            return Fault.LOST
        case EngineUnreachable():
            return Fault.UNREACHABLE
        case EngineError():
            return Fault.ENGINE
        case RunFailed(outcome=outcome):
            if outcome.device_fault:
                return Fault.DEVICE
            return Fault.OUT_OF_MEMORY if outcome.out_of_memory else Fault.NODE_ERROR
        case RunInterrupted():
            return Fault.INTERRUPTED
        case RunEmpty(hollow=hollow):
            return Fault.HOLLOW if hollow else Fault.EMPTY
        case StorageError():
            return Fault.STORAGE
        case _:
            return Fault.INTERNAL


def delay_s(fault: Fault, retry: int) -> float:
    """Seconds before retry number `retry`, which counts from 0."""
    return min(LONGEST_S, POLICIES[fault].delay_s * 2**retry)


def job_error(error: Exception) -> JobError:
    """What the caller is told: safe to show."""
    fault = fault_of(error)
    cause = POLICIES[fault].cause
    if isinstance(error, RunFailed):
        found, message = blame(str(error))
        return JobError(
            found if fault is Fault.NODE_ERROR else cause, message, error.outcome.node, error.outcome.node_type
        )
    if fault is Fault.INTERNAL:
        return JobError(cause, "Something went wrong inside comfyc. Its log says more.")
    return JobError(cause, str(error))
