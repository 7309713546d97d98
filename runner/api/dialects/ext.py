"""The ext.systems API: POST /api/v1/files, /img and /video, GET /api/v1/img/{id} and /video/{id}.

Its document `ext.openapi.json` is the contract with our optional fields added (`warnings`, `video_url` of a webhook);
tests compare it with the contract, and every answer of the tests with it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

import compiler
from compiler.errors import RequestError
from runner.api.body import read_object
from runner.api.desk import Desk
from runner.api.dialect import Dialect, iso
from runner.api.links import Links
from runner.api.problem import Problem, not_found
from runner.api.requests import callback_of, request_faults, uploaded
from runner.job import Job, State
from runner.telemetry import about_job

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
DOCUMENT: Final[Mapping[str, Any]] = json.loads(Path(__file__).with_suffix(".openapi.json").read_bytes())
CONTROL: Final = ("callback_url", "callback_api_key")
"""Fields that say what to do with the result; the compiler does not see them."""
UPLOADS: Final = ("png", "jpg")


class Ext(Dialect):
    """Errors are `{"success": false, "message": …}`; ids are the job's number; a finished job has one media URL."""

    name: ClassVar[str] = "ext"
    prefixes: ClassVar[tuple[str, ...]] = ("/api/v1",)
    states: ClassVar[Mapping[State, Any]] = {
        State.QUEUED: "PENDING",
        State.RUNNING: "PROCESSING",
        State.SUCCEEDED: "COMPLETED",
        State.FAILED: "FAILED",
        State.CANCELLED: "CANCELLED",
    }
    document: ClassVar[Mapping[str, Any]] = DOCUMENT

    # --- parse ---------------------------------------------------------------------------------------------------

    def routes(self, desk: Desk) -> Sequence[BaseRoute]:
        """The contract's five operations."""

        async def upload(request: Request) -> Response:
            principal = await desk.bearer(request)
            data, filename = await uploaded(request, "file", desk.config.max_upload)
            ident = await desk.media.add(principal.tenant, data, filename, endings=UPLOADS)
            return JSONResponse({"file_id": ident}, 201)

        def create(operation: str) -> Endpoint:
            async def handle(request: Request) -> Response:
                principal = await desk.bearer(request)
                body = await read_object(request)
                callback, faults = callback_of(body, *CONTROL, desk.guard)
                plain = {name: value for name, value in body.items() if name not in CONTROL}
                if faults:
                    raise RequestError(*faults, *request_faults(self.name, plain, operation))
                job = await desk.service.submit(
                    principal.tenant,
                    self.name,
                    plain,
                    operation=operation,
                    callback=callback,
                    limit=desk.config.active_jobs,
                )
                return JSONResponse(_created(about_job(job)), 201)

            return handle

        def status(operation: str) -> Endpoint:
            async def handle(request: Request) -> Response:
                principal = await desk.bearer(request)
                ident = request.path_params["generationId"]
                job = await desk.service.get(principal.tenant, int(ident)) if _is_number(ident) else None
                if job is None or job.dialect != self.name or _operation(job) != operation:
                    raise not_found("Generation")
                return JSONResponse(self.encode_job(about_job(job), desk.links_for(request)))

            return handle

        return [
            Route("/api/v1/files", upload, methods=["POST"]),
            Route("/api/v1/img", create("image"), methods=["POST"]),
            Route("/api/v1/video", create("video"), methods=["POST"]),
            Route("/api/v1/img/{generationId}", status("image"), methods=["GET"]),
            Route("/api/v1/video/{generationId}", status("video"), methods=["GET"]),
        ]

    # --- encode --------------------------------------------------------------------------------------------------

    def encode_job(self, job: Job, links: Links) -> dict[str, Any]:
        """ImageStatusResponse or VideoStatusResponse."""
        body: dict[str, Any] = {
            "id": job.number,
            "status": self.states[job.state],
            "percentage": round(job.progress, 1),
            "model": _model(job),
            "created_at": iso(job.created_at),
            "started_at": iso(job.started_at),
            "finished_at": iso(job.finished_at),
        }
        if job.state is State.SUCCEEDED and (url := _url(job, links)):
            body[f"{_operation(job)}_url"] = url
        if job.error is not None and job.state is State.FAILED:
            body["error"] = job.error.message
        return body | _warnings(job)

    def encode_webhook(self, job: Job, links: Links) -> dict[str, Any]:
        """WebhookPayload. The contract has one URL field for both kinds; a video has `video_url` beside it."""
        url = _url(job, links) if job.state is State.SUCCEEDED else None
        body = {
            "id": job.number,
            "status": self.states[job.state],
            "percentage": round(job.progress, 1),
            "image_url": url,
            "error": job.error.message if job.error and job.state is State.FAILED else None,
            "created_at": iso(job.created_at),
            "started_at": iso(job.started_at),
            "finished_at": iso(job.finished_at),
        }
        return body | {"video_url": url} if _operation(job) == "video" else body

    def encode_problem(self, problem: Problem) -> dict[str, Any]:
        """ErrorResponse: every fault in one line."""
        faults = "; ".join(str(fault) for fault in problem.faults)
        return {"success": False, "message": f"Invalid request: {faults}" if faults else problem.message}


def _created(job: Job) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": job.number,
        "status": "PENDING",
        "model": _model(job),
        "created_at": iso(job.created_at),
    }
    if "duration" in job.request:
        body["duration"] = job.request["duration"]
    return body | _warnings(job)


def _warnings(job: Job) -> dict[str, Any]:
    return {"warnings": list(job.unsupported)} if job.unsupported else {}


def _model(job: Job) -> str:
    return str(job.request.get("model", job.provider))


def _operation(job: Job) -> str:
    return compiler.dialects()["ext"].providers[job.provider].operation


def _url(job: Job, links: Links) -> str | None:
    wanted = [output for output in job.outputs if output.kind == _operation(job)] or job.outputs
    return links.url(wanted[0].key) if wanted else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15


DIALECT: Final = Ext()
