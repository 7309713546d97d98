"""What the tests of the job side share: databases of both kinds, and a backend on real sandboxes."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import sqlalchemy as sa
from brake import Brake

from compiler import Library, MediaRef, RequestError, load_library, shipped_catalog
from compiler.errors import Fault as Mistake
from runner.backend import Backend
from runner.engine.client import ComfyClient
from runner.engine.http import Timing
from runner.engine.pool import Pool
from runner.engine.sandbox.faults import Fault
from runner.engine.sandbox.server import Sandbox
from runner.job import Callback, Job
from runner.store.database import Database
from runner.store.media import StoredMedia
from runner.store.storage import LocalStorage

POSTGRES = os.environ.get("COMFYC_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
PATIENCE_S = 120.0
"""A test that waits longer has failed; no test passes or fails by less."""
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
IMAGE = {"model": "illustrious-hentai-rx", "prompt": "a red door", "width": 512, "height": 512, "seed": 7}


def postgres() -> sa.Engine:
    """The server that test databases are made on."""
    url = sa.make_url(POSTGRES).set(drivername="postgresql+psycopg")
    return sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)


@contextmanager
def database_url(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database that lives as long as the block. A missing PostgreSQL is a failure, not a skip."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'comfyc.db'}"
        return
    name = f"comfyc_test_{uuid4().hex[:12]}"
    server = postgres()
    with server.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    try:
        yield sa.make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')


@cache
def library() -> Library:
    return load_library()


@cache
def stocked(version: str = "0.8.0") -> Any:
    return library().stocked(shipped_catalog(version))


class NoMedia:
    """No reference means anything."""

    async def resolve(self, tenant: str, ref: MediaRef, dialect: str = "") -> StoredMedia:
        raise RequestError(Mistake(ref.field, "is unknown"))


TIMING = Timing(
    connect=1, request=5, silence=0.2, poll=0.3, settle=0.2, late=1, refused=0.4, patience=5, deaf=1, stop=5
)
"""The client's patience, scaled down to a sandbox's speed."""


@dataclass
class Receiver:
    """A webhook receiver: keeps every request, answers with the next of `answers`, then 200."""

    answers: list[int] = field(default_factory=list)
    got: list[httpx2.Request] = field(default_factory=list)
    wait_s: float = 0.0
    """Before each answer."""

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.got.append(request)
        await asyncio.sleep(self.wait_s)
        return httpx2.Response(self.answers.pop(0) if self.answers else 200)

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self))


async def until(condition: Callable[[], Any], seconds: float = PATIENCE_S) -> None:
    """Waits until the condition, which may be a coroutine function, is true."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if await found if inspect.isawaitable(found) else found:
                return
            await asyncio.sleep(0.01)


async def end(backend: Backend, job: Job, seconds: float = PATIENCE_S) -> Job:
    """The job once it has ended."""
    async with asyncio.timeout(seconds):
        async for now in backend.service.subscribe(job.id):
            job = now
    return job


@dataclass
class Setup:
    """A running backend with what a test looks at."""

    backend: Backend
    pool: Pool
    sandboxes: list[Sandbox]
    storage: LocalStorage
    database: Database
    receiver: Receiver
    brake: Brake
    """Holds the sampler steps, if the test asked for `held`."""

    async def submit(self, tenant: str = "acme", **more: Any) -> Job:
        body = {**IMAGE, **more.pop("body", {})}
        return await self.backend.service.submit(tenant, "ext", body, operation="image", **more)

    async def end(self, job: Job, seconds: float = PATIENCE_S) -> Job:
        """The job once it has ended."""
        return await end(self.backend, job, seconds)

    async def history(self, index: int = 0) -> dict[str, Any]:
        """What a sandbox has run since its boot."""
        async with httpx2.AsyncClient(timeout=PATIENCE_S) as client:
            return (await client.get(f"{self.sandboxes[index].url}/history")).json()

    async def queue(self, index: int = 0) -> dict[str, Any]:
        async with httpx2.AsyncClient(timeout=PATIENCE_S) as client:
            return (await client.get(f"{self.sandboxes[index].url}/queue")).json()

    async def started(self, job: Job, seconds: float = PATIENCE_S) -> Job:
        """The job once it runs."""
        async with asyncio.timeout(seconds):
            async for now in self.backend.service.subscribe(job.id):
                if now.state != "queued":
                    return now
        raise AssertionError("it never began")


def make_backend(database: Database, pool: Pool, storage: LocalStorage, receiver: Receiver, **options: Any) -> Backend:
    """A backend that polls its queue quickly; not started."""
    given = {
        "encode_webhook": lambda job: {"id": job.number},
        "poll_s": 0.02,
        "media": NoMedia(),
        "client": receiver.client,
    }
    given |= options
    media = given.pop("media")
    return Backend(database, pool, library(), storage, media, webhook_secret=SECRET, **given)


@asynccontextmanager
async def setup(
    url: str,
    folder: Path,
    *,
    instances: int = 1,
    faults: Sequence[Sequence[Fault]] = (),
    held: bool = False,
    timing: Timing = TIMING,
    receiver: Receiver | None = None,
    encode: Callable[[Job], Mapping[str, Any]] = lambda job: {"id": job.number, "state": job.state.value},
    **options: Any,
) -> AsyncIterator[Setup]:
    """A backend on sandboxes of this process. `held`: sampler steps wait for `brake`."""
    receiver, brake = receiver or Receiver(), Brake()
    if not held:
        brake.release()
    async with AsyncExitStack() as stack:
        sandboxes: list[Sandbox] = []
        for index in range(instances):
            box = Sandbox(
                stocked(),
                folder / f"box-{index}",
                name=f"box-{index}",
                faults=faults[index] if index < len(faults) else (),
                ops=brake,
            )
            sandboxes.append(await stack.enter_async_context(box))
        pool = Pool([ComfyClient(box.url, name=box.name, timing=timing) for box in sandboxes], watch_s=0.2)
        await pool.start()
        stack.push_async_callback(pool.stop)
        database = Database(url)
        await database.open()
        stack.push_async_callback(database.close)
        storage = LocalStorage(folder / "storage")
        backend = make_backend(database, pool, storage, receiver, encode_webhook=encode, **options)
        await stack.enter_async_context(backend)
        yield Setup(backend, pool, sandboxes, storage, database, receiver, brake)


CALLBACK = Callback("https://receiver.example/hook", "callback-token")
