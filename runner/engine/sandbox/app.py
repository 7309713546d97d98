"""The sandbox's ASGI application: routes, the /api prefix, faults of HTTP, the header that tells what it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from runner.engine.sandbox import files, info, jobs, prompts
from runner.engine.sandbox.core import MAX_UPLOAD, Core
from runner.engine.sandbox.faults import BadFault, parse_fault
from runner.engine.sandbox.http import answer, body, nothing, trouble
from runner.engine.sandbox.prompts import Cut

MARK: Final = (b"x-comfyc-sandbox", b"1")
_LOCAL: Final = ("127.0.0.1", "localhost", "::1")


async def _socket(socket: WebSocket) -> None:
    core: Core = socket.scope["core"]
    await core.hub.serve(socket, core.queue.remaining)


async def show_faults(request: Request) -> Response:
    """GET /sandbox/faults: those that may still strike."""
    core: Core = request.scope["core"]
    return answer({"faults": core.faults.listing()})


async def add_faults(request: Request) -> Response:
    """POST /sandbox/faults: a fault, or {"faults": [...], "seed": n}."""
    core: Core = request.scope["core"]
    try:
        sent = await body(request)
        listed = isinstance(sent, dict) and "faults" in sent
        several: dict[str, Any] = cast("dict[str, Any]", sent) if listed else {"faults": [sent]}
        faults = [parse_fault(fault) for fault in several["faults"]]
        seed = several.get("seed")
        if seed is not None and not isinstance(seed, int):
            raise BadFault("seed must be a whole number")
    except ValueError as error:
        return answer({"error": str(error)}, 400)
    core.faults.add(faults, seed=seed)
    return answer({"faults": core.faults.listing()})


async def clear_faults(request: Request) -> Response:
    """DELETE /sandbox/faults."""
    core: Core = request.scope["core"]
    core.faults.clear()
    return answer({"faults": []})


_ROUTES: Final[list[BaseRoute]] = [
    Route("/prompt", prompts.remaining, methods=["GET"]),
    Route("/prompt", prompts.submit, methods=["POST"]),
    Route("/history/{prompt_id:path}", prompts.history_entry, methods=["GET"]),
    Route("/history", prompts.history, methods=["GET"]),
    Route("/history", prompts.change_history, methods=["POST"]),
    Route("/queue", prompts.show_queue, methods=["GET"]),
    Route("/queue", prompts.change_queue, methods=["POST"]),
    WebSocketRoute("/ws", _socket),
    Route("/view", files.view, methods=["GET"]),
    Route("/upload/image", files.upload_image, methods=["POST"]),
    Route("/upload/mask", files.upload_mask, methods=["POST"]),
    Route("/interrupt", prompts.interrupt, methods=["POST"]),
    Route("/free", prompts.free, methods=["POST"]),
    Route("/system_stats", info.system_stats, methods=["GET"]),
    Route("/features", info.features, methods=["GET"]),
    Route("/object_info/{kind}", info.object_info_class, methods=["GET"]),
    Route("/object_info", info.object_info, methods=["GET"]),
    Route("/embeddings", info.embeddings, methods=["GET"]),
    Route("/models/{folder}", info.models_in, methods=["GET"]),
    Route("/models", info.models, methods=["GET"]),
    Route("/view_metadata/{folder}", info.no_metadata, methods=["GET"]),
    Route("/extensions", info.empty_list, methods=["GET"]),
    Route("/users", info.users, methods=["GET"]),
    Route("/settings", info.empty_object, methods=["GET"]),
    Route("/workflow_templates", info.empty_object, methods=["GET"]),
    Route("/internal/logs/raw", info.logs, methods=["GET"]),
    Route("/internal/folder_paths", info.empty_object, methods=["GET"]),
    Route("/internal/files/{kind}", info.file_names, methods=["GET"]),
    Route("/sandbox/faults", show_faults, methods=["GET"]),
    Route("/sandbox/faults", add_faults, methods=["POST"]),
    Route("/sandbox/faults", clear_faults, methods=["DELETE"]),
]

_NEW: Final[list[BaseRoute]] = [
    Route("/global_subgraphs/{name}", info.null, methods=["GET"]),
    Route("/global_subgraphs", info.empty_object, methods=["GET"]),
]
"""Since 0.8.0."""

_JOBS: Final[list[BaseRoute]] = [
    Route("/jobs/{job_id}", jobs.one_job, methods=["GET"]),
    Route("/jobs", jobs.list_jobs, methods=["GET"]),
]
"""Since 0.8.0, with the /api prefix only (which may be doubled)."""


def make_app(core: Callable[[], Core | None], cut: Callable[[Scope], None], refuse: Callable[[float], None]) -> ASGIApp:
    """The application. `core` gives the boot that serves now; `cut` cuts a request's connection."""
    now = core()
    new = now is not None and not now.old
    routes = [*_ROUTES, *(_NEW if new else [])]
    prefixed = [*routes, *([*_JOBS, Mount("/api", app=_router([*_JOBS]))] if new else [])]
    inner = Router([*routes, Mount("/api", app=_router(prefixed))], redirect_slashes=False, default=_unknown)
    return _Front(inner, core, cut, refuse)


def _router(routes: list[BaseRoute]) -> Router:
    return Router(routes, redirect_slashes=False, default=_unknown)


async def _unknown(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
        return
    await PlainTextResponse("404: Not Found", 404)(scope, receive, send)


class _Front:
    """Before the routes: the origin check, HTTP faults, failures as plain 500s."""

    def __init__(
        self,
        inner: ASGIApp,
        core: Callable[[], Core | None],
        cut: Callable[[Scope], None],
        refuse: Callable[[float], None],
    ) -> None:
        self._inner, self._core, self._cut, self._refuse = inner, core, cut, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        core = self._core()
        if core is None:
            self._cut(scope)
            return
        scope["core"] = core
        if scope["type"] == "websocket":
            await self._inner(scope, receive, send)
            return
        path: str = scope["path"]
        marked = _marked(send)
        if not path.startswith("/sandbox/"):
            stop = await self._faults(core, path, scope)
            if stop is not None:
                await stop(scope, receive, marked)
                return
        if _too_large(scope):
            await PlainTextResponse("413: Request Entity Too Large", 413)(scope, receive, marked)
            return
        if _foreign(scope):
            await nothing(403)(scope, receive, marked)
            return
        await self._answer(scope, receive, marked)

    async def _faults(self, core: Core, path: str, scope: Scope) -> Response | None:
        faults = core.faults
        slow = faults.take("slow", path=path)
        if slow is not None:
            await asyncio.sleep(slow.seconds)
        closing = faults.take("refuse")
        if closing is not None:
            self._refuse(closing.seconds)
            self._cut(scope)
            return nothing()  # nobody hears it
        return trouble() if faults.take("http_500", path=path) is not None else None

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._inner(scope, receive, watched)
        except Cut:
            self._cut(scope)
        except Exception:
            if not started:
                await trouble()(scope, receive, send)


def _marked(send: Send) -> Send:
    async def marked(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), MARK]
        await send(message)

    return marked


def _too_large(scope: Scope) -> bool:
    length = dict(scope["headers"]).get(b"content-length", b"0")
    return length.isdigit() and int(length) > MAX_UPLOAD


def _foreign(scope: Scope) -> bool:
    """Whether a browser on another site asks: Origin differs from a loopback Host."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    origin, host = headers.get(b"origin"), headers.get(b"host")
    if not origin or not host:
        return False
    asked = urlsplit(f"//{host.decode('latin-1')}")
    return asked.hostname in _LOCAL and urlsplit(origin.decode("latin-1")).netloc.lower() != asked.netloc.lower()
