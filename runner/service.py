"""What every dialect calls: submit, get, list, cancel, subscribe. Dialects know nothing below it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from compiler import Library, Media, MediaRef, TargetError, compile_request, parse_request
from runner.durable import Durable, rank
from runner.job import Callback, Job
from runner.live import Live
from runner.store.jobs import JobStore, NewJob, TooManyJobs
from runner.store.media import StoredMedia

if TYPE_CHECKING:
    from compiler.catalog import Catalog

__all__ = ["Instances", "MediaResolver", "NoEngine", "Service", "TooManyJobs"]

JOBS: Final = "jobs"
"""The durable queue of jobs."""
CANCEL_WAIT_S: Final = 3.0
"""How long `cancel` waits for the engine to confirm."""
SEEDS: Final = 2**53
"""Seeds are drawn below this: ComfyUI takes 64 bits, but JSON in JavaScript keeps 53."""

log = structlog.get_logger("comfyc.service")


class NoEngine(Exception):
    """No instance can take the job now (503): none answers, or none has what the graph needs."""


class Instances(Protocol):
    """The part of the pool that the service needs."""

    def catalogs(self) -> tuple[Catalog, ...]:
        """Catalogs of the healthy instances, each once."""
        ...


class Canceller(Protocol):
    def cancel(self, job_id: str) -> None:
        """Tells the run of the job, if it is in this process, that it is to end."""
        ...


class MediaResolver(Protocol):
    async def resolve(self, tenant: str, ref: MediaRef) -> StoredMedia:
        """The stored medium that a reference means. RequestError if there is none."""
        ...


class Service:
    """One for each process."""

    def __init__(
        self,
        store: JobStore,
        live: Live,
        durable: Durable,
        worker: Canceller,
        instances: Instances,
        library: Library,
        media: MediaResolver,
        accepted: Callable[[Job], object] = lambda job: None,
        ended: Callable[[Job], object] = lambda job: None,
    ) -> None:
        """`accepted` hears of each new job, `ended` of each that a cancellation ended before an engine had it."""
        self._store, self._live, self._durable, self._worker = store, live, durable, worker
        self._instances, self._library, self._media = instances, library, media
        self._accepted, self._ended = accepted, ended

    async def submit(
        self,
        tenant: str,
        dialect: str,
        body: Mapping[str, Any],
        *,
        operation: str = "",
        callback: Callback | None = None,
        priority: int = 0,
        limit: int | None = None,
    ) -> Job:
        """Validates, compiles and stores a request as a queued job. When this returns, the job will be run.

        Raises RequestError (400), TooManyJobs (429: `limit` unfinished jobs of the tenant), NoEngine (503).
        """
        provider, parsed = parse_request(dialect, body, operation=operation)
        request = provider.with_seed(parsed, secrets.randbelow(SEEDS))
        stored = {ref.value: await self._media.resolve(tenant, ref) for ref in provider.media_refs(request)}
        media = {value: found.media for value, found in stored.items()}
        template, unsupported = self._compile(provider, request, media)
        new = NewJob(
            tenant=tenant,
            dialect=provider.dialect,
            provider=provider.name,
            request=request.model_dump(mode="json", exclude_unset=True),
            template=template,
            media=stored,
            unsupported=unsupported,
            callback=callback,
            priority=priority,
        )
        job = self._live.put(await self._store.insert(new, limit=limit))
        self._accepted(job)
        try:
            await self._durable.submit(JOBS, job.id, 0, rank=rank(job.priority, job.number))
        except Exception:
            # The job is accepted: the sweep finds it in the table and queues it.
            log.exception("queueing failed, the sweep will repair it", job_id=job.id)
        return job

    async def get(self, tenant: str, ident: int | str) -> Job | None:
        """A job by number or id; None for an unknown one and for another tenant's."""
        return await self._live.get(tenant, ident)

    async def list(self, tenant: str, *, limit: int = 50, before: int | None = None) -> list[Job]:
        """The tenant's jobs, newest first; `before` is the number to go on from."""
        found = await self._store.list(tenant, limit=limit, before=before)
        return [self._live.current(job) for job in found]

    async def cancel(self, tenant: str, ident: int | str) -> Job | None:
        """Asks for cancellation and waits a little for the engine to confirm it. Returns the job as it stands then:
        cancelled, running with `cancel_requested`, or the end that it had reached before. None: unknown."""
        found = await self._store.cancel(tenant, ident)
        if found is None:
            return None
        job = self._live.cancelled(found[0])
        self._worker.cancel(job.id)
        if found[1]:
            self._ended(job)
        if job.state.terminal:
            return job
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CANCEL_WAIT_S):
                async for changed in self.subscribe(job.id):
                    job = changed
        return job

    def subscribe(self, job_id: str) -> AsyncIterator[Job]:
        """The job now and after each change; ends with a terminal state."""
        return self._live.watch(job_id)

    def _compile(self, provider: Any, request: Any, media: Mapping[str, Media]) -> tuple[str, tuple[str, ...]]:
        """Compiles for any instance, so that the caller hears of errors at once; (template, what is not honoured)."""
        missing: TargetError | None = None
        for catalog in self._instances.catalogs():
            try:
                compiled = compile_request(provider, request, media, self._library, catalog, prefix="comfyc/check")
            except TargetError as error:
                missing = error
            else:
                return compiled.plan.template, tuple(map(str, compiled.unsupported))
        if missing is not None:
            raise NoEngine(f"No engine has what this request needs. {missing}") from missing
        raise NoEngine("No engine answers now. Try again later.")
