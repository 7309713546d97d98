"""The queue and the history, as ComfyUI keeps them: in memory, one heap, one entry for each finished prompt id."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

LONGEST_HISTORY: Final = 10_000


class Item(NamedTuple):
    """A prompt in the queue. Ordered as a tuple is: by number, by id, then by what Python cannot compare."""

    number: float
    prompt_id: str
    prompt: dict[str, Any]
    extra_data: dict[str, Any]
    outputs: list[str]

    def shown(self) -> list[Any]:
        """As GET /queue and history show it."""
        return list(self)


class Delivery(NamedTuple):
    """An item that the worker has taken."""

    ticket: int
    item: Item
    secrets: Mapping[str, Any]


class PromptQueue:
    """Pending and running prompts, and what became of the finished ones. Every method may be called from any thread."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._condition = threading.Condition(threading.RLock())
        self._pending: list[Item] = []
        self._running: dict[int, Item] = {}
        self._tickets = 0
        self._secrets: dict[int, Mapping[str, Any]] = {}
        self._history: dict[str, Any] = {}
        self._flags: dict[str, bool] = {}
        self._stopped = False

    def put(self, item: Item, secrets: Mapping[str, Any] | None = None) -> None:
        """Queues a prompt.

        Errors: TypeError where number and id equal a pending one's and the prompts differ; it is queued nevertheless.
        """
        with self._condition:
            if secrets:
                self._secrets[id(item.extra_data)] = secrets
            try:
                heapq.heappush(self._pending, item)
            finally:
                self._condition.notify()
        self._changed()

    def take(self, timeout: float) -> Delivery | None:
        """The next prompt for the worker; None after `timeout` seconds, on a flag, or when stopped."""
        with self._condition:
            if not self._pending and not self._stopped and not self._flags:
                self._condition.wait(timeout)
            if not self._pending or self._stopped:
                return None
            item = _pop(self._pending)
            ticket = self._tickets = self._tickets + 1
            self._running[ticket] = item
            secrets = self._secrets.pop(id(item.extra_data), {})
        self._changed()
        return Delivery(ticket, item, secrets)

    def finish(self, ticket: int, entry: Mapping[str, Any] | None) -> None:
        """The worker is done; without an entry, nothing of the prompt remains."""
        with self._condition:
            item = self._running.pop(ticket)
            if entry is not None:
                self.record(item.prompt_id, entry)
        self._changed()

    def record(self, prompt_id: str, entry: Mapping[str, Any]) -> None:
        """Puts a finished prompt into history, in the place of an older one of that id."""
        with self._condition:
            while len(self._history) >= LONGEST_HISTORY:
                del self._history[next(iter(self._history))]
            self._history[prompt_id] = entry

    def remaining(self) -> int:
        """Running and pending prompts."""
        return len(self._pending) + len(self._running)

    def current(self) -> tuple[list[Item], list[Item]]:
        """(running, pending in heap order)."""
        with self._condition:
            return list(self._running.values()), list(self._pending)

    def delete(self, prompt_ids: Iterable[Any]) -> None:
        """Drops the first pending prompt of each id."""
        with self._condition:
            for prompt_id in prompt_ids:
                self._delete_one(prompt_id)

    def _delete_one(self, prompt_id: Any) -> None:
        for index, item in enumerate(self._pending):
            if item.prompt_id == prompt_id:
                del self._pending[index]
                _heapify(self._pending)
                self._changed()
                return

    def clear(self) -> None:
        """Drops every pending prompt."""
        with self._condition:
            self._pending.clear()
        self._changed()

    def is_running(self, prompt_id: Any) -> bool:
        with self._condition:
            return any(item.prompt_id == prompt_id for item in self._running.values())

    # --- history ---

    def entry(self, prompt_id: str) -> Any | None:
        return self._history.get(prompt_id)

    def history(self, max_items: int | None = None, offset: int = -1) -> dict[str, Any]:
        """Oldest first; `max_items` alone gives the newest ones."""
        with self._condition:
            if max_items is None:
                return dict(self._history)
            if offset < 0:
                offset = max(len(self._history) - max_items, 0)
            chosen = list(self._history.items())[offset : offset + max_items]
        return dict(chosen)

    def forget(self, prompt_ids: Iterable[Any]) -> None:
        with self._condition:
            for prompt_id in prompt_ids:
                self._history.pop(prompt_id, None)

    def forget_all(self) -> None:
        with self._condition:
            self._history.clear()

    # --- signals to the worker ---

    def set_flag(self, name: str, value: bool) -> None:
        with self._condition:
            self._flags[name] = value
            self._condition.notify()

    def take_flags(self) -> dict[str, bool]:
        with self._condition:
            flags, self._flags = self._flags, {}
        return flags

    def stop(self) -> None:
        """Wakes the worker for good."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()

    @property
    def stopped(self) -> bool:
        return self._stopped


def _pop(heap: list[Item]) -> Item:
    try:
        return heapq.heappop(heap)
    except TypeError:
        _heapify(heap)
        return heapq.heappop(heap) if len(heap) < 2 else heap.pop(0)


def _heapify(heap: list[Item]) -> None:
    # Two pending prompts of one number and id compare their graphs and fail: keep an order that Python can compare.
    heap.sort(key=lambda item: (item.number, item.prompt_id))
