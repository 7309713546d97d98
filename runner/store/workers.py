"""The workers table: who lives. DBOS keeps no list of executors, so we keep this one (takeover needs it)."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from runner.store.database import Database
from runner.store.tables import workers


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A process that runs jobs. `slots`: how many it runs at once."""

    id: str
    host: str
    slots: int
    silent_s: float
    """Seconds since its last beat, by the database's clock."""


class Workers:
    """Beats, and finds those that have none."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def beat(self, worker_id: str, host: str, slots: int) -> None:
        """Says that the worker lives; also brings back one that was taken for dead."""

        def work(connection: sa.Connection) -> None:
            values = {"host": host, "slots": slots, "beat": self._db.now()}
            if not connection.execute(workers.update().where(workers.c.id == worker_id).values(values)).rowcount:
                connection.execute(workers.insert().values(id=worker_id, **values))

        await self._db.write(work)

    async def all(self) -> list[WorkerRow]:
        query = sa.select(workers, (self._db.now() - workers.c.beat).label("silent_s")).order_by(workers.c.id)
        found = await self._db.read(lambda connection: connection.execute(query).mappings().all())
        return [WorkerRow(row["id"], row["host"], row["slots"], row["silent_s"]) for row in found]

    async def remove(self, worker_id: str) -> None:
        await self._db.write(lambda connection: connection.execute(workers.delete().where(workers.c.id == worker_id)))

    def alive(self, connection: sa.Connection, silent_s: float) -> set[str]:
        """Ids of those that have beaten within `silent_s` seconds."""
        return set(connection.scalars(sa.select(workers.c.id).where(workers.c.beat > self._db.now() - silent_s)))

    def bury(self, connection: sa.Connection, silent_s: float) -> None:
        """Removes the others."""
        connection.execute(workers.delete().where(workers.c.beat <= self._db.now() - silent_s))
