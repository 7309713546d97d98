"""The base of a dialect: one wire API that our server speaks. A dialect is one file in `dialects/`, in two halves.

Parse:  routes(desk)    HTTP request → `desk.service.submit(…)`; raises Problem or RequestError
Encode: encode_job      Job → the body of a status answer
        encode_webhook  Job → the body of a callback
        encode_problem  Problem → the body of an error
The encode half is given no request, so polling, events and webhooks share it. Dialects never import one another, and
know nothing below the desk. A new dialect is a new file with a line `DIALECT = MyDialect()`; the registry finds it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from compiler import Library
from runner.api.desk import Desk
from runner.api.links import Links
from runner.api.problem import Problem
from runner.job import Job, State

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
"""Answers one request."""


class Dialect(ABC):
    """One wire API. The class attributes are its facts."""

    name: ClassVar[str]
    """The word in `Job.dialect` and for `--dialect`."""
    prefixes: ClassVar[tuple[str, ...]]
    """Paths that this dialect answers for, also with errors where no route matches; the longest prefix wins."""
    states: ClassVar[Mapping[State, Any]]
    """Our state → its word."""
    key_header: ClassVar[str] = "Authorization: Bearer {key}"
    """How callers send their key, for the code that Studio shows."""
    document: ClassVar[Mapping[str, Any]] = {}
    """Its part of /openapi.json: `paths` and `components`."""

    def describe(self, library: Library) -> Mapping[str, Any]:
        """`document`, with what depends on the templates of this server."""
        return self.document

    @abstractmethod
    def routes(self, desk: Desk) -> Sequence[BaseRoute]:
        """The parse half: HTTP routes, at the API's own paths."""

    @abstractmethod
    def encode_job(self, job: Job, links: Links) -> dict[str, Any]:
        """The body of a status answer."""

    @abstractmethod
    def encode_webhook(self, job: Job, links: Links) -> dict[str, Any]:
        """The body of the callback that tells a job's end."""

    @abstractmethod
    def encode_problem(self, problem: Problem) -> dict[str, Any]:
        """The body of an error."""

    def status(self, problem: Problem) -> int:
        """The HTTP status of an error; override where the API has no such code."""
        return problem.status

    def refuse(self, problem: Problem) -> Response:
        """The whole error answer."""
        return JSONResponse(self.encode_problem(problem), self.status(problem), headers=dict(problem.headers))


def iso(at: datetime | None) -> str | None:
    """ISO 8601 in UTC with whole seconds, `2026-03-25T12:00:00Z`; None stays None."""
    return at and f"{at:%Y-%m-%dT%H:%M:%SZ}"
