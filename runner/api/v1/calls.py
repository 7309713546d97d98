"""What the house's own routes do: templates, files and jobs of one server."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from compiler.errors import Fault, RequestError
from compiler.template.library import Template
from runner.api.desk import Desk
from runner.api.problem import not_found
from runner.api.requests import callback_of, uploaded
from runner.api.v1.body import CALLBACK, in_flat_words, read_body, split
from runner.api.v1.describe import description, summary
from runner.api.v1.encode import encode_job, encode_whole
from runner.api.v1.events import event_stream
from runner.job import Job
from runner.service import NoEngine
from runner.telemetry import about_job
from runner.work import TEMPLATES

LONGEST: Final = 100
"""Most jobs in one answer."""
USUAL: Final = 20


class Calls:
    """One method for each operation of v1/openapi.json."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def templates(self, request: Request) -> Response:
        await self._desk.bearer(request)
        return JSONResponse({"templates": [summary(one) for one in self._desk.library.templates.values()]})

    async def template(self, request: Request) -> Response:
        await self._desk.bearer(request)
        return JSONResponse(description(self._template(request), self._desk.library))

    async def create(self, request: Request) -> Response:
        principal = await self._desk.bearer(request)
        job = about_job(await self._submit(request, principal.tenant))
        answer = encode_whole(job, self._desk.links_for(request))
        return JSONResponse(answer, 201, headers={"Location": f"/v1/jobs/{job.id}"})

    async def upload(self, request: Request) -> Response:
        principal = await self._desk.bearer(request)
        data, filename = await uploaded(request, "file", self._desk.config.max_upload)
        return JSONResponse({"id": await self._desk.media.add(principal.tenant, data, filename)}, 201)

    async def jobs(self, request: Request) -> Response:
        principal = await self._desk.bearer(request)
        limit, before = _whole(request, "limit", LONGEST) or USUAL, _whole(request, "before")
        found = await self._desk.service.list(principal.tenant, limit=limit, before=before)
        links = self._desk.links_for(request)
        return JSONResponse({"jobs": [encode_job(job, links) for job in found]})

    async def status(self, request: Request) -> Response:
        return JSONResponse(encode_whole(await self._job(request), self._desk.links_for(request)))

    async def cancel(self, request: Request) -> Response:
        principal = await self._desk.bearer(request)
        job = await self._desk.service.cancel(principal.tenant, request.path_params["id"])
        if job is None:
            raise not_found("Job")
        return JSONResponse(encode_whole(about_job(job), self._desk.links_for(request)))

    async def events(self, request: Request) -> Response:
        job, links = await self._job(request), self._desk.links_for(request)
        news = self._desk.service.follow(job.id)
        return event_stream(news, lambda job: encode_job(job, links), self._desk.closing)

    async def _submit(self, request: Request, tenant: str) -> Job:
        desk, template = self._desk, self._template(request)
        body, control = split(await read_body(request, desk, tenant, template), template)
        callback, faults = callback_of(control, *CALLBACK, desk.guard)
        if faults:
            raise RequestError(*faults, *await self._faults(tenant, body))
        try:
            return await desk.service.submit(tenant, TEMPLATES, body, callback=callback, limit=desk.config.active_jobs)
        except RequestError as error:
            raise in_flat_words(error) from error

    async def _faults(self, tenant: str, body: dict[str, Any]) -> tuple[Fault, ...]:
        """What else is wrong, so that the caller hears of all at once."""
        with suppress(NoEngine):
            try:
                await self._desk.service.preview(tenant, TEMPLATES, body)
            except RequestError as error:
                return in_flat_words(error).faults
        return ()

    def _template(self, request: Request) -> Template:
        found = self._desk.library.templates.get("{family}/{name}".format(**request.path_params))
        if found is None:
            raise not_found("Template")
        return found

    async def _job(self, request: Request) -> Job:
        principal = await self._desk.bearer(request)
        job = await self._desk.service.get(principal.tenant, request.path_params["id"])
        if job is None:
            raise not_found("Job")
        return about_job(job)


def _whole(request: Request, name: str, most: int = 2**53) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:20]) <= most):
        raise RequestError(Fault(name, f"is {text[:40]!r}", f"Give a whole number from 1 to {most}", "out_of_range"))
    return int(text)
