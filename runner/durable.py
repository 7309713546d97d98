"""The durable queue: our port over DBOS Transact 3.4, on SQLite or PostgreSQL.

A task is (queue, key, run): it is submitted once, survives any crash, and is handed to the queue's handler until the
handler returns. `run` numbers the retries of one key: each is an entry of its own, submitted with a delay, so that
waiting holds no slot. Handlers must be idempotent, for a crash may come after their work and before their return.

What DBOS needs to be told, and why:
- All its calls are made in threads of ours, and its workflows run on a loop of its own that hands over to ours: it
  would block our loop at launch and destroy, and make its own pool our loop's default executor, which ends with it.
- `application_version` is pinned: by default it is a hash of the code, and a deploy would strand the jobs of the last.
- `executor_id` belongs to one live process: two with the same steal each other's tasks. On SQLite it is a constant
  (guarded by a lock on a file), so that a restart finds its own tasks again; on PostgreSQL it is new each time.
- Priority 1 is DBOS's highest, and an unset one (0) beats all, so one is always set (`rank`).
- A queue's worker_concurrency lies in the database, and the last process to register it wins for all.
"""

from __future__ import annotations

import asyncio
import fcntl
import functools
import socket
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final, TypeAlias, TypeVar

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions
from sqlalchemy import event

from runner.store.database import PRAGMAS, engine_url

T = TypeVar("T")
Handler: TypeAlias = Callable[[str, int], Awaitable[None]]
"""(key, run): does the task. An exception ends the task, so a handler catches what it can retry."""

APPLICATION: Final = "comfyc"
VERSION: Final = "comfyc-1"
POLL_S: Final = 0.1
ACTIVE: Final = frozenset({"ENQUEUED", "DELAYED", "PENDING"})
CLASSES: Final = 15
"""Priorities are told apart from -15 to 15."""
PLACES: Final = 2**26


class DurableError(Exception):
    """The durable queue cannot be used; the message says why."""


def rank(priority: int, number: int) -> int:
    """DBOS's priority, 1 highest, of a job: higher priorities first, then by number.

    The number is needed too: on SQLite before Python 3.12 DBOS orders equal priorities by whole seconds.
    """
    level = CLASSES - max(-CLASSES, min(CLASSES, priority))
    return level * PLACES + number % PLACES + 1


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One queue now."""

    waiting: int
    active: int
    by_worker: Mapping[str, int]
    """Active tasks by executor id."""


@DBOS.workflow(name="comfyc_task")
async def _task(queue: str, key: str, run: int) -> None:
    """The one workflow: hands the task over to the process's handler, on its loop."""
    durable = Durable.current
    if durable is None:
        raise DurableError("the queue has stopped")
    await durable.hand_over(queue, key, run)


class Durable:
    """One for each process (DBOS is a singleton). Register handlers, then `start()`."""

    current: Durable | None = None

    def __init__(self, url: str, *, executor_id: str = "", poll_s: float = POLL_S, log_level: str = "WARNING") -> None:
        database = engine_url(url)
        self.sqlite = database.get_backend_name() == "sqlite"
        if self.sqlite:
            path = Path(str(database.database))
            # A file of its own: DBOS's threads and our writer would else wait for one another's lock.
            database = database.set(database=str(path.with_name(f"{path.stem}.queue{path.suffix or '.db'}")))
        self._url = database
        self.executor_id = executor_id or ("embedded" if self.sqlite else f"{socket.gethostname()}-{uuid.uuid4().hex}")
        self._poll_s, self._log_level = poll_s, log_level
        self._queues: dict[str, tuple[Handler, int | None, float]] = {}
        self._threads: ThreadPoolExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock: IO[bytes] | None = None
        self._dbos: DBOS | None = None

    def handle(self, queue: str, handler: Handler, slots: int | None = None, *, poll_s: float | None = None) -> None:
        """Names the queue's handler; at most `slots` of its tasks run here at once. `poll_s`: how often it is looked
        at, if that differs from the other queues. Before `start`."""
        self._queues[queue] = (handler, slots, poll_s or self._poll_s)

    async def start(self) -> None:
        """Launches DBOS; tasks that this executor left unfinished begin again. Raises DurableError if the SQLite file
        is another process's."""
        if Durable.current is not None:
            raise DurableError("a durable queue runs in this process already")
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="comfyc-durable")
        Durable.current = self
        try:
            await self._call(self._launch)
        except BaseException:
            await self.stop()
            raise

    def _launch(self) -> None:
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": self._url.render_as_string(hide_password=False),
            "executor_id": self.executor_id,
            "application_version": VERSION,
            "log_level": self._log_level,
            "notification_listener_polling_interval_sec": 0.1,  # a thread that `stop` waits for; it has nothing to ask
        }
        if self.sqlite:
            self._take_lock()
            config["system_database_engine"] = _sqlite(self._url)
        self._dbos = DBOS(config=config)
        DBOS.listen_queues(list(self._queues))
        self._register_queues(config.get("system_database_engine"))
        DBOS.launch()

    def _register_queues(self, engine: sa.Engine | None) -> None:
        """Before the launch: DBOS looks for queues at its start, and then only once a second."""
        url = self._url.render_as_string(hide_password=False)
        DBOS.migrate(url)
        client = DBOSClient(system_database_url=url, system_database_engine=engine, application_name=APPLICATION)
        try:
            for name, (_, slots, poll_s) in self._queues.items():
                client.register_queue(
                    name,
                    worker_concurrency=slots,
                    polling_interval_sec=poll_s,
                    on_conflict="always_update",
                    application_name=APPLICATION,
                )
        finally:
            client.destroy()

    def _take_lock(self) -> None:
        path = Path(str(self._url.database))
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = path.with_name(f"{path.name}.lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DurableError(
                f"{path.name} is used by another process. Stop it, choose another data folder, or use PostgreSQL."
            ) from error

    async def stop(self) -> None:
        """Ends the queue. Tasks that run are cancelled and begin again at the next start."""
        if Durable.current is not self or self._threads is None:
            return
        try:
            await self._call(self._destroy)
        finally:
            Durable.current = None
            self._threads.shutdown(wait=False)
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def _destroy(self) -> None:
        """First the queues' threads end: DBOS would close its loop while they still take tasks."""
        if self._dbos is not None:
            # Threads that store how a task ended would try for ever to reach a database that is gone, and the process
            # could never end: what is not stored now is taken up at the next start.
            self._dbos._sys_db._retry_connection_errors = False  # pyright: ignore[reportPrivateUsage]
            for stop in self._dbos.background_thread_stop_events:
                stop.set()
            patience = time.monotonic() + 5.0
            while any(one.name.startswith("queue-worker-") for one in threading.enumerate()):
                if time.monotonic() > patience:
                    break
                time.sleep(0.005)
        DBOS.destroy()
        self._dbos = None

    async def hand_over(self, queue: str, key: str, run: int) -> None:
        """Called on DBOS's loop: runs the handler on ours, and cancels it when the task is cancelled."""
        handler = self._queues[queue][0]
        if self._loop is None or self._loop.is_closed():
            raise asyncio.CancelledError
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_as_coroutine(handler(key, run)), self._loop))

    async def submit(self, queue: str, key: str, run: int = 0, *, rank: int = 1, delay_s: float = 0.0) -> None:
        """Adds a task. One that was added before, in whatever state, is left as it is."""
        options: EnqueueOptions = {
            "workflow_name": "comfyc_task",
            "queue_name": queue,
            "workflow_id": _workflow_id(key, run),
            "app_version": VERSION,
            "priority": rank,
        }
        if delay_s > 0:
            options["delay_seconds"] = delay_s
        await self._call(DBOS.enqueue_workflow_with_options, options, queue, key, run)

    async def cancel(self, key: str, run: int = 0) -> None:
        """Takes a waiting task from its queue. One that runs is only marked: its handler must be told otherwise."""
        await self._call(DBOS.cancel_workflow, _workflow_id(key, run))

    async def pause(self, key: str, run: int = 0) -> None:
        """Holds a waiting task back until `resume`."""
        await self.cancel(key, run)

    async def resume(self, queue: str, key: str, run: int = 0) -> None:
        """Puts a paused task back into its queue, at its old place."""
        await self._call(functools.partial(DBOS.resume_workflow, _workflow_id(key, run), queue_name=queue))

    async def retry(self, queue: str, key: str, run: int, *, rank: int, delay_s: float) -> None:
        """Adds the next run of a task, to begin in `delay_s` seconds; it waits without a slot."""
        await self.submit(queue, key, run, rank=rank, delay_s=delay_s)

    async def active(self, tasks: Sequence[tuple[str, int]]) -> set[tuple[str, int]]:
        """Which of the tasks wait or run, on any executor."""
        wanted = {_workflow_id(key, run): (key, run) for key, run in tasks}
        if not wanted:
            return set()
        found = await self._call(
            functools.partial(
                DBOS.list_workflows,
                workflow_ids=list(wanted),
                status=sorted(ACTIVE),
                load_input=False,
                load_output=False,
            )
        )
        return {wanted[status.workflow_id] for status in found}

    async def status(self, key: str, run: int = 0) -> str | None:
        """DBOS's word for where a task stands: ENQUEUED, DELAYED, PENDING, SUCCESS, ERROR, CANCELLED…; or None."""
        found = await self._call(DBOS.get_workflow_status, _workflow_id(key, run))
        return found.status if found else None

    async def stats(self, queue: str) -> QueueStats:
        """How many tasks of a queue wait and run."""
        found = await self._call(functools.partial(DBOS.list_queued_workflows, queue_name=queue, load_input=False))
        by_worker: dict[str, int] = {}
        for status in found:
            if status.status == "PENDING":
                worker = status.executor_id or ""
                by_worker[worker] = by_worker.get(worker, 0) + 1
        active = sum(by_worker.values())
        return QueueStats(len(found) - active, active, by_worker)

    def executors(self) -> set[str]:
        """Executors that have running tasks, dead or alive. Blocks: call it in a thread."""
        found = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        return {status.executor_id or "" for status in found}

    def take_over(self, dead: str) -> int:
        """Puts the tasks that a dead executor was running back into their queues; returns how many.

        Blocks: call it in a thread, under a lock that one process at a time can have, for DBOS would also take a task
        back from a peer that took it over just now.
        """
        found = DBOS.list_workflows(status="PENDING", executor_id=dead, load_input=False, load_output=False)
        by_queue: dict[str, list[str]] = {}
        for status in found:
            if status.queue_name:
                by_queue.setdefault(status.queue_name, []).append(status.workflow_id)
        for queue, ids in by_queue.items():
            DBOS.resume_workflows(ids, queue_name=queue)
        return sum(map(len, by_queue.values()))

    async def forget(self, older_than_s: float, *, limit: int = 500) -> int:
        """Deletes tasks that ended long ago (DBOS keeps them for ever); returns how many."""
        before = (datetime.now(UTC) - timedelta(seconds=older_than_s)).isoformat()
        ended = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
        found = await self._call(
            functools.partial(
                DBOS.list_workflows,
                status=ended,
                completed_before=before,
                limit=limit,
                load_input=False,
                load_output=False,
            )
        )
        await self._call(DBOS.delete_workflows, [status.workflow_id for status in found])
        return len(found)

    async def _call(self, function: Callable[..., T], *args: Any) -> T:
        if self._threads is None:
            raise DurableError("the queue has not started")
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)


def _sqlite(url: sa.URL) -> sa.Engine:
    """DBOS's engine with our PRAGMAS: three times the throughput of its own. It begins transactions by itself."""
    engine = sa.create_engine(url, pool_size=20, max_overflow=0)

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    return engine


async def _as_coroutine(awaitable: Awaitable[None]) -> None:
    await awaitable


def _workflow_id(key: str, run: int) -> str:
    return f"{key}.{run}"
