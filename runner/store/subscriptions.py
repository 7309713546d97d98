"""Subscriptions that were provisioned: who has which plan. A record and no more: nothing is charged or limited."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Protocol

import sqlalchemy as sa

from runner.store.database import Database
from runner.store.tables import subscriptions


@dataclass(frozen=True, slots=True)
class Subscription:
    """One plan of one person, provisioned by a tenant."""

    tenant: str
    email: str
    """Lower case."""
    plan: str
    period: str
    """`monthly` or `annual`."""
    number: int = 0


class Subscriptions(Protocol):
    async def provision(self, wanted: Subscription) -> Subscription:
        """Stores it; the one of the same tenant, email and plan that is there already keeps its number."""
        ...


class SqlSubscriptions:
    """Subscriptions in the database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def provision(self, wanted: Subscription) -> Subscription:
        now = time.time()
        mine = sa.and_(
            subscriptions.c.tenant == wanted.tenant,
            subscriptions.c.email == wanted.email,
            subscriptions.c.plan == wanted.plan,
        )

        def work(connection: sa.Connection) -> int:
            self._db.lock(connection, f"subscriptions of {wanted.tenant}")
            known = connection.scalar(sa.select(subscriptions.c.number).where(mine))
            if known is not None:
                change = subscriptions.update().where(mine).values(period=wanted.period, updated_at=now)
                connection.execute(change)
                return known
            row = subscriptions.insert().values(
                tenant=wanted.tenant,
                email=wanted.email,
                plan=wanted.plan,
                period=wanted.period,
                created_at=now,
                updated_at=now,
            )
            return connection.execute(row.returning(subscriptions.c.number)).scalar_one()

        return replace(wanted, number=await self._db.write(work))


class MemorySubscriptions:
    """Subscriptions for tests: gone with the process."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], Subscription] = {}

    async def provision(self, wanted: Subscription) -> Subscription:
        key = (wanted.tenant, wanted.email, wanted.plan)
        number = self._rows[key].number if key in self._rows else len(self._rows) + 1
        self._rows[key] = replace(wanted, number=number)
        return self._rows[key]
