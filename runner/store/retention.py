"""How long media are kept, and their removal once that time is over."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from runner.job import Job, OutputFile
from runner.store.files import Files
from runner.store.shelf import Clock, Entry, Shelf
from runner.store.storage import Storage

GRACE_S: Final = 300.0
"""How long bytes outlive their medium: longer than any request takes from finding a medium to storing its job."""

log = structlog.get_logger("comfyc.retention")


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long media are kept, by the dialect that they came or are made for."""

    hours: Mapping[str, float] = field(default_factory=dict[str, float])
    """Dialect → hours; one that is not named, or has 0, keeps its media for ever."""
    clock: Clock = time.time

    def end(self, dialect: str) -> float | None:
        """When a medium's time is over that is taken in now; None: never."""
        hours = self.hours.get(dialect, 0.0)
        return self.clock() + hours * 3600 if hours > 0 else None


async def shelve_outputs(
    shelf: Shelf, lifetimes: Lifetimes, job: Job, outputs: tuple[OutputFile, ...]
) -> tuple[OutputFile, ...]:
    """Gives the results of a job their numbers and their end."""
    end = lifetimes.end(job.dialect)
    wanted = [Entry(job.tenant, one.key, beside=(one.poster,) if one.poster else (), expires_at=end) for one in outputs]
    found = await shelf.put(wanted)
    return tuple(
        replace(one, number=entry.number, expires_at=entry.expires_at)
        for one, entry in zip(outputs, found, strict=True)
    )


class Retention:
    """Removes media whose time is over, unless an unfinished job needs them. `in_use` names those jobs' media."""

    def __init__(
        self,
        shelf: Shelf,
        files: Files,
        storage: Storage,
        in_use: Callable[[], Awaitable[set[str]]],
        clock: Clock = time.time,
    ) -> None:
        self._shelf, self._files, self._storage = shelf, files, storage
        self._in_use, self._clock = in_use, clock

    async def sweep(self) -> int:
        """One round; returns how many media went."""
        before = self._clock() - GRACE_S
        over = await self._shelf.ended(before)
        if not over:
            return 0
        needed, gone = await self._in_use(), 0
        for entry in over:
            if entry.key in needed or not await self._shelf.removing(entry.number, before):
                continue
            for key in (entry.key, *entry.beside):
                await self._storage.delete(key)
            await self._files.remove(entry.key)
            await self._shelf.removed(entry)
            gone += 1
        if gone:
            log.info("media removed", count=gone)
        return gone
