"""Everything below the API, put together: one database, one durable queue, one worker, one service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

import httpx2
import structlog

from compiler import Catalog, Library
from runner.durable import Durable, rank
from runner.feed import Feed
from runner.job import Job
from runner.live import Live
from runner.models.importer import MODELS, Importer
from runner.models.importer import SLOTS as MODEL_SLOTS
from runner.placing import Leases
from runner.service import MediaResolver, Service
from runner.store.database import Database
from runner.store.jobs import JobStore
from runner.store.outbox import Outbox
from runner.store.storage import Storage
from runner.store.timings import Timings
from runner.takeover import Takeover
from runner.webhooks import SLOTS, WEBHOOKS, Signer, Webhooks
from runner.worker import JOBS, Shelve, Worker

SWEEP_S: Final = 10.0
"""How often unfinished jobs and webhooks without a task are looked for."""
KEEP_TASKS_S: Final = 3 * 86400.0
FORGET_EVERY: Final = 360
"""Sweeps between forgetting old tasks: an hour."""
SHARED_S: Final = 0.2
"""How old what is known of another process's job may be."""
ALONE_S: Final = 5.0
"""The same on SQLite, where the durable queue's lock makes sure that no other process runs jobs."""

log = structlog.get_logger("comfyc.backend")


class Backend:
    """`async with Backend(...) as backend: backend.service`.

    The database is open, the pool started; both are closed by whoever made them. `encode_webhook` makes a webhook's
    body of a job, in the words of `job.dialect`; `client` makes the (guarded) client that posts it.
    """

    def __init__(
        self,
        database: Database,
        pool: Leases,
        library: Library,
        storage: Storage,
        media: MediaResolver,
        *,
        encode_webhook: Callable[[Job], Mapping[str, Any]],
        webhook_secret: str,
        client: Callable[[], httpx2.AsyncClient],
        webhook_delays_s: tuple[float, ...] | None = None,
        models: Callable[[Durable], Importer] | None = None,
        shelve: Shelve | None = None,
        running: int | None = None,
        chores: Sequence[Callable[[], Awaitable[object]]] = (),
        silent_s: float = 6.0,
        look_ahead: int | None = None,
        poll_s: float = 0.1,
        timeout_s: float = 3600.0,
        count_job: Callable[[Job], object] = lambda job: None,
        count_webhook: Callable[[str], object] = lambda outcome: None,
    ) -> None:
        """`look_ahead`: how many jobs more than slots this process takes, so that it can choose among them; None: as
        many as slots on SQLite, none on PostgreSQL, where another process might have a free slot for them.
        `models` makes what imports models; `shelve` and `running`: see Worker; `chores` are done at every sweep.
        `count_job` hears of each job that is accepted here and of each that ends here; `count_webhook` of each try:
        `delivered`, `failed` or `dead`."""
        slots = sum(instance.slots for instance in pool.instances())
        extra = look_ahead if look_ahead is not None else slots if database.sqlite else 0
        self.slots = slots + extra
        self.jobs, self.outbox, self.timings = JobStore(database), Outbox(database), Timings(database)
        self.live = Live(self.jobs, fresh_s=ALONE_S if database.sqlite else SHARED_S)
        self.durable = Durable(database.url.render_as_string(hide_password=False), poll_s=poll_s)
        self.models = models(self.durable) if models else None
        feed = Feed()
        self._count_job, self._poll_s, self._chores = count_job, poll_s, tuple(chores)
        more: dict[str, Any] = {"delays_s": webhook_delays_s} if webhook_delays_s is not None else {}
        self.webhooks = Webhooks(
            self.outbox,
            self.jobs,
            self.durable,
            Signer(webhook_secret),
            encode_webhook,
            client,
            told=count_webhook,
            **more,
        )
        self.worker = Worker(
            self.jobs,
            self.live,
            self.durable,
            pool,
            library,
            storage,
            self.timings,
            feed=feed,
            shelve=shelve,
            running=running,
            ended=self._job_ended,
            timeout_s=timeout_s,
        )
        catalogs = PoolCatalogs(pool)
        self.service = Service(
            self.jobs,
            self.live,
            self.durable,
            self.worker,
            catalogs,
            library,
            media,
            self.models,
            feed=feed,
            accepted=count_job,
            ended=self._job_ended,
        )
        self._takeover = Takeover(database, self.durable, self.slots, silent_s=silent_s)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Backend:
        await self.timings.load()
        allowed = await self._takeover.join()
        self.durable.handle(JOBS, self.worker.run, max(allowed, self.slots))
        self.durable.handle(WEBHOOKS, self.webhooks.deliver, SLOTS, poll_s=4 * self._poll_s)  # nobody waits for it
        if self.models is not None:
            self.durable.handle(MODELS, self.models.run, MODEL_SLOTS, poll_s=4 * self._poll_s)
            self._chores += (self.models.sweep,)
        await self.worker.start()
        await self.durable.start()
        self._takeover.start()
        await self.sweep(0.0)
        self._spawn(self._sweep_loop())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.durable.stop()
        await self.worker.stop()
        await self._takeover.leave()
        await self.webhooks.close()
        await self.live.close()

    async def sweep(self, idle_s: float = SWEEP_S) -> None:
        """Queues what a crash left without a task: accepted jobs, jobs whose task ended without their end, webhooks."""
        rows = {(row.job.id, row.run): row for row in await self.jobs.live(idle_s=idle_s)}
        for task in rows.keys() - await self.durable.active(list(rows)):
            row = rows[task]
            if self.live.is_here(row.job.id):
                continue
            number = row.run
            if await self.durable.status(*task) is not None:  # its task has ended
                number += 1
                if not await self.jobs.retry(row.job, number, forget=False):
                    continue
            log.warning("queued a job that had no task", job_id=row.job.id, run=number)
            await self.durable.submit(JOBS, row.job.id, number, rank=rank(row.job.priority, row.job.number))
        await self._sweep_webhooks(idle_s)

    async def _sweep_webhooks(self, idle_s: float) -> None:
        messages = {(message.id, message.tries): message for message in await self.outbox.pending(idle_s=idle_s)}
        for task in messages.keys() - await self.durable.active(list(messages)):
            number = task[1]
            if await self.durable.status(*task) is not None:
                number += 1
                await self.outbox.skip(messages[task])
            await self.durable.submit(WEBHOOKS, task[0], number)

    async def _sweep_loop(self) -> None:
        turn = 0
        while True:
            await asyncio.sleep(SWEEP_S)
            turn += 1
            try:
                await self.sweep()
                if turn % FORGET_EVERY == 0:
                    await self.durable.forget(KEEP_TASKS_S)
                for chore in self._chores:
                    await chore()
            except Exception:
                log.exception("sweep failed")

    def _job_ended(self, job: Job) -> None:
        self._count_job(job)
        if job.callback is not None:
            self._spawn(self._announce(job))

    async def _announce(self, job: Job) -> None:
        try:
            await self.webhooks.announce(job)
        except Exception:
            log.exception("webhook could not be queued, the sweep will", job_id=job.id)

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _HasInstances(Protocol):
    def instances(self) -> tuple[Any, ...]: ...


class PoolCatalogs:
    """The catalogs of a pool's instances, those of healthy ones first."""

    def __init__(self, pool: _HasInstances) -> None:
        self._pool = pool

    def catalogs(self) -> tuple[Catalog, ...]:
        found: list[Catalog] = []
        for instance in self._pool.instances():
            with suppress(AttributeError):
                if instance.catalog is not None and not any(instance.catalog is one for one in found):
                    found.append(instance.catalog)
        return tuple(found)
