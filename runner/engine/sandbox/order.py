"""In which order the nodes of a prompt run (pure). Observed on ComfyUI 0.3.64 and 0.8.0.

A node that is needed is listed before what feeds it, the last input first; of those whose inputs are there, the first
listed runs, but output nodes go first, then nodes that feed one, then nodes two links away from one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from compiler.check.deadly import is_link


class MissingNode(KeyError):
    """A link leads to a node that is not in the prompt."""


class Plan:
    """The nodes still to run."""

    def __init__(
        self,
        prompt: Mapping[str, Any],
        is_cached: Callable[[str], bool],
        is_output: Callable[[str], bool],
        is_lazy: Callable[[str, str], bool],
    ) -> None:
        self._prompt, self._is_cached, self._is_output, self._is_lazy = prompt, is_cached, is_output, is_lazy
        self._pending: dict[str, set[str]] = {}
        """Node → the nodes it waits for, in the order they were listed."""
        self._feeds: dict[str, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._pending)

    def add(self, roots: Iterable[str]) -> None:
        """Lists nodes and what feeds them, but no further than cached ones.

        Errors: MissingNode.
        """
        for root in roots:
            stack = [root]
            while stack:
                node_id = stack.pop()
                if node_id in self._pending:
                    continue
                self._pending[node_id] = set()
                self._feeds.setdefault(node_id, [])
                stack += self._sources(node_id)

    def _sources(self, node_id: str) -> list[str]:
        found: list[str] = []
        if node_id not in self._prompt:
            raise MissingNode(node_id)
        for name, value in self._prompt[node_id]["inputs"].items():
            if is_link(value) and not self._is_lazy(node_id, name):
                found += self._wait_for(node_id, value[0])
        return found

    def _wait_for(self, node_id: str, source: str) -> list[str]:
        if source not in self._prompt:
            raise MissingNode(source)
        if self._is_cached(source):
            return []
        self._pending[node_id].add(source)
        self._feeds.setdefault(source, []).append(node_id)
        return [] if source in self._pending else [source]

    def need(self, node_id: str, sources: Iterable[str]) -> bool:
        """A node that was to run needs these as well; False if all of them are there already."""
        wanted = [found for source in sources for found in self._wait_for(node_id, source)]
        self.add(wanted)
        return bool(self._pending[node_id])

    def next(self) -> str | None:
        """The node to run now; None if all that is left waits for something (a ring)."""
        ready = [node_id for node_id, waits in self._pending.items() if not waits]
        for near in (self._is_output, self._feeds_output, self._two_from_output):
            for node_id in ready:
                if near(node_id):
                    return node_id
        return ready[0] if ready else None

    def _feeds_output(self, node_id: str) -> bool:
        return any(self._is_output(consumer) for consumer in self._feeds[node_id])

    def _two_from_output(self, node_id: str) -> bool:
        return any(self._feeds_output(consumer) for consumer in self._feeds[node_id])

    def done(self, node_id: str) -> None:
        """The node has run: its consumers wait for one less."""
        del self._pending[node_id]
        for consumer in self._feeds.pop(node_id, []):
            if consumer in self._pending:
                self._pending[consumer].discard(node_id)
