"""Which boot of an engine this is. ComfyUI tells neither its pid nor its start time, so it is seen from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from runner.engine.answers import facts


class Boot:
    """The identity of an attached engine's process, as far as it can be observed.

    While our socket stays open, the process is the same. After the socket broke, it is the same if its facts are and
    history still holds the last prompt that we saw end there; if that vanished, or there was none, the boot counts
    as another one. Another process of ours sees the same facts but counts for itself: a prompt's own fate is always
    looked up in the engine's lists, never told from this.
    """

    def __init__(self, stats: Callable[[], Awaitable[Any]], in_history: Callable[[str], Awaitable[Any]]) -> None:
        self._stats, self._in_history = stats, in_history
        self._facts: str = ""
        self._generation = 0
        self._doubt = True
        self.witness = ""
        """The last prompt that was seen in history."""

    def doubt(self) -> None:
        """The socket broke: the process may be another one."""
        self._doubt = True

    async def identity(self) -> str:
        """`<facts>.<restarts seen>`; asks the engine only when in doubt. Errors: those of the two questions."""
        if self._doubt:
            seen = facts(await self._stats())
            known = bool(self.witness) and bool(await self._in_history(self.witness))
            if self._facts and not (known and seen == self._facts):
                self._generation, self.witness = self._generation + 1, ""
            self._facts, self._doubt = seen, False
        return f"{self._facts}.{self._generation}"

    def forget(self, prompt_id: str) -> None:
        """Its history entry is gone by our own hand."""
        if self.witness == prompt_id:
            self.witness = ""
