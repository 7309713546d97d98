"""Waiting again and again, each time longer, up to a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True, slots=True)
class Pause:
    """One wait; `elapsed` seconds have passed since the first try."""

    seconds: float
    elapsed: float

    async def __call__(self) -> None:
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True, slots=True)
class Pauses:
    """Waits from `first` to `longest` seconds, each twice the one before.

    for pause in Pauses(0.05, 1.0).within(30):
        if await done():
            return
        await pause()
    """

    first: float
    longest: float

    def within(self, limit: float) -> Iterator[Pause]:
        """Ends after `limit` seconds; always gives one."""
        start, wait = monotonic(), self.first
        while True:
            yield Pause(wait, monotonic() - start)
            if monotonic() - start > limit:
                return
            wait = min(wait * 2, self.longest)
