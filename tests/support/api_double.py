"""A service in memory for tests of the API: real parsing and real media, no engine, no database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from starlette.applications import Starlette

from compiler import Catalog, Compiled, Media
from runner.api.app import create_app
from runner.api.desk import ApiConfig, Models, shipped_library
from runner.engine.sandbox.stock import stock
from runner.feed import Feed, News
from runner.job import Callback, Job, State
from runner.service import TooManyJobs
from runner.store.files import MemoryFiles
from runner.store.guard import Guard
from runner.store.keys import KeyRing, MemoryKeys
from runner.store.media import MediaStore
from runner.store.storage import LocalStorage
from runner.telemetry import Telemetry, Vitals
from runner.work import TEMPLATES, ProviderWork, parse_work

START = datetime(2026, 3, 25, 12, tzinfo=UTC)
KEYS = {"alice": "ext_alice", "bob": "ext_bob"}
ADMIN = "ext_admin"


class DoubleService:
    """Keeps what is submitted; a test moves jobs on by `change`. `failure` is raised by every call if set."""

    def __init__(self, media: MediaStore) -> None:
        self.media = media
        self.jobs: dict[int, Job] = {}
        self.failure: Exception | None = None
        self.feed = Feed()
        self._changed = asyncio.Condition()

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
        if self.failure:
            raise self.failure
        work = parse_work(dialect, body, shipped_library(), operation=operation).with_seed(7)
        stored = {ref.value: (await self.media.resolve(tenant, ref)).key for ref in work.media_refs()}
        if dialect == TEMPLATES:  # its parameters are checked by the compiler
            await self.preview(tenant, dialect, body)
        if limit is not None and sum(not job.state.terminal for job in self._of(tenant)) >= limit:
            raise TooManyJobs(limit)
        number = len(self.jobs) + 1
        unknown = work.request.unknown_fields() if isinstance(work, ProviderWork) else ()
        self.jobs[number] = Job(
            f"job{number}",
            number,
            tenant,
            dialect,
            work.provider,
            work.stored,
            START,
            unsupported=tuple(f"{name}: is not a field of {dialect}. {hint}".rstrip() for name, hint in unknown),
            callback=callback,
            priority=priority,
            media=stored,
        )
        return self.jobs[number]

    async def get(self, tenant: str, ident: int | str) -> Job | None:
        if self.failure:
            raise self.failure
        return next((job for job in self._of(tenant) if ident in (job.number, job.id)), None)

    async def list(self, tenant: str, *, limit: int = 50, before: int | None = None) -> list[Job]:
        found = [job for job in reversed(self._of(tenant)) if before is None or job.number < before]
        return found[:limit]

    async def cancel(self, tenant: str, ident: int | str) -> Job | None:
        job = await self.get(tenant, ident)
        return job and await self.change(job.number, state=State.CANCELLED)

    async def subscribe(self, job_id: str) -> AsyncIterator[Job]:
        seen: Job | None = None
        while seen is None or not seen.state.terminal:
            async with self._changed:
                job = next(job for job in self.jobs.values() if job.id == job_id)
                if job is seen:
                    await self._changed.wait()
                    continue
            seen = job
            yield job

    def follow(self, job_id: str) -> AsyncIterator[Job | News]:
        return self.feed.watch(job_id, self.subscribe(job_id))

    def catalog(self) -> Catalog:
        return stock(shipped_library(), "0.8.0")

    async def preview(
        self,
        tenant: str,
        dialect: str,
        body: Mapping[str, Any],
        *,
        operation: str = "",
        known: MutableMapping[str, Media] | None = None,
    ) -> tuple[Compiled, Catalog]:
        work, catalog = parse_work(dialect, body, shipped_library(), operation=operation), self.catalog()
        media = known if known is not None else {}
        for ref in work.media_refs():
            if ref.value not in media:
                media[ref.value] = (await self.media.resolve(tenant, ref)).media
        return work.compile(media, shipped_library(), catalog, "comfyc"), catalog

    async def change(self, number: int, **fields: Any) -> Job:
        """Moves a job on: the fields of Job, as they are to be."""
        job = replace(self.jobs[number], **fields)
        if job.state is not State.QUEUED and job.started_at is None:
            job = replace(job, started_at=START + timedelta(seconds=1))
        if job.state.terminal:
            job = replace(job, finished_at=START + timedelta(seconds=3))
        if job.state is State.SUCCEEDED:
            job = replace(job, progress=100.0)
        async with self._changed:
            self.jobs[number] = job
            self._changed.notify_all()
        return job

    def _of(self, tenant: str) -> list[Job]:
        return [job for job in self.jobs.values() if job.tenant == tenant]


@dataclass
class Api:
    """An app on a double, with a client in the same process."""

    app: Starlette
    service: DoubleService
    storage: LocalStorage
    media: MediaStore
    keys: KeyRing
    client: httpx2.AsyncClient
    config: ApiConfig
    vitals: list[Vitals] = field(default_factory=lambda: [Vitals(True, {"sandbox-0": "alive"})])

    def bearer(self, tenant: str = "alice") -> dict[str, str]:
        return {"Authorization": f"Bearer {KEYS[tenant]}"}


def make_api(
    folder: Path,
    *,
    guard: Guard | None = None,
    keys: KeyRing | None = None,
    models: Models | None = None,
    **config: Any,
) -> Api:
    """An Api whose files lie in `folder`. `config` goes to ApiConfig."""
    storage = LocalStorage(folder)
    guard = guard or Guard(("callbacks.test",))
    media = MediaStore(storage, MemoryFiles(), guard)
    service, keys = DoubleService(media), keys or KeyRing(MemoryKeys(), KEYS.items(), (ADMIN,))
    vitals = [Vitals(True, {"sandbox-0": "alive"})]

    async def pulse() -> Vitals:
        return vitals[-1]

    settings = ApiConfig(b"secret", **config)
    app = create_app(
        service, media, storage, keys, settings, guard=guard, telemetry=Telemetry(), vitals=pulse, models=models
    )
    transport = httpx2.ASGITransport(app, raise_app_exceptions=True)
    client = httpx2.AsyncClient(transport=transport, base_url="http://api.test")
    return Api(app, service, storage, media, keys, client, settings, vitals)
