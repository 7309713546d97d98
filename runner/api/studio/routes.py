"""GET /studio and what the page calls. The page itself holds nothing secret; every call but the first needs a key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias, cast
from urllib.parse import urlsplit

from anyio.to_thread import run_sync
from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from compiler import Media
from compiler.errors import Fault, RequestError
from runner.api.body import read_object
from runner.api.desk import LOOPBACK, Desk
from runner.api.openapi import product_version
from runner.api.problem import not_found, unauthorised
from runner.api.requests import uploaded
from runner.api.studio.drawing import STAND_INS, compiled_answer, opened_answer, workflow_of
from runner.api.studio.forms import Asked, asked_of, choices, first_target, form_of, target_of
from runner.api.v1.body import in_flat_words
from runner.telemetry import about_job

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
HERE: Final = Path(__file__).parent
TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})
"""Names of this machine in a Host header; another name that leads here is a rebound one."""
MAX_GRAPH: Final = 100_000
"""Values in a graph that is drawn."""
MOST_FETCHED: Final = 20
MOST_TENANTS: Final = 100
"""Media of each tenant whose size is remembered, and tenants."""
FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""Headers of a proxy: behind one, who seems to be on this machine need not be."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob: {media}; "
    "media-src 'self' blob: {media}; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def studio_routes(desk: Desk) -> list[BaseRoute]:
    """The page, its files, and its calls."""
    calls = Calls(desk)
    paths: Mapping[str, tuple[str, Endpoint]] = {
        "/studio": ("GET", calls.page),
        "/studio/static/{name}": ("GET", calls.asset),
        "/studio/session": ("GET", calls.session),
        "/studio/form": ("GET", calls.form),
        "/studio/compile": ("POST", calls.compile),
        "/studio/jobs": ("POST", calls.create),
        "/studio/jobs/{id}": ("GET", calls.origin),
        "/studio/open": ("POST", calls.open),
        "/studio/workflow": ("POST", calls.workflow),
    }
    return [Route(path, endpoint, methods=[method]) for path, (method, endpoint) in paths.items()]


class Calls:
    """One method for each path."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._fetched: dict[str, dict[str, Media]] = {}
        """Tenant → media behind the addresses in its last drawings: a form that is typed in asks again and again."""

    async def page(self, request: Request) -> Response:
        library = self._desk.library
        html = _pages().get_template("studio.html")
        text = html.render(groups=choices(library), first=first_target(library), version=product_version())
        return Response(text, media_type="text/html", headers=_headers(self._desk))

    async def asset(self, request: Request) -> Response:
        found = _assets().get(request.path_params["name"])
        if found is None:
            raise not_found("File")
        data, kind, etag = found
        headers = {"ETag": etag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type=kind, headers=headers)

    async def session(self, request: Request) -> Response:
        if not await _is_operator(request, self._desk):
            raise unauthorised()
        return JSONResponse({"key": self._desk.config.local_key}, headers={"Cache-Control": "no-store"})

    async def form(self, request: Request) -> Response:
        await self._desk.bearer(request)
        return JSONResponse(form_of(request.query_params.get("target", ""), self._desk.library))

    async def compile(self, request: Request) -> Response:
        """What a form asks for, drawn; stand-ins are taken for media that are not chosen yet."""
        principal = await self._desk.bearer(request)
        asked = await _asked(request, self._desk)
        known = {**STAND_INS, **self._fetched.get(principal.tenant, {})}
        try:
            compiled, catalog = await self._desk.service.preview(
                principal.tenant, asked.dialect, asked.body, operation=asked.operation, known=known
            )
        except RequestError as error:
            raise in_flat_words(error) from error
        self._remember(principal.tenant, known)
        return JSONResponse(compiled_answer(compiled, catalog, self._desk.library))

    def _remember(self, tenant: str, known: Mapping[str, Media]) -> None:
        fetched = [(value, medium) for value, medium in known.items() if value.startswith("http")]
        self._fetched.pop(tenant, None)
        if fetched:
            self._fetched[tenant] = dict(fetched[-MOST_FETCHED:])
            for oldest in list(self._fetched)[:-MOST_TENANTS]:
                del self._fetched[oldest]

    async def create(self, request: Request) -> Response:
        principal = await self._desk.bearer(request)
        asked = await _asked(request, self._desk)
        limit = self._desk.config.active_jobs
        try:
            job = await self._desk.service.submit(
                principal.tenant, asked.dialect, asked.body, operation=asked.operation, limit=limit
            )
        except RequestError as error:
            raise in_flat_words(error) from error
        return JSONResponse({"id": about_job(job).id}, 201)

    async def origin(self, request: Request) -> Response:
        """The target that a job was made for, whose form its request fits."""
        principal = await self._desk.bearer(request)
        job = await self._desk.service.get(principal.tenant, request.path_params["id"])
        if job is None:
            raise not_found("Job")
        return JSONResponse({"target": target_of(job.dialect, job.request)})

    async def open(self, request: Request) -> Response:
        """A workflow, an API graph or a picture that holds one: converted, checked, drawn."""
        await self._desk.bearer(request)
        data, _ = await uploaded(request, "file", self._desk.config.max_upload)
        return _of_file(await run_sync(opened_answer, data, self._desk.service.catalog()))

    async def workflow(self, request: Request) -> Response:
        """A graph as ComfyUI's page opens it."""
        await self._desk.bearer(request)
        graph = (await read_object(request, MAX_GRAPH)).get("graph")
        if not isinstance(graph, dict):
            raise RequestError(Fault("graph", "is required", "Send an API-format graph", "required"))
        nodes = cast("dict[str, Any]", graph)
        return JSONResponse(await run_sync(workflow_of, nodes, self._desk.service.catalog()))


def _of_file(answer: Mapping[str, Any]) -> Response:
    """As JSON in ASCII, since a file may hold half characters. Errors: RequestError for what JSON cannot carry."""
    try:
        text = json.dumps(answer, allow_nan=False)
    except ValueError as error:  # NaN, Infinity: Python's parser takes them
        raise RequestError(
            Fault("file", "holds a number that JSON cannot carry", "Save it with finite numbers", "bad_json")
        ) from error
    return Response(text, media_type="application/json")


async def _asked(request: Request, desk: Desk) -> Asked:
    body = await read_object(request)
    target, values = body.get("target"), body.get("values")
    faults = [
        Fault(name, "is required", f"Send {what}", "required")
        for name, value, kind, what in (("target", target, str, "a text"), ("values", values, dict, "an object"))
        if not isinstance(value, kind)
    ]
    if faults:
        raise RequestError(*faults)
    return asked_of(str(target), values or {}, desk.library)


async def _is_operator(request: Request, desk: Desk) -> bool:
    """Whether the caller may have the page's own key: it exists, nobody else has one, and all is on this machine."""
    principal = await desk.keys.principal(desk.config.local_key) if desk.config.local_key else None
    if principal is None or request.client is None or request.client.host not in LOOPBACK:
        return False
    if any(name in request.headers for name in FORWARDED):
        return False
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    if urlsplit(f"//{request.headers.get('host', '')}").hostname not in HOSTS:
        return False
    return all(one.tenant == principal.tenant for one in await desk.keys.list() if one.revoked_at is None)


def _headers(desk: Desk) -> dict[str, str]:
    address = urlsplit(desk.config.public_url)
    media = f"{address.scheme}://{address.netloc}" if address.netloc else ""
    return {
        "Content-Security-Policy": POLICY.format(media=media).replace(" ;", ";"),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-cache",
    }


@cache
def _pages() -> Environment:
    return Environment(loader=FileSystemLoader(HERE / "pages"), autoescape=select_autoescape(default=True))


@cache
def _assets() -> Mapping[str, tuple[bytes, str, str]]:
    """File name → bytes, content type, ETag."""
    found: dict[str, tuple[bytes, str, str]] = {}
    for path in sorted((HERE / "static").iterdir()):
        data = path.read_bytes()
        found[path.name] = data, TYPES[path.suffix], f'"{hashlib.sha256(data).hexdigest()[:24]}"'
    return found
