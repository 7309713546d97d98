"""Following one prompt to its end: the socket tells when to look, history tells what happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, Protocol, TypeAlias

from runner.engine.base import (
    Began,
    Ending,
    EngineEvent,
    EngineUnreachable,
    Outcome,
    Preview,
    PromptLost,
    Queued,
    Where,
)
from runner.engine.frames import Ended, Frame, Settled, Status
from runner.engine.http import Refused, Timing


@dataclass(frozen=True, slots=True)
class Dropped:
    """The socket broke: frames may be missing."""


@dataclass(frozen=True, slots=True)
class Removed:
    """We took the prompt from the queue; the engine keeps no trace of that."""


Item: TypeAlias = Frame | Dropped | Removed
_MOST_WAITING: Final = 256


class Inbox(asyncio.Queue[Item]):
    """What the socket brings for one prompt. A reader that lags gets fewer previews; nothing else is left out."""

    def give(self, item: Item) -> None:
        if not isinstance(item, Preview) or self.qsize() < _MOST_WAITING:
            self.put_nowait(item)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the engine's lists say of a prompt: where, how many are before it, and its history entry."""

    where: Where
    before: int = 0
    entry: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Lists(Protocol):
    """What following needs of the client."""

    timing: Timing

    def history(self, prompt_id: str) -> Awaitable[Mapping[str, Any]]:
        """The entry, empty if there is none (yet)."""
        ...

    def look(self, prompt_id: str) -> Awaitable[Sighting]: ...

    def outcome(self, prompt_id: str, entry: Mapping[str, Any]) -> Outcome: ...

    def reopen(self) -> Awaitable[None]:
        """Opens the socket if it is closed."""
        ...

    def renew(self) -> Awaitable[None]:
        """Closes the socket and opens it again."""
        ...

    def gone(self) -> bool:
        """True if the process that took the prompt is known to have ended (managed engines)."""
        ...


class Follower:
    """Yields the events of one accepted prompt and at last its Outcome."""

    def __init__(self, lists: Lists, prompt_id: str, inbox: Inbox, *, joined: bool) -> None:
        self._lists, self._prompt_id, self._inbox = lists, prompt_id, inbox
        self._timing = lists.timing
        self._joined = joined
        """Another client may have submitted it: its frames go there, so silence here means nothing."""
        self._longest = min(1.0, self._timing.poll) if joined else self._timing.poll
        self._began = False
        self._before = -1
        self._wait = 0.0 if joined else self._timing.silence
        self._heard = monotonic()
        self._missing_since: float | None = None
        """When the lists first did not have it; None while they do."""
        self._silent_since: float | None = None
        """When the engine first gave no answer; None while it does."""
        self._deaf_after = self._timing.deaf

    async def follow(self) -> AsyncGenerator[EngineEvent | Outcome]:
        """Errors: PromptLost, EngineUnreachable."""
        while True:
            item = await self._next()
            if isinstance(item, Removed):
                yield Outcome(Ending.INTERRUPTED)
                return
            if isinstance(item, Ended):
                self._wait = self._timing.settle  # history is written just before the last frame, not here
                continue
            if item is None or isinstance(item, Dropped | Settled):
                async for found in self._ask(settled=isinstance(item, Settled), dropped=isinstance(item, Dropped)):
                    yield found
                    if isinstance(found, Outcome):
                        return
                continue
            self._began = self._began or isinstance(item, Began)
            yield item

    async def _next(self) -> EngineEvent | Ended | Settled | Dropped | Removed | None:
        """The next item, or None after a silence."""
        try:
            async with asyncio.timeout(self._wait):
                item = await self._inbox.get()
        except TimeoutError:
            return None
        if isinstance(item, Dropped):
            return item
        self._heard = monotonic()
        self._missing_since = self._silent_since = None
        self._deaf_after = self._timing.deaf
        self._wait = min(self._timing.silence, self._longest)
        return None if isinstance(item, Status) else item

    async def _ask(self, *, settled: bool, dropped: bool) -> AsyncIterator[EngineEvent | Outcome]:
        """Looks into the engine's lists, and mends the socket where they know more than it."""
        try:
            if settled and (entry := await self._lists.history(self._prompt_id)):
                yield self._lists.outcome(self._prompt_id, entry)
                return
            if self._lists.gone():
                raise PromptLost("The engine's process ended while it had this prompt")
            await self._lists.reopen()
            sighting = await self._lists.look(self._prompt_id)
        except EngineUnreachable as error:
            self._unanswered(error)
            return
        self._silent_since, now = None, monotonic()
        self._wait = min(self._timing.silence if dropped else max(self._wait * 1.5, 0.1), self._longest)
        if sighting.where is Where.UNKNOWN:
            self._unlisted(now)
            return
        self._missing_since = None
        if sighting.where is Where.PENDING and sighting.before != self._before:
            self._before = sighting.before
            yield Queued(self._prompt_id, sighting.before)
        if sighting.where is not Where.PENDING and not self._began:
            self._began = True
            await self._mend(unless=dropped)
            yield Began(self._prompt_id)
        elif now - self._heard > self._deaf_after:
            self._deaf_after *= 2
            await self._mend(unless=sighting.where is Where.PENDING)
        if sighting.where is Where.FINISHED:
            for event in self._waiting():
                yield event
            yield self._lists.outcome(self._prompt_id, sighting.entry)

    def _waiting(self) -> Iterator[EngineEvent]:
        """What came while we asked: the end was faster than its frames."""
        while not self._inbox.empty():
            item = self._inbox.get_nowait()
            if not isinstance(item, Status | Ended | Settled | Dropped | Removed):
                yield item

    async def _mend(self, *, unless: bool) -> None:
        """The lists show life that the socket does not: ComfyUI may have unregistered it. Open it again."""
        if self._joined or unless:
            return
        try:
            await self._lists.renew()
        except EngineUnreachable as error:
            self._unanswered(error)

    def _unlisted(self, now: float) -> None:
        self._missing_since = self._missing_since or now
        if now - self._missing_since > self._timing.late:
            raise PromptLost("The prompt is in no list of the engine: it restarted, or somebody deleted it")
        self._wait = min(0.25, self._timing.late / 4)

    def _unanswered(self, error: EngineUnreachable) -> None:
        self._silent_since = self._silent_since or monotonic()
        silent = monotonic() - self._silent_since
        if isinstance(error, Refused) and silent > self._timing.refused:
            raise PromptLost("The engine's process is gone: nobody listens at its address") from None
        if silent > self._timing.patience:
            raise error
        self._wait = min(1.0, self._timing.refused / 4)
