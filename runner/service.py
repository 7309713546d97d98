"""What every dialect calls: submit, get, list, cancel, subscribe. Dialects know nothing below it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Container, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from compiler import Asset, AssetRef, Compiled, Library, Media, MediaRef, RequestError, TargetError
from runner.durable import Durable, rank
from runner.feed import Feed, News
from runner.job import Callback, Job
from runner.live import Live
from runner.store.jobs import JobStore, NewJob, TooManyJobs
from runner.store.media import StoredMedia
from runner.work import Work, parse_work

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
    async def resolve(self, tenant: str, ref: MediaRef, dialect: str = "") -> StoredMedia:
        """The stored medium that a reference means; `dialect` says how long a new one is kept. RequestError if there
        is none."""
        ...


class ModelResolver(Protocol):
    async def assets(self, tenant: str, refs: Sequence[AssetRef]) -> Mapping[str, Asset]:
        """The imported models that references mean, by their value. RequestError if one is unknown or of no use."""
        ...


class NoModels:
    """Nothing was imported: what the library does not know is unknown."""

    async def assets(self, tenant: str, refs: Sequence[AssetRef]) -> Mapping[str, Asset]:
        return {}


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
        models: ModelResolver | None = None,
        feed: Feed | None = None,
        accepted: Callable[[Job], object] = lambda job: None,
        ended: Callable[[Job], object] = lambda job: None,
    ) -> None:
        """`accepted` hears of each new job, `ended` of each that a cancellation ended before an engine had it."""
        self._store, self._live, self._durable, self._worker = store, live, durable, worker
        self._instances, self._library, self._media = instances, library, media
        self._models = models or NoModels()
        self._feed = feed or Feed()
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
        work = parse_work(dialect, body, self._library, operation=operation).with_seed(secrets.randbelow(SEEDS))
        assets = await self._assets(tenant, work)
        stored = await self._stored(tenant, work)
        compiled, _ = self._compile(work, {value: found.media for value, found in stored.items()}, assets)
        new = NewJob(
            tenant=tenant,
            dialect=work.dialect,
            provider=work.provider,
            request=work.stored,
            template=compiled.plan.template,
            media=stored,
            assets=assets,
            unsupported=tuple(map(str, compiled.unsupported)),
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

    async def preview(
        self,
        tenant: str,
        dialect: str,
        body: Mapping[str, Any],
        *,
        operation: str = "",
        known: MutableMapping[str, Media] | None = None,
    ) -> tuple[Compiled, Catalog]:
        """What `submit` would make of it now, and the catalog that it was compiled for; nothing is kept but media.

        `known`: media that such references mean, in place of a look-up; what is found is put in.
        Raises RequestError (400), NoEngine (503).
        """
        work = parse_work(dialect, body, self._library, operation=operation)
        media: MutableMapping[str, Media] = known if known is not None else {}
        for value, found in (await self._stored(tenant, work, skip=media)).items():
            media[value] = found.media
        return self._compile(work, media, await self._assets(tenant, work), "comfyc")

    def catalog(self) -> Catalog:
        """What an instance offers, for checks without a request. Raises NoEngine (503)."""
        for found in self._instances.catalogs():
            return found
        raise NoEngine("No engine answers now. Try again later.")

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

    def follow(self, job_id: str) -> AsyncIterator[Job | News]:
        """As `subscribe`, and what the nodes do meanwhile, if the job runs in this process."""
        return self._feed.watch(job_id, self._live.watch(job_id))

    async def _stored(self, tenant: str, work: Work, skip: Container[str] = ()) -> dict[str, StoredMedia]:
        """The request's media, those with addresses fetched at the same time. RequestError with every fault found."""
        refs = {ref.value: ref for ref in work.media_refs() if ref.value not in skip}
        found = await asyncio.gather(
            *(self._media.resolve(tenant, ref, work.dialect) for ref in refs.values()), return_exceptions=True
        )
        wrong = [one for one in found if isinstance(one, BaseException)]
        faults = [fault for one in wrong if isinstance(one, RequestError) for fault in one.faults]
        if any(not isinstance(one, RequestError) for one in wrong):
            raise next(one for one in wrong if not isinstance(one, RequestError))
        if faults:
            raise RequestError(*faults)
        return {value: one for value, one in zip(refs, found, strict=True) if isinstance(one, StoredMedia)}

    async def _assets(self, tenant: str, work: Work) -> Mapping[str, Asset]:
        refs = [ref for ref in work.asset_refs() if ref.value not in self._library.assets]
        return await self._models.assets(tenant, refs) if refs else {}

    def _compile(
        self, work: Work, media: Mapping[str, Media], assets: Mapping[str, Asset], prefix: str = "comfyc/check"
    ) -> tuple[Compiled, Catalog]:
        """Compiles for any instance, so that the caller hears of errors at once."""
        missing: TargetError | None = None
        library = self._library.extended(assets)
        for catalog in self._instances.catalogs():
            try:
                return work.compile(media, library, catalog, prefix), catalog
            except TargetError as error:
                missing = error
        if missing is not None:
            raise NoEngine(f"No engine has what this request needs. {missing}") from missing
        raise NoEngine("No engine answers now. Try again later.")
