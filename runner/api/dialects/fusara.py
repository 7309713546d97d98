"""The Fusara Integration API 4.0: POST imaging/generate, upscale, outpaint, reframe and hyperlora; tasks by number;
models; the prompt assistant; subscriptions. All under /api/integration, all in one envelope.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from compiler import Library
from compiler.errors import Fault, RequestError
from compiler.provider import validated
from runner.api.body import read_object
from runner.api.desk import Desk
from runner.api.dialect import Dialect, Endpoint
from runner.api.fusara import assistant, models, subscriptions
from runner.api.fusara.document import document
from runner.api.fusara.envelope import answer, of_problem, page
from runner.api.fusara.tasks import STATES, callback, task
from runner.api.links import Links
from runner.api.problem import Problem, not_found
from runner.api.requests import callback_of, request_faults
from runner.job import Callback, Job, State
from runner.store.guard import Guard
from runner.store.keys import Principal
from runner.telemetry import about_job

ROOT: Final = "/api/integration"
CREATE: Final[Mapping[str, str]] = {
    "generate": "generate",
    "upscale": "upscale",
    "outpaint": "outpaint",
    "reframe": "outpaint",
    "hyperlora": "hyperlora",
}
"""Path under imaging/ → the compiler's operation (contract §11.1–11.5)."""
CALLBACK, TIMEOUT = "CompletionCallbackUrl", "CompletionTimeout"
LONGEST_MS: Final = 600_000


class Fusara(Dialect):
    """The key is in X-API-Key, and a refused one is 403; ids are the job's number."""

    name: ClassVar[str] = "fusara"
    prefixes: ClassVar[tuple[str, ...]] = (ROOT,)
    key_header: ClassVar[str] = "X-API-Key: {key}"
    states: ClassVar[Mapping[State, Any]] = STATES

    # --- parse ---------------------------------------------------------------------------------------------------

    def routes(self, desk: Desk) -> Sequence[BaseRoute]:
        """§11"""

        def create(operation: str) -> Endpoint:
            async def handle(request: Request) -> Response:
                principal = await who(desk, request)
                job = about_job(await self._create(desk, principal, await read_object(request), operation))
                return answer(self.encode_job(job, desk.links_for(request)))

            return handle

        async def status(request: Request) -> Response:
            return answer(STATES[(await self._task(desk, request)).state])

        async def whole(request: Request) -> Response:
            return answer(self.encode_job(await self._task(desk, request), desk.links_for(request)))

        async def bring(request: Request) -> Response:
            principal = await who(desk, request)
            wanted = validated(models.ModelRequest, await read_object(request))
            version, url, sha256 = wanted.CivitaiModelVersionId, wanted.Url, wanted.SHA256Hash or ""
            return answer(models.told(await desk.models.bring(principal.tenant, version, url, sha256)))

        async def shelf(request: Request) -> Response:
            principal = await who(desk, request)
            number, size = models.page_asked(request.query_params)
            found, total = await desk.models.page(principal.tenant, number, size)
            return JSONResponse(page([models.told(one) for one in found], number, size, total))

        async def enhance(request: Request) -> Response:
            principal = await who(desk, request)
            wanted = validated(assistant.EnhanceRequest, await read_object(request))
            return answer(await assistant.enhance(desk, principal.tenant, wanted))

        async def subscribe(request: Request) -> Response:
            principal = await who(desk, request)
            wanted = validated(subscriptions.SubscriptionRequest, await read_object(request))
            return answer(subscriptions.told(await desk.subscriptions.provision(wanted.wanted(principal.tenant))))

        made = [
            Route(f"{ROOT}/imaging/{path}", create(operation), methods=["POST"]) for path, operation in CREATE.items()
        ]
        return [
            *made,
            Route(f"{ROOT}/imaging/tasks/{{id}}/status", status, methods=["GET"]),
            Route(f"{ROOT}/imaging/tasks/{{id}}", whole, methods=["GET"]),
            Route(f"{ROOT}/models", bring, methods=["POST"]),
            Route(f"{ROOT}/models", shelf, methods=["GET"]),
            Route(f"{ROOT}/assistants/enhance-prompt", enhance, methods=["POST"]),
            Route(f"{ROOT}/billing/subscriptions", subscribe, methods=["POST"]),
        ]

    async def _create(self, desk: Desk, principal: Principal, body: Mapping[str, Any], operation: str) -> Job:
        wanted, faults = wanted_callback(body, desk.guard)
        plain = {name: value for name, value in body.items() if name not in (CALLBACK, TIMEOUT)}
        if faults:
            raise RequestError(*faults, *request_faults(self.name, plain, operation))
        return await desk.service.submit(
            principal.tenant,
            self.name,
            plain,
            operation=operation,
            callback=wanted,
            limit=desk.config.running_jobs + desk.config.queued_jobs,
        )

    async def _task(self, desk: Desk, request: Request) -> Job:
        """The job of the path, if it is the caller's own."""
        principal, ident = await who(desk, request), request.path_params["id"]
        numeric = ident.isascii() and ident.isdigit() and len(ident) <= 15
        job = await desk.service.get(principal.tenant, int(ident)) if numeric else None
        if job is None or job.dialect != self.name:
            raise not_found(f"Task {ident[:20]}")
        return about_job(job)

    def describe(self, library: Library) -> Mapping[str, Any]:
        """Made from the providers."""
        return document(ROOT, tuple(CREATE.items()))

    # --- encode --------------------------------------------------------------------------------------------------

    def encode_job(self, job: Job, links: Links) -> dict[str, Any]:
        """GenerateMediaTaskSimpleResponse, without the envelope."""
        return task(job, links)

    def encode_webhook(self, job: Job, links: Links) -> dict[str, Any]:
        """§9.9"""
        return callback(job)

    def encode_problem(self, problem: Problem) -> dict[str, Any]:
        """§3.2"""
        return of_problem(problem)


async def who(desk: Desk, request: Request) -> Principal:
    """Who sent this request, by X-API-Key. Raises Problem 403 (contract §2)."""
    key = request.headers.get("x-api-key", "").strip()
    principal = await desk.keys.principal(key) if key else None
    if principal is None:
        raise Problem(403, "forbidden", "Invalid or missing API key")
    return principal


def wanted_callback(body: Mapping[str, Any], guard: Guard) -> tuple[Callback | None, tuple[Fault, ...]]:
    """The callback that a body asks for: one try, no token. What is wrong with it."""
    found, faults = callback_of(body, CALLBACK, "", guard)
    limit = body.get(TIMEOUT)
    if limit is not None and (type(limit) is not int or not 0 <= limit <= LONGEST_MS):
        cure = f"Give whole milliseconds from 0 to {LONGEST_MS}; 0 or null for no limit of yours"
        faults = (*faults, Fault(TIMEOUT, f"{limit!r} is no such time"[:80], cure, "out_of_range"))
    if faults or found is None:
        return None, faults
    return Callback(found.url, once=True, timeout_s=limit / 1000 if limit else None), ()


DIALECT: Final = Fusara()
