"""What a dialect's routes work with, and how they are set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Protocol

from starlette.requests import Request

from compiler import Catalog, Compiled, Library, Media, load_library
from runner.api.links import Links
from runner.api.problem import Problem, unauthorised
from runner.feed import News
from runner.job import Callback, Job
from runner.models.rows import Model
from runner.store.guard import Guard
from runner.store.keys import KeyRing, Principal
from runner.store.media import MediaStore
from runner.store.storage import Storage
from runner.store.subscriptions import MemorySubscriptions, Subscriptions
from runner.telemetry import Telemetry

LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})


class Jobs(Protocol):
    """The part of the service that dialects use; `runner.service.Service` is the real one."""

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
    ) -> Job: ...

    async def get(self, tenant: str, ident: int | str) -> Job | None: ...

    async def list(self, tenant: str, *, limit: int = 50, before: int | None = None) -> list[Job]: ...

    async def cancel(self, tenant: str, ident: int | str) -> Job | None: ...

    def subscribe(self, job_id: str) -> AsyncIterator[Job]: ...

    def follow(self, job_id: str) -> AsyncIterator[Job | News]: ...

    async def preview(
        self,
        tenant: str,
        dialect: str,
        body: Mapping[str, Any],
        *,
        operation: str = "",
        known: MutableMapping[str, Media] | None = None,
    ) -> tuple[Compiled, Catalog]: ...

    def catalog(self) -> Catalog: ...


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """How the API is set."""

    secret: bytes
    """Signs media links."""
    public_url: str = ""
    """Address that callers reach the API at; empty: each caller's own Host header, which webhooks do not have."""
    url_seconds: int = 3600
    """How long a media link opens."""
    active_jobs: int = 6
    """Most unfinished jobs of one tenant: the ext contract's "max 6 concurrent generations"."""
    max_json: int = 1024 * 1024
    """Largest JSON body, bytes."""
    max_upload: int = 10 * 1024 * 1024
    """Largest uploaded file, bytes: the ext contract's "max 10MB"."""
    request_seconds: float = 120.0
    """Longest time to answer."""
    running_jobs: int = 30
    """Jobs of one tenant that run at once: the Fusara contract's "Concurrent requests: 30 per API key"."""
    queued_jobs: int = 200
    """Jobs of one tenant that may wait beside these: its "Queue capacity: 200 queued requests"."""
    llm_backend: str = ""
    """Protocol of the language model that prompts are enhanced with; empty: there is none."""
    llm_model: str = ""
    """Its name there."""
    local_key: str = ""
    """Key that Studio is given where server and caller are on one machine; empty: it asks for one."""


class Models(Protocol):
    """The part of the model importer that dialects use; `runner.models.importer.Importer` is the real one."""

    async def bring(
        self, tenant: str, version: int | None, url: str | None, sha256: str = "", field: str = ""
    ) -> Model: ...

    async def page(self, tenant: str, number: int, size: int) -> tuple[list[Model], int]: ...


class NoModels:
    """Where models cannot be imported."""

    async def bring(
        self, tenant: str, version: int | None, url: str | None, sha256: str = "", field: str = ""
    ) -> Model:
        raise Problem(503, "unavailable", "Models cannot be imported here")

    async def page(self, tenant: str, number: int, size: int) -> tuple[list[Model], int]:
        return [], 0


@cache
def shipped_library() -> Library:
    """The library where no other is given."""
    return load_library()


@dataclass(frozen=True, slots=True)
class Desk:
    """What a dialect's routes work with."""

    service: Jobs
    media: MediaStore
    storage: Storage
    keys: KeyRing
    guard: Guard
    links: Links
    telemetry: Telemetry
    config: ApiConfig
    library: Library
    models: Models = field(default_factory=NoModels)
    subscriptions: Subscriptions = field(default_factory=MemorySubscriptions)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server is to end: answers without an end of their own end then."""

    async def bearer(self, request: Request) -> Principal:
        """Who sent this request, by `Authorization: Bearer <key>`. Raises Problem 401."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        principal = await self.keys.principal(key.strip()) if scheme.lower() == "bearer" and key else None
        if principal is None:
            raise unauthorised()
        return principal

    async def operator(self, request: Request) -> None:
        """Lets an operator pass: who has an admin key or, where no such key is set, is on this machine. Problem 401."""
        here = request.client is not None and request.client.host in LOOPBACK
        if here and not self.keys.has_admins:
            return
        if not (await self.bearer(request)).admin:
            raise unauthorised()

    def links_for(self, request: Request) -> Links:
        """Media links under the address that this caller used, unless one is set."""
        return self.links if self.config.public_url else self.links.at(str(request.base_url))
