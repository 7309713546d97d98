"""Which instance a job of this process gets: the scheduler's plan for all that wait here, asked at every change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol

from runner.engine.instance import Instance, Standing
from runner.job import Job
from runner.scheduler import Place, Waiting, assign
from runner.store.jobs import Row

ROOM_S: Final = 1.0
"""How often it is asked whether a tenant that has its share of jobs in other processes may run one more."""


class Leases(Protocol):
    """What the worker needs of the pool."""

    def instances(self) -> tuple[Instance, ...]: ...
    def lease(self, choose: Callable[[Sequence[Instance]], str | None]) -> AbstractAsyncContextManager[Instance]: ...
    def loaded(self, name: str, files: Collection[str]) -> None: ...
    def avoid(self, name: str, files: Collection[str], seconds: float = ...) -> None: ...
    def latch(self, name: str, why: str) -> None: ...
    def wake(self) -> None: ...


@dataclass(slots=True)
class Run:
    """A job that this process has in hand."""

    row: Row
    job: Job
    """The job with every event folded in; what others see of it has been stored before."""
    since: float
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    files: frozenset[str] = frozenset()
    instance: str = ""
    """Where it runs; empty while it waits for a slot."""
    only: str = ""
    avoid: set[str] = field(default_factory=set[str])


class Placing:
    """Chooses among the pool's instances. `runs` are the jobs that the process has in hand; it changes."""

    def __init__(
        self, pool: Leases, runs: Mapping[str, Run], clock: Callable[[], float], running: int | None = None
    ) -> None:
        """`running`: most jobs of one tenant that run at once; None: any number."""
        self._pool, self._runs, self._clock, self._running = pool, runs, clock, running
        self._full: set[str] = set()

    def choose(self, current: Run) -> str | None:
        """This job's place in the plan for all that wait; None to go on waiting."""
        if current.stop.is_set():  # it takes any slot, only to be ended in order
            return next((one.name for one in self._pool.instances() if one.free), None)
        if current.only and current.only not in {one.name for one in self.ready()}:
            current.only = ""
        waiting = [_waiting(run) for run in self._runs.values() if not run.instance and self._may(run)]
        made = assign(waiting, [self._place(one) for one in self.ready()], self._clock())
        return next((one.instance for one in made if one.job_id == current.row.job.id), None)

    def _may(self, run: Run) -> bool:
        """Whether the tenant has room for one more; a prompt that an engine has already needs none."""
        if self._running is None or run.only:
            return True
        tenant = run.row.job.tenant
        if tenant in self._full:
            return False
        return sum(one.row.job.tenant == tenant for one in self._runs.values() if one.instance) < self._running

    def full(self, tenant: str) -> None:
        """Says that the tenant runs as many jobs as it may, some of them in other processes. Its jobs wait a while."""
        if tenant not in self._full:
            self._full.add(tenant)
            asyncio.get_running_loop().call_later(ROOM_S, self._ask_again, tenant)

    def _ask_again(self, tenant: str) -> None:
        self._full.discard(tenant)
        self._pool.wake()

    def ready(self) -> list[Instance]:
        """Instances that take work, whether or not a slot is free."""
        return [one for one in self._pool.instances() if one.standing is Standing.READY]

    def holder(self, job: Job) -> str:
        """The instance that was given the job's prompt, if it is one of ours and answers."""
        known = {one.name for one in self.ready()}
        return job.instance if job.prompt_id and job.instance in known else ""

    def _place(self, instance: Instance) -> Place:
        tenants = tuple(run.row.job.tenant for run in self._runs.values() if run.instance == instance.name)
        return Place(instance.name, instance.free, instance.slots, instance.warm, instance.avoided, tenants)


def _waiting(run: Run) -> Waiting:
    job = run.row.job
    return Waiting(job.id, job.tenant, job.number, run.since, job.priority, run.files, run.only, frozenset(run.avoid))
