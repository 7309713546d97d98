"""Takeover on PostgreSQL: every process beats once a second, and the tasks of one that is silent are queued again.

DBOS finds only its own executor's tasks at a restart; the rest of what its paid Conductor does is these lines.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final

import sqlalchemy as sa
import structlog

from runner.durable import Durable
from runner.store.database import Database
from runner.store.workers import Workers

BEAT_S: Final = 1.0
SILENT_S: Final = 6.0
"""A process that has been silent so long is taken for dead. If it only slept, its attempts are fenced out."""

log = structlog.get_logger("comfyc.takeover")


class Takeover:
    """One for each process that runs jobs. `await join()` before the durable queue starts, `start()` after it."""

    def __init__(
        self, database: Database, durable: Durable, slots: int, *, beat_s: float = BEAT_S, silent_s: float = SILENT_S
    ) -> None:
        self._db, self._durable, self._slots = database, durable, slots
        self._workers = Workers(database)
        self._beat_s, self._silent_s = beat_s, silent_s
        self._host = socket.gethostname()
        self._task: asyncio.Task[None] | None = None

    async def join(self) -> int:
        """Says that this process lives; returns the most slots that any live one has, which the queue must allow to
        all (its limit is one number for all processes)."""
        await self._workers.beat(self._durable.executor_id, self._host, self._slots)
        return max(one.slots for one in await self._workers.all() if one.silent_s < self._silent_s)

    def start(self) -> None:
        self._task = asyncio.create_task(self._loop())

    async def leave(self) -> None:
        """Ends the beat; tasks that this process leaves behind are taken over at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._workers.remove(self._durable.executor_id)

    async def _loop(self) -> None:
        while True:
            try:
                await self._workers.beat(self._durable.executor_id, self._host, self._slots)
                if not self._db.sqlite:
                    await self._db.write(self.take_over)
            except Exception:
                log.exception("beat or takeover failed")
            await asyncio.sleep(self._beat_s)

    def take_over(self, connection: sa.Connection) -> None:
        """Runs in a database thread. The lock lasts as the transaction does: one process takes over."""
        if not self._db.try_lock(connection, "comfyc takeover"):
            return
        alive = self._workers.alive(connection, self._silent_s)
        for dead in self._durable.executors() - alive:
            count = self._durable.take_over(dead)
            log.warning("took over the tasks of a dead process", worker=dead, tasks=count)
        self._workers.bury(connection, self._silent_s)
