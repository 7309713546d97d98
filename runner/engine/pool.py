"""The engines of this process: who is healthy, who has a free slot, who must be restarted.

The choice among them is not made here: `lease` is given a pure function for it (see runner/scheduler.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from time import monotonic
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from runner.engine.base import Engine, EngineError, Health
from runner.engine.instance import Instance, Standing

Choose: TypeAlias = Callable[[Sequence[Instance]], str | None]
"""Names one of the instances that have a free slot, or None to wait for another moment."""

WATCH_S: Final = 2.0
"""Seconds between two looks at each instance."""
BUSY_S: Final = 90.0
"""An instance that is connected but answers nothing for so long is down; a large model may load for a minute."""
AVOID_S: Final = 600.0
"""How long a model that failed on an instance is kept away from it."""


@runtime_checkable
class Restartable(Protocol):
    """An engine whose process is ours."""

    async def restart(self, why: str) -> None: ...


class Pool:
    """Leases slots of engines.

    pool = Pool(await open_engines("sandbox"))
    await pool.start()
    async with pool.lease(choose) as instance:
        async for event in instance.engine.run(submission): ...
    await pool.stop()
    """

    def __init__(self, engines: Iterable[Engine], *, watch_s: float = WATCH_S, busy_s: float = BUSY_S) -> None:
        self._instances = {engine.name: Instance(engine.name, engine) for engine in engines}
        self._watch_s, self._busy_s = watch_s, busy_s
        self._avoid: dict[tuple[str, str], float] = {}
        self._answered: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Looks at every instance once, then keeps watching. Never fails: what does not answer is DOWN."""
        await asyncio.gather(*(self._look(name) for name in self._instances))
        for name in self._instances:
            self._spawn(self._watch(name))

    async def stop(self) -> None:
        """Ends the watch and closes the engines (managed ones are stopped)."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(instance.engine.close() for instance in self._instances.values()))

    def instances(self) -> tuple[Instance, ...]:
        """Snapshots, in the order the engines were given."""
        now = monotonic()
        self._avoid = {pair: until for pair, until in self._avoid.items() if until > now}
        return tuple(self._with_avoided(instance) for instance in self._instances.values())

    @asynccontextmanager
    async def lease(self, choose: Choose) -> AsyncGenerator[Instance]:
        """Waits until `choose` names an instance with a free slot; the slot is given back at the end of the block.

        `choose` sees the instances with a free slot only, and is asked again whenever something changes.
        """
        name = await self._take(choose)
        try:
            yield next(instance for instance in self.instances() if instance.name == name)
        finally:
            self._update(name, held=self._instances[name].held - 1)

    async def _take(self, choose: Choose) -> str:
        while True:
            name = choose(open_ones) if (open_ones := [one for one in self.instances() if one.free]) else None
            if name is None:
                await self._changed.wait()
                continue
            chosen = self._instances[name]
            if not chosen.free:
                raise ValueError(f"instance {name!r} has no free slot")
            self._update(name, held=chosen.held + 1)
            return name

    def wake(self) -> None:
        """Asks every waiting `choose` again: what it chooses by has changed outside the pool."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    # --- what a run taught -------------------------------------------------------------------------------------

    def loaded(self, name: str, files: Collection[str]) -> None:
        """A prompt with these model files was given to the instance: they are warm there now."""
        self._update(name, warm=frozenset(files))

    def avoid(self, name: str, files: Collection[str], seconds: float = AVOID_S) -> None:
        """These model files failed there (out of memory even after `free`): better elsewhere for a while."""
        self._avoid.update({(name, file): monotonic() + seconds for file in files})
        self._update(name)

    def latch(self, name: str, why: str) -> None:
        """Its device failed: no new work. A managed engine is restarted; an attached one waits for a new boot."""
        instance = self._instances[name]
        if instance.standing is Standing.LATCHED:
            return
        self._update(name, standing=Standing.LATCHED, why=why)
        if isinstance(instance.engine, Restartable):
            self._spawn(self._restart(name, instance.engine, why))

    async def restock(self) -> None:
        """Looks at all instances anew: model files have come."""
        for name, instance in list(self._instances.items()):
            restock = getattr(instance.engine, "restock", None)
            if restock is not None:
                await restock()
            await self._look(name)

    async def drain(self, name: str) -> None:
        """Takes no new work; returns once its slots are free."""
        self._update(name, standing=Standing.DRAINING, why="draining")
        while self._instances[name].held:
            await self._changed.wait()

    async def resume(self, name: str) -> None:
        """Ends a drain."""
        self._update(name, standing=Standing.STARTING, why="")
        await self._look(name)

    # --- the watch ---------------------------------------------------------------------------------------------

    async def _watch(self, name: str) -> None:
        while True:
            await asyncio.sleep(self._watch_s)
            await self._look(name)

    async def _look(self, name: str) -> None:
        """One look at one instance: its health, and after a new boot its catalog."""
        before = self._instances[name]
        health = await before.engine.health()
        if health is Health.ALIVE:
            self._answered[name] = monotonic()
            try:
                boot, catalog = await before.engine.boot_id(), await before.engine.catalog()
            except EngineError as error:
                self._update(name, health=Health.BUSY, why=str(error))
                return
            self._update(name, health=health, boot=boot, catalog=catalog, **self._risen(name, boot))
            return
        silent = monotonic() - self._answered.get(name, float("-inf"))
        if health is Health.REFUSED or silent > self._busy_s:
            self._update(name, health=health, **self._fallen(name, health))
        else:
            self._update(name, health=health)

    def _risen(self, name: str, boot: str) -> dict[str, Any]:
        """It answers. A latch holds until the boot is another one; a drain holds until `resume`."""
        now = self._instances[name]
        news: dict[str, Any] = {} if now.boot == boot else {"warm": frozenset[str]()}
        latched = now.standing is Standing.LATCHED and now.boot == boot
        return news if latched or now.standing is Standing.DRAINING else {**news, "standing": Standing.READY, "why": ""}

    def _fallen(self, name: str, health: Health) -> dict[str, Any]:
        if self._instances[name].standing in (Standing.LATCHED, Standing.DRAINING):
            return {}
        why = getattr(self._instances[name].engine, "why", "") or f"it does not answer ({health})"
        return {"standing": Standing.DOWN, "why": why}

    async def _restart(self, name: str, engine: Restartable, why: str) -> None:
        try:
            await engine.restart(why)
        except EngineError as error:
            self._update(name, why=str(error))
            return
        await self._look(name)

    def _with_avoided(self, instance: Instance) -> Instance:
        files = frozenset(file for name, file in self._avoid if name == instance.name)
        return replace(instance, avoided=files) if files else instance

    def _update(self, name: str, **news: Any) -> None:
        """Not a coroutine: a cancelled lease must give its slot back at once."""
        self._instances[name] = replace(self._instances[name], **news)
        self.wake()

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
