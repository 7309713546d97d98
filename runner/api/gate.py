"""The outermost layer: request ids, size and time limits, the last word on errors, the log line and the figures.

Plain ASGI, for a status poll passes here thousands of times a second.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Callable, MutableMapping
from typing import Any, Final, TypeAlias

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from compiler.errors import Fault, RequestError
from runner.api.problem import Problem, problem_of
from runner.telemetry import Telemetry

Refuse: TypeAlias = Callable[[str, Problem], Response]
"""(path, problem) → the answer in the words of whoever owns the path."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REQUEST_ID: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)

LEVELS: Final = logging.getLogger("comfyc.api")

log = structlog.get_logger("comfyc.api")


class Gate:
    """Wraps the app. `limit(content type)` is the largest body in bytes, `seconds` the longest time to answer."""

    def __init__(
        self, app: ASGIApp, refuse: Refuse, telemetry: Telemetry, limit: Callable[[str], int], seconds: float
    ) -> None:
        self._app, self._refuse, self._telemetry = app, refuse, telemetry
        self._limit, self._seconds = limit, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._limit)
        structlog.contextvars.bind_contextvars(request_id=exchange.request_id)
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._seconds) as exchange.patience:
                await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:
            await self._rescue(exchange, error)
        finally:
            self._tell(exchange, time.perf_counter() - began)
            structlog.contextvars.unbind_contextvars("request_id", "job_id")

    async def _rescue(self, exchange: _Exchange, error: Exception) -> None:
        exchange.patience = None
        problem = problem_of(error)
        if problem.unexpected or (exchange.status and not isinstance(error, ClientDisconnect)):
            log.error("request failed", route=exchange.route, exc_info=error)
        if exchange.status:  # the answer has begun: only its end can be withheld
            return
        if isinstance(error, ClientDisconnect):
            exchange.status = problem.status
            return
        await self._refuse(exchange.scope["path"], problem)(exchange.scope, exchange.receive, exchange.send)

    def _tell(self, exchange: _Exchange, seconds: float) -> None:
        method = exchange.scope["method"] if exchange.scope["method"] in METHODS else "other"
        self._telemetry.http(method, exchange.route, exchange.status, seconds)
        quiet = exchange.status < 400 and method in ("GET", "HEAD")
        if quiet and not LEVELS.isEnabledFor(logging.DEBUG):
            return  # structlog would build the line before the level drops it
        write = log.debug if quiet else log.info
        write("request", method=method, route=exchange.route, status=exchange.status, ms=round(seconds * 1000, 1))


class _Exchange:
    """One request and its answer, watched as they pass."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: Callable[[str], int]) -> None:
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        self.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        self.status = 0
        self.patience: asyncio.Timeout | None = None
        self.scope = scope
        self._receive, self._send = receive, send
        self._limit, self._headers = limit, headers
        self._got = 0

    @property
    def route(self) -> str:
        """The pattern of the route, so that ids and keys in paths do not become figures or log lines."""
        return getattr(self.scope.get("route"), "path", "") or "unknown"

    async def receive(self) -> Message:
        """Passes the body on until it is too long. The announced length is checked before the first byte is read."""
        limit = self._limit(self._headers.get("content-type", ""))
        announced = self._headers.get("content-length", "0")
        if not self._got and announced.isascii() and announced.isdigit() and int(announced[:20]) > limit:
            raise _too_large(limit)
        message = await self._receive()
        if message["type"] == "http.request":
            self._got += len(message.get("body", b""))
            if self._got > limit:
                raise _too_large(limit)
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.patience is not None and not self.patience.expired():
                self.patience.reschedule(None)  # a long download is no slow answer
            message.setdefault("headers", [])
            message["headers"] = [*message["headers"], (b"x-request-id", self.request_id.encode())]
        await self._send(message)


def _too_large(limit: int) -> RequestError:
    return RequestError(Fault("body", f"is larger than {limit} bytes", "Send less", "too_large"))
