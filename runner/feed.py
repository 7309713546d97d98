"""What the nodes of running jobs do, for who looks on: in memory only, never stored, and free where nobody looks.

A job's row and its status polls know percent and current node; a drawing of the graph wants every node, and the picture
that the sampler has so far. Only the process that runs a job hears of these: elsewhere the feed stays silent.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Final, TypeAlias

from runner.engine.base import Began, Cached, EngineEvent, NodeBegan, NodeOutput, NodeProgress, Preview
from runner.job import Job, State
from runner.tasks import cancel_and_wait

KEEP: Final = 200
"""Jobs whose nodes are remembered, the newest."""


class NodePhase(StrEnum):
    """What has become of a node in the current attempt."""

    RUNNING = "running"
    CACHED = "cached"  # the engine had its result already
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node of the graph now; `value` of `maximum` steps, zeros where it counts none."""

    node: str
    phase: NodePhase
    value: float = 0.0
    maximum: float = 0.0


@dataclass(frozen=True, slots=True)
class Restarted:
    """The engine has begun with the graph: what was told of its nodes before holds no more."""


News: TypeAlias = NodeState | Preview | Restarted


@dataclass(slots=True)
class _Board:
    """What is known of one job. Every entry has the version at which it was written."""

    version: int = 0
    began: int = 0
    nodes: dict[str, tuple[int, NodeState]] = field(default_factory=dict[str, tuple[int, NodeState]])
    preview: tuple[int, Preview] | None = None
    listeners: set[asyncio.Event] = field(default_factory=set[asyncio.Event])

    def since(self, version: int) -> list[News]:
        """What was written after `version`, oldest first; of each node only the newest."""
        found: list[tuple[int, News]] = [pair for pair in self.nodes.values() if pair[0] > version]
        if self.began > version:
            found.append((self.began, Restarted()))
        if self.preview is not None and self.preview[0] > version:
            found.append(self.preview)
        return [news for _, news in sorted(found, key=lambda pair: pair[0])]


class Feed:
    """The nodes of the jobs that this process runs or has run lately. Not for several threads."""

    def __init__(self, keep: int = KEEP) -> None:
        self._keep = keep
        self._boards: OrderedDict[str, _Board] = OrderedDict()

    def take(self, job_id: str, event: EngineEvent) -> None:
        """An engine's event of the job."""
        board = self._board(job_id)
        match event:
            case Began():
                board.nodes.clear()
                board.preview = None
                board.version += 1
                board.began = board.version
            case Cached(_, nodes):
                for node in nodes:
                    _write(board, NodeState(node, NodePhase.CACHED))
            case NodeBegan(_, node):
                _finish_running(board)
                _write(board, NodeState(node, NodePhase.RUNNING))
            case NodeProgress(_, node, value, maximum, done):
                steps = (value, maximum) if isfinite(value) and isfinite(maximum) else (0.0, 0.0)
                _progressed(board, NodeState(node, NodePhase.DONE if done else NodePhase.RUNNING, *steps))
            case NodeOutput(_, node):
                _progressed(board, NodeState(node, NodePhase.DONE))
            case Preview():
                board.version += 1
                board.preview = (board.version, event)
            case _:
                return
        _wake(board)

    def ended(self, job: Job) -> None:
        """The job has its end: no node runs any more, and the last preview is not kept."""
        board = self._boards.get(job.id)
        if board is None:
            return
        board.preview = None
        if job.state is State.SUCCEEDED:
            _finish_running(board)
        else:
            for node in _running(board):
                del board.nodes[node]
            if job.error is not None and job.error.node:
                _write(board, NodeState(job.error.node, NodePhase.FAILED))
        _wake(board)

    def nodes(self, job_id: str) -> tuple[NodeState, ...]:
        """Every node that something is known of."""
        board = self._boards.get(job_id)
        return tuple(state for _, state in board.nodes.values()) if board else ()

    async def watch(self, job_id: str, jobs: AsyncIterator[Job]) -> AsyncIterator[Job | News]:
        """The job's changes as `jobs` has them, and what happens to its nodes in between; ends as `jobs` does. Who is
        slow hears of each node's newest state only."""
        board, changed = self._board(job_id), asyncio.Event()
        found, seen = board.since(0), board.version  # together: what comes while somebody is told is told next
        board.listeners.add(changed)
        told = asyncio.ensure_future(anext(jobs, None))
        woken = asyncio.ensure_future(changed.wait())
        try:
            while True:
                for news in found:
                    yield news
                await asyncio.wait((told, woken), return_when=asyncio.FIRST_COMPLETED)
                if woken.done():
                    changed.clear()
                    woken = asyncio.ensure_future(changed.wait())
                    found, seen = board.since(seen), board.version
                    continue  # the nodes first: a job's end is the last that is told
                job = told.result()
                if job is None:
                    return
                found, seen = board.since(seen), board.version
                for news in found:
                    yield news
                yield job
                found, seen = board.since(seen), board.version
                told = asyncio.ensure_future(anext(jobs, None))
        finally:
            board.listeners.discard(changed)
            woken.cancel()
            await cancel_and_wait(told)

    def _board(self, job_id: str) -> _Board:
        board = self._boards.get(job_id)
        if board is None:
            board = self._boards[job_id] = _Board()
            if len(self._boards) > self._keep:
                idle = next((key for key, one in self._boards.items() if not one.listeners), None)
                if idle is not None and idle != job_id:
                    del self._boards[idle]
        return board


def _write(board: _Board, state: NodeState) -> None:
    board.version += 1
    board.nodes[state.node] = (board.version, state)


def _progressed(board: _Board, state: NodeState) -> None:
    """progress_state repeats nodes that have ended; a cached node stays cached."""
    known = board.nodes.get(state.node)
    if known is None or (known[1].phase is NodePhase.RUNNING and known[1] != state):
        kept = (
            state
            if state.maximum or known is None
            else NodeState(state.node, state.phase, known[1].maximum, known[1].maximum)
        )
        _write(board, kept)


def _running(board: _Board) -> list[str]:
    return [node for node, (_, state) in board.nodes.items() if state.phase is NodePhase.RUNNING]


def _finish_running(board: _Board) -> None:
    for node in _running(board):
        state = board.nodes[node][1]
        _write(board, NodeState(node, NodePhase.DONE, state.maximum, state.maximum))


def _wake(board: _Board) -> None:
    for listener in board.listeners:
        listener.set()
