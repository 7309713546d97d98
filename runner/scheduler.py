"""Which waiting job goes to which instance: `assign(waiting, instances, now) -> assignments`, pure.

Order: priority, then the tenants in turn (who has the least running comes first), then age. Among the first few, one
whose models an instance has loaded already may go before, unless somebody has waited too long for that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

LOOK_AHEAD: Final = 8
"""How many places a job may overtake others for the sake of loaded models."""
PATIENCE_S: Final = 30.0
"""A job that has waited so long is overtaken no more."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job without an instance."""

    job_id: str
    tenant: str
    number: int
    since: float
    """When it began to wait, in seconds of the caller's clock."""
    priority: int = 0
    files: frozenset[str] = frozenset()
    """Model files that its graph names."""
    only: str = ""
    """The instance that has its prompt already; it goes to no other."""
    avoid: frozenset[str] = frozenset()
    """Instances to leave out as long as there are others: it failed there."""


@dataclass(frozen=True, slots=True)
class Place:
    """An instance with `free` slots."""

    name: str
    free: int
    slots: int = 2
    loaded: frozenset[str] = frozenset()
    avoided: frozenset[str] = frozenset()
    """Model files that failed there lately."""
    tenants: tuple[str, ...] = ()
    """Tenants of the jobs that it runs."""


@dataclass(frozen=True, slots=True)
class Assignment:
    job_id: str
    instance: str


def assign(
    waiting: Iterable[Waiting],
    places: Sequence[Place],
    now: float,
    *,
    look_ahead: int = LOOK_AHEAD,
    patience_s: float = PATIENCE_S,
) -> tuple[Assignment, ...]:
    """One instance for as many jobs as there are free slots, in the order in which they should go."""
    free = {place.name: place.free for place in places}
    loaded = {place.name: place.loaded for place in places}
    running = Counter(tenant for place in places for tenant in place.tenants)
    queue = list(waiting)
    made: list[Assignment] = []
    while queue and any(count > 0 for count in free.values()):
        queue.sort(key=lambda job: (-job.priority, running[job.tenant], job.number))
        found = _next(queue, places, free, loaded, now, look_ahead, patience_s)
        if found is None:
            break
        job, name = found
        made.append(Assignment(job.job_id, name))
        queue.remove(job)
        free[name] -= 1
        loaded[name] = job.files or loaded[name]
        running[job.tenant] += 1
    return tuple(made)


def _next(
    queue: Sequence[Waiting],
    places: Sequence[Place],
    free: Mapping[str, int],
    loaded: Mapping[str, frozenset[str]],
    now: float,
    look_ahead: int,
    patience_s: float,
) -> tuple[Waiting, str] | None:
    """The next pair: the first job that can go, or a later one within reach that finds its models loaded."""
    first: tuple[Waiting, str] | None = None
    reach = 0
    for job in queue:
        name = _best(job, places, free, loaded)
        if first is None:
            if name is None:
                continue
            first = job, name
            if now - job.since >= patience_s or job.only or _fits(job, loaded[name]):
                return first
        elif job.priority < first[0].priority or reach > look_ahead:
            break
        elif name is not None and _fits(job, loaded[name]):
            return job, name
        reach += 1
    return first


def _best(
    job: Waiting,
    places: Sequence[Place],
    free: Mapping[str, int],
    loaded: Mapping[str, frozenset[str]],
) -> str | None:
    """The instance for a job: an idle one, then one with its models loaded, then by name; None if it must wait."""
    if job.only:
        return job.only if free.get(job.only, 0) > 0 else None
    good = [p for p in places if p.name not in job.avoid and job.files.isdisjoint(p.avoided)]
    able = [p for p in (good or places) if free[p.name] > 0]
    if not able:
        return None
    return min(able, key=lambda p: (p.slots - free[p.name], not _fits(job, loaded[p.name]), p.name)).name


def _fits(job: Waiting, loaded: frozenset[str]) -> bool:
    return bool(job.files) and job.files <= loaded
