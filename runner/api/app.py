"""The HTTP server's app: every dialect at its own paths, and the operator's pages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from compiler import Library
from runner.api.desk import ApiConfig, Desk, Jobs, Models, NoModels, shipped_library
from runner.api.dialects import dialect_at, dialects
from runner.api.gate import Gate
from runner.api.links import Links
from runner.api.media_files import media_route
from runner.api.openapi import ABOUT, document
from runner.api.problem import Problem, problem_of
from runner.api.studio import studio_routes
from runner.store.guard import Guard
from runner.store.keys import KeyRing
from runner.store.media import MediaStore
from runner.store.storage import Storage
from runner.store.subscriptions import MemorySubscriptions, Subscriptions
from runner.telemetry import Telemetry, Vitals

FORM_EXTRA: Final = 128 * 1024
"""Bytes that a multipart body may need beside its file."""
PULSE_SECONDS: Final = 3.0
"""Longest wait for an answer of the database at /readyz and /metrics."""
Pulse: TypeAlias = Callable[[], Awaitable[Vitals]]
"""Reads how the service stands; may raise if the database is away."""


async def _no_vitals() -> Vitals:
    return Vitals()


def create_app(
    service: Jobs,
    media: MediaStore,
    storage: Storage,
    keys: KeyRing,
    config: ApiConfig,
    *,
    guard: Guard | None = None,
    telemetry: Telemetry | None = None,
    vitals: Pulse = _no_vitals,
    library: Library | None = None,
    models: Models | None = None,
    subscriptions: Subscriptions | None = None,
) -> Starlette:
    """The app. `guard` judges callback URLs; `vitals` is asked by /readyz and /metrics; `library` has the templates
    that are served, by default the shipped ones."""
    links = Links(config.secret, config.public_url.rstrip("/"), config.url_seconds)
    desk = Desk(
        service,
        media,
        storage,
        keys,
        guard or Guard(),
        links,
        telemetry or Telemetry(),
        config,
        library or shipped_library(),
        models or NoModels(),
        subscriptions or MemorySubscriptions(),
    )
    routes = [route for dialect in dialects().values() for route in dialect.routes(desk)]

    async def refused(request: Request, error: Exception) -> Response:
        return _refuse(request.url.path, problem_of(error))

    def limit(content_type: str) -> int:
        form = content_type.lower().startswith("multipart/")
        return config.max_upload + FORM_EXTRA if form else config.max_json

    gate = Middleware(Gate, refuse=_refuse, telemetry=desk.telemetry, limit=limit, seconds=config.request_seconds)
    app = Starlette(
        routes=[*routes, media_route(desk), *studio_routes(desk), *_pages(desk, vitals)],
        middleware=[gate],
        exception_handlers={HTTPException: refused},
    )
    app.state.closing = desk.closing
    app.router.redirect_slashes = False  # a redirected POST would come back as a GET
    return app


def _refuse(path: str, problem: Problem) -> Response:
    """The answer to a refusal, in the words of the dialect that owns the path."""
    dialect = dialect_at(path)
    if dialect is not None:
        return dialect.refuse(problem)
    return JSONResponse(problem.to_json(), problem.status, headers=dict(problem.headers))


def _pages(desk: Desk, vitals: Pulse) -> list[Route]:
    """Pages for people and for operators."""

    async def index(request: Request) -> Response:
        return JSONResponse(
            {
                "name": "comfyc",
                "about": ABOUT,
                "dialects": {name: list(dialect.prefixes) for name, dialect in dialects().items()},
                "studio": "/studio",
                "openapi": "/openapi.json",
                "health": ["/healthz", "/readyz", "/metrics"],
            }
        )

    async def openapi(request: Request) -> Response:
        return JSONResponse(document(str(request.base_url).rstrip("/"), desk.library))

    async def healthz(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> Response:
        now = await _pulse(vitals)
        parts: Mapping[str, Any] = {"database": now.database, "engines": now.engines}
        if now.ready:
            return JSONResponse({"status": "ready", **parts})
        return JSONResponse({"status": "not ready", **parts}, 503, headers={"Retry-After": "5"})

    async def metrics(request: Request) -> Response:
        await desk.operator(request)
        body = desk.telemetry.render(await _pulse(vitals))
        return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")

    pages = {"/": index, "/openapi.json": openapi, "/healthz": healthz, "/readyz": readyz, "/metrics": metrics}
    return [Route(path, page, methods=["GET"]) for path, page in pages.items()]


async def _pulse(vitals: Pulse) -> Vitals:
    try:
        async with asyncio.timeout(PULSE_SECONDS):
            return await vitals()
    except Exception:
        return Vitals()  # no answer is an answer: not ready
