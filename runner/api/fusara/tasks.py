"""A task as the Fusara API tells it (contract §3.4–3.6), and its callback (§9.9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runner.api.links import Links
from runner.job import Cause, Job, State

STATES: Final[Mapping[State, int]] = {
    State.QUEUED: 10,
    State.RUNNING: 20,
    State.SUCCEEDED: 100,
    State.FAILED: 200,
    State.CANCELLED: 200,
}
UNKNOWN: Final = 0
CATEGORIES: Final[Mapping[Cause, int]] = {
    Cause.QUOTA: 1,
    Cause.MODERATION: 2,
    Cause.INVALID: 3,
    Cause.PROVIDER: 4,
    Cause.NODE_ERROR: 4,
    Cause.OUT_OF_MEMORY: 4,
    Cause.ENGINE_LOST: 4,
    Cause.UNAVAILABLE: 4,
    Cause.TIMEOUT: 5,
    Cause.INTERNAL: UNKNOWN,
}
"""§3.6: 0 Unknown, 1 QuotaExceeded, 2 ContentModeration, 3 InvalidInput, 4 ProviderError, 5 Timeout."""
MESSAGES: Final[Mapping[int, str]] = {
    UNKNOWN: "The task failed.",
    1: "The provider's quota is used up.",
    2: "The content was refused by moderation.",
    3: "The input is not valid.",
    4: "The provider failed.",
    5: "The task took too long.",
}
CANCELLED: Final = "The task was cancelled."
DONE: Final = "Task completed successfully"
SHOWN: Final = frozenset({"image", "video", "audio"})
"""Kinds of output that are results; a text beside them is not."""


def task(job: Job, links: Links) -> dict[str, Any]:
    """GenerateMediaTaskSimpleResponse; `warnings` is our addition, there only when something was not honoured."""
    files = job.outputs if job.state is State.SUCCEEDED else ()
    body: dict[str, Any] = {
        "taskId": job.number,
        "images": [
            {"id": one.number, "url": links.url(one.key, until=one.expires_at)} for one in files if one.kind in SHOWN
        ],
        "workflowStatusId": STATES[job.state],
        **_error(job),
    }
    return body | ({"warnings": list(job.unsupported)} if job.unsupported else {})


def callback(job: Job) -> dict[str, Any]:
    """What CompletionCallbackUrl is told."""
    done = job.state is State.SUCCEEDED
    error = _error(job)
    return {
        "taskId": job.number,
        "statusId": STATES[job.state],
        "statusCode": "COMPLETION_SUCCESS" if done else "COMPLETION_FAILED",
        "statusMessage": DONE if done else error["userDetailedMessage"] or error["userStandardMessage"],
    }


def _error(job: Job) -> dict[str, Any]:
    category, code, standard, detail = None, None, None, None
    if job.state is State.CANCELLED:
        category, code, standard = UNKNOWN, "CANCELLED", CANCELLED
    elif job.state is State.FAILED:
        cause = job.error.cause if job.error else Cause.INTERNAL
        category, code = CATEGORIES[cause], cause.value.upper()
        standard, detail = MESSAGES[category], job.error.message if job.error else None
    return {
        "errorCategoryId": category,
        "errorCode": code,
        "userStandardMessage": standard,
        "userDetailedMessage": detail,
    }
