"""From engine events to percent, node and ETA. Pure: the caller gives the clock's readings.

A run's work is counted in units: each sampler step is one, and the other nodes share a tenth of the whole. The steps
are known since compile time, so a run with two samplers of 4 and 16 steps stands at about 20 % after the first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from compiler.plan import Plan
from runner.engine.base import Began, Cached, EngineEvent, NodeBegan, NodeOutput, NodeProgress
from runner.events import ALMOST, NodeChanged, Progressed

EVERY_S: Final = 0.5
"""Least time between two `Progressed` events."""
OTHER_NODES: Final = 0.1
"""Share of the work that all nodes without sampler steps have together."""
ENOUGH: Final = 0.05
"""Share that must be done before the run's own speed says anything."""


class Progress:
    """Follows one run. `expected_s`: how long such a run took before, None if none was measured."""

    def __init__(self, steps: Mapping[str, int], nodes: Collection[str], expected_s: float | None = None) -> None:
        others = [node for node in nodes if not steps.get(node)]
        total = sum(steps.values())
        each = (total * OTHER_NODES / (1 - OTHER_NODES) if total else 1.0) / max(1, len(others))
        self._work = {**{node: float(count) for node, count in steps.items() if count}, **dict.fromkeys(others, each)}
        self._whole = sum(self._work.values()) or 1.0
        self._done: dict[str, float] = {}
        self._expected_s = expected_s
        self._began: float | None = None
        self._last = float("-inf")
        self._node = ""
        self._cached = 0.0

    @classmethod
    def of(cls, plan: Plan, nodes: Collection[str], expected_s: float | None = None) -> Progress:
        return cls(plan.steps, nodes, expected_s)

    @property
    def share(self) -> float:
        """Part of the work that is done, 0–1."""
        done = sum(self._work[node] * part for node, part in self._done.items())
        return min(1.0, done / self._whole)

    def take(self, event: EngineEvent, now: float) -> NodeChanged | Progressed | None:
        """What there is to tell after an engine's event at `now` (seconds of any steady clock)."""
        match event:
            case Began():
                self._began = now
                return None
            case Cached(_, nodes):
                for node in nodes:
                    self._finish(node)
                self._cached = self.share
            case NodeBegan(_, node):
                if node == self._node:
                    return None
                self._finish(self._node)
                self._node = node
                return NodeChanged(node)
            case NodeProgress(_, node, value, maximum, done):
                part = 1.0 if done else value / maximum if maximum > 0 else 0.0
                self._advance(node, part)
            case NodeOutput(_, node):
                self._finish(node)
            case _:
                return None
        if now - self._last < EVERY_S:
            return None
        self._last = now
        return Progressed(min(ALMOST, 100 * self.share), self._node, self.eta(now))

    def eta(self, now: float) -> float | None:
        """Seconds left: measured history at first, and more and more the speed of this run."""
        if self._began is None:
            return self._expected_s
        share, elapsed = self.share, max(0.0, now - self._began)
        by_history = None if self._expected_s is None else max(0.0, self._expected_s * (1 - share))
        fresh = (share - self._cached) / (1 - self._cached) if self._cached < 1 else 1.0  # the cached part took no time
        by_speed = elapsed * (1 - fresh) / fresh if fresh >= ENOUGH else None
        if by_history is None or by_speed is None:
            return by_speed if by_history is None else by_history
        return (1 - fresh) * by_history + fresh * by_speed

    def _finish(self, node: str) -> None:
        self._advance(node, 1.0)

    def _advance(self, node: str, part: float) -> None:
        if node in self._work:
            self._done[node] = max(self._done.get(node, 0.0), min(1.0, max(0.0, part)))
