"""What an API call is answered instead of a result, before a dialect puts it into its own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from compiler.errors import Fault, RequestError, TargetError
from runner.engine.base import EngineError
from runner.models.importer import ModelNotReady
from runner.models.source import SourceAway
from runner.service import NoEngine, TooManyJobs
from runner.store.storage import NotStored, StorageError


@dataclass(frozen=True, slots=True)
class Rule:
    """How one class of error is answered. `message` is used where the error's own text is not for callers."""

    status: int
    code: str
    message: str = ""
    retry_after: int = 0
    """Seconds, for the Retry-After header; 0 for none."""


RULES: Final[tuple[tuple[type[BaseException], Rule], ...]] = (
    (RequestError, Rule(400, "invalid_request")),
    (TooManyJobs, Rule(429, "too_many_jobs", retry_after=5)),
    (TargetError, Rule(503, "unavailable", "No engine offers what this request needs")),
    (NoEngine, Rule(503, "unavailable", retry_after=10)),
    (ModelNotReady, Rule(503, "unavailable", retry_after=10)),
    (SourceAway, Rule(503, "unavailable", retry_after=10)),
    (EngineError, Rule(502, "engine_failed")),
    (NotStored, Rule(404, "not_found", "The file was not found")),
    (StorageError, Rule(503, "unavailable", "The media store is unavailable. Try again later", 10)),
    (OperationalError, Rule(503, "unavailable", "The job store is unavailable. Try again later", 10)),
    (InterfaceError, Rule(503, "unavailable", "The job store is unavailable. Try again later", 10)),
    (DBAPIError, Rule(502, "internal", "The request could not be stored")),
    (TimeoutError, Rule(503, "timeout", "The request took too long. Try again later", 10)),
    (
        Exception,
        Rule(502, "internal", "The service failed on this request. Report the X-Request-ID of this answer"),
    ),
)
"""First match wins. There is no 500: a defect of ours is a 502 to the caller, and an error in our log."""
WORDS: Final[Mapping[int, str]] = {
    401: "Missing or invalid API key. Send the header Authorization: Bearer <key>",
    404: "There is nothing at this address",
    405: "This address does not take this method",
}


class Problem(Exception):
    """A refusal: HTTP status, a stable word, a message for people, and the faults of a wrong request."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        faults: tuple[Fault, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.faults, self.headers = faults, headers or {}

    @property
    def unexpected(self) -> bool:
        """True for what an operator should look at."""
        return self.code == "internal"

    def to_json(self) -> dict[str, Any]:
        """The house's envelope: a message with every fault in it, a word for programs, and the faults one by one."""
        faults = [{"field": one.where, "fault": one.what, "cure": one.cure, "code": one.code} for one in self.faults]
        told = "; ".join(str(fault) for fault in self.faults)
        body: dict[str, Any] = {"message": f"Invalid request: {told}" if told else self.message, "code": self.code}
        return {**body, "faults": faults} if faults else body


def unauthorised() -> Problem:
    """No key, or not one of ours."""
    return Problem(401, "unauthorised", WORDS[401], headers={"WWW-Authenticate": "Bearer"})


def not_found(what: str) -> Problem:
    """`what` was not found, or belongs to somebody else: the caller cannot tell."""
    return Problem(404, "not_found", f"{what} not found")


def problem_of(error: BaseException) -> Problem:
    """The refusal that an exception becomes."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        return Problem(
            error.status_code, "http", WORDS.get(error.status_code, error.detail), headers=error.headers or {}
        )
    if isinstance(error, ClientDisconnect):
        return Problem(499, "gone", "The caller went away")
    rule = next(rule for kind, rule in RULES if isinstance(error, kind))
    faults = error.faults if isinstance(error, RequestError) else ()
    headers = {"Retry-After": str(rule.retry_after)} if rule.retry_after else {}
    return Problem(rule.status, rule.code, rule.message or str(error), faults, headers)
