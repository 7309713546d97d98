"""How long runs took, by template and instance: what an ETA is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from runner.store.database import Database
from runner.store.tables import timings

WEIGHT: Final = 0.25
"""Weight of the newest run in the moving mean: the last dozen runs decide."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Moving means over the runs of a template on an instance."""

    runs: int
    seconds: float
    steps: float

    def expected(self, steps: int) -> float:
        """Seconds that a run with so many sampler steps will take."""
        return self.seconds * steps / self.steps if steps and self.steps else self.seconds


class Timings:
    """Keeps every mean in memory too: an ETA is asked for at each run, and only this process's runs change it much."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._known: dict[tuple[str, str], Timing] = {}

    async def load(self) -> None:
        query = sa.select(timings)
        for found in await self._db.read(lambda connection: connection.execute(query).mappings().all()):
            key = (found["template"], found["instance"])
            self._known[key] = Timing(found["runs"], found["seconds"], found["steps"])

    def get(self, template: str, instance: str) -> Timing | None:
        """The mean of this instance, else of any other that has run the template."""
        exact = self._known.get((template, instance))
        return exact or next((timing for (name, _), timing in self._known.items() if name == template), None)

    async def add(self, template: str, instance: str, seconds: float, steps: int) -> None:
        """Adds a successful run. The last writer wins: a mean that misses one run is as good."""
        old = self._known.get((template, instance))
        weight = max(WEIGHT, 1 / (old.runs + 1)) if old else 1.0
        new = Timing(
            (old.runs if old else 0) + 1,
            seconds if old is None else old.seconds + weight * (seconds - old.seconds),
            float(steps) if old is None else old.steps + weight * (steps - old.steps),
        )
        self._known[template, instance] = new
        values: dict[str, Any] = {"runs": new.runs, "seconds": new.seconds, "steps": new.steps}

        def work(connection: sa.Connection) -> None:
            where = (timings.c.template == template, timings.c.instance == instance)
            if not connection.execute(timings.update().where(*where).values(values)).rowcount:
                self._db.lock(connection, "comfyc timings")
                if connection.scalar(sa.select(timings.c.runs).where(*where)) is None:
                    connection.execute(timings.insert().values(template=template, instance=instance, **values))

        await self._db.write(work)
