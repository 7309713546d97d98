"""Sampler steps that wait for the test instead of the clock, so that no test races a job on a slow machine."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from runner.engine.sandbox import ops
from runner.engine.sandbox.node import NodeContext, NodeResult

LOOK_S = 0.02


class Brake:
    """A sandbox's nodes, whose steps are held. Safe to use from any thread."""

    fingerprint = staticmethod(ops.fingerprint)
    takes_lists = staticmethod(ops.takes_lists)
    lazy_inputs = staticmethod(ops.lazy_inputs)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps = 0
        self._free = False

    def step(self, steps: int = 1) -> None:
        """Lets so many more steps pass."""
        with self._lock:
            self._steps += steps

    @asynccontextmanager
    async def walking(self, steps: int, every_s: float) -> AsyncIterator[None]:
        """Lets so many steps pass, again and again, for as long as the block lasts."""

        async def walk() -> None:
            while True:
                self.step(steps)
                await asyncio.sleep(every_s)

        walker = asyncio.create_task(walk())
        try:
            yield
        finally:
            walker.cancel()

    def release(self) -> None:
        """From now on nothing is held."""
        self._free = True

    def run_node(self, kind: str, inputs: Mapping[str, Any], context: NodeContext) -> NodeResult:
        held = replace(context, sleep=lambda _: self._wait(context.sleep))
        return ops.run_node(kind, inputs, held)

    def _wait(self, sleep: Callable[[float], None]) -> None:
        """Until the step may pass, or the run is interrupted: then the sandbox's own sleep returns too early."""
        while not self._may_pass():
            began = time.monotonic()
            sleep(LOOK_S)
            if time.monotonic() - began < LOOK_S / 2:
                return

    def _may_pass(self) -> bool:
        with self._lock:
            if not self._free and not self._steps:
                return False
            self._steps = max(self._steps - 1, 0)
            return True
