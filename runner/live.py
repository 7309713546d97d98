"""Jobs in memory: what this process runs, what it was asked for lately, and who wants to hear of changes.

A status poll should cost no query. A job that has ended never changes and is kept; one that runs here is always
current; one that runs in another process is read again when what is known of it is older than `fresh_s`.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import structlog

from runner.events import CancelRequested, fold
from runner.job import Job
from runner.store.jobs import JobStore

log = structlog.get_logger("comfyc.live")


@dataclass(slots=True)
class _Known:
    job: Job
    read_at: float
    here: bool = False
    """True while this process runs it: memory is then ahead of the database."""
    listeners: set[asyncio.Event] = field(default_factory=set[asyncio.Event])


class Live:
    """The process's view of jobs. Not for several threads."""

    def __init__(
        self,
        store: JobStore,
        *,
        fresh_s: float = 0.2,
        keep: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._fresh_s, self._keep, self._clock = store, fresh_s, keep, clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._numbers: dict[int, str] = {}
        self._reader: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Stops reading."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    def put(self, job: Job, *, here: bool | None = None) -> Job:
        """Makes `job` what is known of it, and wakes who listens. `here`: whether it runs in this process."""
        known = self._known.get(job.id)
        if known is None:
            known = self._known[job.id] = _Known(job, self._clock())
            self._numbers[job.number] = job.id
            self._forget()
        elif known.job.state.terminal:
            return known.job
        else:
            changed = known.job != job
            known.job, known.read_at = job, self._clock()
            if changed:
                for listener in known.listeners:
                    listener.set()
        if here is not None:
            known.here = here
        return job

    def peek(self, job_id: str) -> Job | None:
        """What is known now, without a look into the database."""
        known = self._known.get(job_id)
        return known.job if known else None

    def current(self, read: Job) -> Job:
        """The newer of what was read from the database and what this process knows of a job that it runs."""
        known = self._known.get(read.id)
        return known.job if known and (known.here or known.job.state.terminal) else read

    def cancelled(self, read: Job) -> Job:
        """Takes in the row after a cancellation was asked for: of a job that runs here, only the wish itself."""
        known = self._known.get(read.id)
        if known is None or not known.here or read.state.terminal:
            return self.put(read)
        if read.cancel_requested and not known.job.state.terminal:
            return self.put(fold(known.job, CancelRequested()))
        return known.job

    def is_here(self, job_id: str) -> bool:
        known = self._known.get(job_id)
        return bool(known and known.here)

    def release(self, job_id: str) -> None:
        """This process does not run the job any more: what is known must be read again."""
        known = self._known.get(job_id)
        if known is not None:
            known.here = False
            if not known.job.state.terminal:
                known.read_at = float("-inf")

    async def get(self, tenant: str, ident: int | str) -> Job | None:
        """A job of the tenant by number or id, as fresh as promised above."""
        job_id = self._numbers.get(ident) if isinstance(ident, int) else ident
        known = self._known.get(job_id) if job_id else None
        if known is not None:
            if known.job.tenant != tenant:
                return None
            if known.job.state.terminal or known.here or self._clock() - known.read_at < self._fresh_s:
                return known.job
        row = await self._store.find(tenant, ident)
        return self._fresh(row.job) if row else None

    async def watch(self, job_id: str) -> AsyncIterator[Job]:
        """The job now and after each change (several at once count as one); ends with its terminal state. Nothing for
        an unknown id."""
        row = await self._store.get(job_id)
        if row is None:
            return
        job = self._fresh(row.job)
        known, changed = self._known[job_id], asyncio.Event()
        known.listeners.add(changed)
        try:
            yield job
            while not job.state.terminal:
                changed.clear()
                if known.job == job:
                    self._keep_reading()
                    await changed.wait()
                if known.job != job:
                    job = known.job
                    yield job
        finally:
            known.listeners.discard(changed)

    def _keep_reading(self) -> None:
        """Sees to it that somebody looks for changes that other processes make."""
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read_on())

    async def _read_on(self) -> None:
        """Reads the jobs that are listened to and run elsewhere, all in one query, until there are none."""
        while True:
            await asyncio.sleep(self._fresh_s)
            watched = [key for key, known in self._known.items() if known.listeners and not known.job.state.terminal]
            if not watched:
                return
            try:
                for job in await self._store.some([key for key in watched if not self._known[key].here]):
                    self._fresh(job)
            except Exception:
                log.exception("jobs of other processes could not be read")

    def _fresh(self, read: Job) -> Job:
        """Takes in what the database has, unless memory is ahead of it."""
        known = self._known.get(read.id)
        if known and (known.here or (read.attempt, read.progress) < (known.job.attempt, known.job.progress)):
            return known.job  # a read that was on its way while the job went on
        return self.put(read)

    def _forget(self) -> None:
        """Drops the oldest jobs that nobody runs or listens to."""
        excess = len(self._known) - self._keep
        if excess <= 0:
            return
        idle = (key for key, known in self._known.items() if not known.here and not known.listeners)
        for job_id in [key for key, _ in zip(idle, range(excess + self._keep // 10), strict=False)]:
            self._numbers.pop(self._known.pop(job_id).job.number, None)
