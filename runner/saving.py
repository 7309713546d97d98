"""Writing the progress of the jobs that run here: all that changed in one transaction, now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import structlog

from runner.live import Live
from runner.placing import Run
from runner.store.jobs import JobStore

SAVE_S: Final = 0.5
"""How often progress is written."""

log = structlog.get_logger("comfyc.saving")


class Saver:
    """`runs` are those of this process by job id. `cancel` is told of cancellations that another process was asked
    for."""

    def __init__(
        self, store: JobStore, live: Live, executor_id: str, runs: Mapping[str, Run], cancel: Callable[[str], None]
    ) -> None:
        self._store, self._live, self._executor_id = store, live, executor_id
        self._runs, self._cancel = runs, cancel
        self._dirty: set[str] = set()
        self._urgent = asyncio.Event()

    def note(self, job_id: str, *, urgent: bool) -> None:
        """The job has changed: it is written soon, or at once."""
        self._dirty.add(job_id)
        if urgent:
            self._urgent.set()

    def forget(self, job_id: str) -> None:
        """The job runs here no more."""
        self._dirty.discard(job_id)

    async def loop(self) -> None:
        """Writes what changed until it is cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SAVE_S):
                    await self._urgent.wait()
            self._urgent.clear()
            try:
                await self._save()
            except Exception:
                log.exception("progress could not be stored")

    async def _save(self) -> None:
        if not self._runs:
            return
        dirty, self._dirty = self._dirty, set()
        changed = [self._runs[job_id].job for job_id in dirty if job_id in self._runs]
        changed = [job for job in changed if not job.state.terminal]
        if changed:
            await self._store.save(changed)
            for job in changed:
                if self._live.is_here(job.id):
                    self._live.put(job)
        for job_id in await self._store.to_cancel(self._executor_id):
            self._cancel(job_id)
