"""The loop of one job: lease an instance, compile for it, store the prompt_id, run, fold, store the end.

The durable queue hands a job over until `run` returns; whatever that takes, only the newest attempt can end it. An
attempt that lost its job (another worker has taken it over) notices at its next write and goes quietly.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from uuid import uuid4

import structlog

from compiler import Compiled, Library, TargetError
from runner.durable import Durable, rank
from runner.engine.base import Engine, EngineError, Where
from runner.engine.instance import Instance
from runner.events import (
    Assigned,
    Cancelled,
    CancelRequested,
    Event,
    Failed,
    Retrying,
    Started,
    Succeeded,
    fold,
)
from runner.execute import Bytes, Result, RunCancelled, execute
from runner.failures import POLICIES, Fault, delay_s, fault_of, job_error
from runner.feed import Feed
from runner.job import Cause, Job, JobError, OutputFile
from runner.live import Live
from runner.placing import Leases, Placing, Run
from runner.saving import Saver
from runner.store.jobs import JobStore, Row, TenantFull
from runner.store.storage import Storage, read
from runner.store.timings import Timings
from runner.work import parse_work

JOBS: Final = "jobs"
"""The durable queue of jobs."""
MAX_ATTEMPTS: Final = 25
"""A job that was given to engines so often without an end takes workers down with it, and is given up."""
TIMEOUT_S: Final = 3600.0

log = structlog.get_logger("comfyc.worker")


Shelve: TypeAlias = Callable[[Job, tuple[OutputFile, ...]], Awaitable[tuple[OutputFile, ...]]]
"""Gives the results of a job their numbers and their end."""


class LostJob(Exception):
    """Another attempt has the job now, or it has ended: nothing is left to do here."""


@dataclass(slots=True)
class _Past:
    """How a job's runs here have failed. Gone with the process: MAX_ATTEMPTS holds beyond it."""

    faults: Counter[Fault] = field(default_factory=Counter[Fault])
    failed_on: set[str] = field(default_factory=set[str])


class Worker:
    """Runs the jobs of this process; `run` is the durable queue's handler."""

    def __init__(
        self,
        store: JobStore,
        live: Live,
        durable: Durable,
        pool: Leases,
        library: Library,
        storage: Storage,
        timings: Timings,
        *,
        feed: Feed | None = None,
        shelve: Shelve | None = None,
        running: int | None = None,
        ended: Callable[[Job], object] = lambda job: None,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`feed` hears what the nodes do, `ended` of each job that reached its end here, after it was stored. `shelve`
        gives results their numbers; `running` is how many jobs of one tenant run at once in all processes together,
        None: any number."""
        self._store, self._live, self._durable, self._pool = store, live, durable, pool
        self._library, self._storage, self._timings = library, storage, timings
        self._feed = feed or Feed()
        self._ended, self._timeout_s, self._clock = ended, timeout_s, clock
        self._runs: dict[str, Run] = {}
        self._shelve = shelve or _as_they_are
        self._running = running
        self._placing = Placing(pool, self._runs, clock, running)
        self._pasts: dict[str, _Past] = {}
        self._uploads: dict[tuple[str, str], set[str]] = {}
        self._saver = Saver(store, live, durable.executor_id, self._runs, self.cancel)
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._spawn(self._saver.loop())

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cancel(self, job_id: str) -> None:
        """Ends the run of a job, if it is in this process."""
        current = self._runs.get(job_id)
        if current is not None:
            known = self._live.peek(job_id)
            if not current.job.state.terminal and not (known and known.state.terminal):
                current.job = self._live.put(fold(current.job, CancelRequested()))
            current.stop.set()
            self._pool.wake()

    # --- one entry of the durable queue ------------------------------------------------------------------------

    async def run(self, job_id: str, number: int) -> None:
        """Brings the job to its end, or to its next retry. `number` is the queue entry's."""
        row = await self._store.get(job_id)
        if row is None or row.job.state.terminal:
            return
        if row.run != number:
            if row.run > number:  # a crash came between the two writes of a retry
                await self._requeue(row.job, row.run, 0.0)
            return
        avoid = set(self._pasts[job_id].failed_on) if job_id in self._pasts else set[str]()
        current = self._runs[job_id] = Run(row, row.job, self._clock(), avoid=avoid)
        if row.job.cancel_requested:
            current.stop.set()
        self._live.put(row.job, here=True)
        try:
            await self._run(current)
        except LostJob as lost:
            log.info("job is another's", job_id=job_id, why=str(lost))
        except Exception as error:
            log.exception("job failed inside comfyc", job_id=job_id)
            await self._finish(current, Failed(job_error(error), _now()))
        finally:
            self._runs.pop(job_id, None)
            self._saver.forget(job_id)
            self._live.release(job_id)
            self._pool.wake()

    async def _run(self, current: Run) -> None:
        while True:
            job = current.row.job
            if job.attempt >= MAX_ATTEMPTS:
                error = JobError(Cause.ENGINE_LOST, f"Given up after {job.attempt} attempts.")
                return await self._finish(current, Failed(error, _now()))
            current.files = self._files(current)
            current.only = self._placing.holder(job)
            try:
                async with self._pool.lease(lambda _: self._placing.choose(current)) as instance:
                    current.instance = instance.name
                    if await self._attempt(current, instance):
                        return None
            finally:
                current.instance = ""

    async def _again(self, current: Run) -> None:
        """Takes the row anew, after a write that another one came before."""
        row = await self._store.get(current.row.job.id)
        if row is None or row.job.state.terminal:
            raise LostJob("it has ended")
        current.row, current.job = row, self._live.put(row.job)
        if row.job.cancel_requested:
            current.stop.set()

    async def _attempt(self, current: Run, instance: Instance) -> bool:
        """One attempt on a leased instance. False: nothing was sent, choose again."""
        job, engine = current.row.job, instance.engine
        try:
            joined = current.only == instance.name and await engine.where(job.prompt_id) is not Where.UNKNOWN
            if current.stop.is_set() and not joined:
                await self._finish(current, Cancelled(_now()))
                return True
            compiled = self._compile(current, instance, job.attempt + 1)
        except TargetError as error:
            return await self._unfit(current, instance, error)
        except EngineError as error:
            await self._failed(current, instance, error)
            return True
        prompt_id = job.prompt_id if joined else str(uuid4())
        given = fold(job, Assigned(instance.name, prompt_id, job.attempt + 1))
        if not await self._give(current, given, joined):
            return False
        if job.prompt_id and not joined:
            self._abandon(job)
        current.job = self._live.put(given)
        try:
            result = await self._execute(current, instance, compiled, fresh=not joined)
        except RunCancelled:
            await self._finish(current, Cancelled(_now()))
        except TimeoutError:
            with suppress(EngineError):
                await engine.cancel(prompt_id)
            error = JobError(Cause.TIMEOUT, f"It took longer than {self._timeout_s:.0f} seconds.")
            await self._finish(current, Failed(error, _now()))
        except Exception as error:
            await self._failed(current, instance, error)
        else:
            await self._succeeded(current, compiled, instance, result)
        return True

    async def _give(self, current: Run, given: Job, joined: bool) -> bool:
        """Stores that the engine gets the job, or has it already. False: it may not, now."""
        worker = self._durable.executor_id
        try:
            if joined:
                stored = await self._store.adopt(given, worker)
            else:
                stored = await self._store.assign(given, worker, most=self._running)
        except TenantFull:
            self._placing.full(given.tenant)
            return False
        if not stored:
            await self._again(current)
        return stored

    async def _execute(self, current: Run, instance: Instance, compiled: Compiled, *, fresh: bool) -> Result:
        plan, job = compiled.plan, current.job
        timing = self._timings.get(plan.template, instance.name)
        self._pool.loaded(instance.name, current.files)
        async with asyncio.timeout(self._timeout_s):
            return await execute(
                instance.engine,
                compiled,
                self._media(current.row),
                prompt_id=job.prompt_id,
                emit=lambda event: self._emit(current, event),
                sink=self._storage,
                folder=job.id,
                expected_s=timing.expected(sum(plan.steps.values())) if timing else None,
                fresh=fresh,
                known_uploads=self._uploads.setdefault((instance.name, instance.boot), set()),
                stop=current.stop,
                watch=lambda event: self._feed.take(job.id, event),
            )

    def _emit(self, current: Run, event: Event) -> None:
        """A change while it runs: stored soon, a begin at once, and shown after that."""
        current.job = fold(current.job, event)
        self._saver.note(current.job.id, urgent=isinstance(event, Started))

    # --- how it ends -------------------------------------------------------------------------------------------

    async def _succeeded(self, current: Run, compiled: Compiled, instance: Instance, result: Result) -> None:
        outputs = await self._shelve(current.job, result.outputs)
        await self._finish(current, Succeeded(outputs, _now()))
        plan = compiled.plan
        await self._timings.add(plan.template, instance.name, result.seconds, sum(plan.steps.values()))

    async def _finish(self, current: Run, event: Succeeded | Failed | Cancelled) -> None:
        """Stores the end, and only then shows it. Raises LostJob if it is not ours to end."""
        job = current.job
        ended = fold(job, event)
        if not await self._store.finish(ended):
            await self._again(current)
            if current.job.attempt != job.attempt:
                raise LostJob("another attempt has begun")
            ended = fold(job, Cancelled(event.at))  # somebody asked for that before it succeeded
            if not await self._store.finish(ended):
                raise LostJob("another attempt has begun")
        self._feed.ended(ended)
        current.job = self._live.put(ended)
        self._pasts.pop(job.id, None)
        log.info("job ended", job_id=job.id, state=ended.state.value, attempt=ended.attempt, instance=ended.instance)
        self._ended(ended)

    async def _failed(self, current: Run, instance: Instance, error: Exception) -> None:
        """Retries what is an engine's fault, within its limit; else the job has failed."""
        job_id = current.row.job.id
        fault, told = fault_of(error), job_error(error)
        policy = POLICIES[fault]
        if fault is Fault.INTERNAL:
            log.exception("run failed inside comfyc", job_id=job_id, exc_info=error)
        await self._tend(instance, fault, current.files, str(error))
        if current.stop.is_set():
            return await self._finish(current, Cancelled(_now()))
        number = current.row.run
        past = self._pasts.setdefault(job_id, _Past())
        if past.faults[fault] >= policy.retries:
            return await self._finish(current, Failed(told, _now()))
        if policy.elsewhere:
            past.failed_on.add(instance.name)
        wait = delay_s(fault, past.faults[fault])
        past.faults[fault] += 1
        job = fold(current.job, Retrying(told, wait))
        log.warning("job is retried", job_id=job_id, fault=fault.value, delay_s=wait, instance=instance.name)
        if not await self._store.retry(job, number + 1, forget=not policy.keep_prompt):
            raise LostJob("another attempt has begun")
        current.job = self._live.put(job)
        return await self._requeue(job, number + 1, wait)

    async def _tend(self, instance: Instance, fault: Fault, files: frozenset[str], why: str) -> None:
        """What the instance needs after such a fault."""
        if fault is Fault.OUT_OF_MEMORY:
            self._pool.avoid(instance.name, files)
            with suppress(EngineError):
                await instance.engine.free()
        elif fault is Fault.DEVICE:
            self._pool.latch(instance.name, why)

    async def _unfit(self, current: Run, instance: Instance, error: TargetError) -> bool:
        """The instance lacks something: another may have it."""
        current.avoid.add(instance.name)
        if all(one.name in current.avoid for one in self._placing.ready()):
            await self._finish(current, Failed(JobError(Cause.UNAVAILABLE, str(error)), _now()))
            return True
        return False

    async def _requeue(self, job: Job, number: int, wait: float) -> None:
        await self._durable.retry(JOBS, job.id, number, rank=rank(job.priority, job.number), delay_s=wait)

    def _abandon(self, job: Job) -> None:
        """A prompt that nobody will fetch may still run, if its instance lives: it is cancelled."""
        engine = next((one.engine for one in self._pool.instances() if one.name == job.instance), None)
        if engine is not None:
            self._spawn(_cancel_quietly(engine, job.prompt_id))

    # --- its graph ---------------------------------------------------------------------------------------------

    def _compile(self, current: Run, instance: Instance, attempt: int) -> Compiled:
        """The graph for the leased instance. Raises RequestError or TargetError."""
        if instance.catalog is None:
            raise EngineError("The instance has not told what it offers.")
        return self._compiled(current.row, instance, attempt)

    def _compiled(self, row: Row, instance: Instance, attempt: int) -> Compiled:
        """The prefix holds the attempt: no attempt finds its outputs in the engine's cache, which lists no files."""
        assert instance.catalog is not None
        work = parse_work(row.job.dialect, row.job.request, self._library)
        media = {value: stored.media for value, stored in row.media.items()}
        library = self._library.extended(row.assets)
        return work.compile(media, library, instance.catalog, f"comfyc/{row.job.id}-{attempt}")

    def _files(self, current: Run) -> frozenset[str]:
        """Model files of its graph, by the first catalog that it compiles for."""
        for instance in self._placing.ready():
            with suppress(Exception):
                return frozenset(file for _, file in self._compiled(current.row, instance, 0).plan.files)
        return frozenset()

    def _media(self, row: Row) -> Mapping[str, Bytes]:
        def reader(key: str) -> Callable[[], Any]:
            return lambda: read(self._storage, key)

        return {stored.media.name: reader(stored.key) for stored in row.media.values()}

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _as_they_are(job: Job, outputs: tuple[OutputFile, ...]) -> tuple[OutputFile, ...]:
    return outputs


async def _cancel_quietly(engine: Engine, prompt_id: str) -> None:
    with suppress(EngineError):
        await engine.cancel(prompt_id)


def _now() -> datetime:
    return datetime.now(UTC)
