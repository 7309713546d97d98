"""The outbox: a webhook is written in the transaction that ends its job, so none is lost and none is told too early."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from runner.job import Job
from runner.store.database import Database
from runner.store.tables import outbox


class Delivery(StrEnum):
    """Where a webhook stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"  # every try failed, or one never can succeed; kept for the operator


@dataclass(frozen=True, slots=True)
class Message:
    """One webhook. `id` is the `webhook-id` that every try of it carries."""

    id: str
    job_id: str
    tenant: str
    url: str
    token: str
    state: Delivery
    tries: int
    error: str
    created_at: float


def insert(connection: sa.Connection, job: Job, now: float) -> None:
    """Adds the webhook of a job that ends in this transaction, if it wants one."""
    if job.callback is None:
        return
    connection.execute(
        outbox.insert().values(
            id=f"msg_{job.id}",  # one message for a job: its end comes once
            job_id=job.id,
            tenant=job.tenant,
            url=job.callback.url,
            token=job.callback.token,
            state=Delivery.PENDING.value,
            tries=0,
            error="",
            created_at=now,
            updated_at=now,
        )
    )


class Outbox:
    """Reads and writes webhooks."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def get(self, message_id: str) -> Message | None:
        found = await self._all(sa.select(outbox).where(outbox.c.id == message_id))
        return _message(found[0]) if found else None

    async def pending(self, *, idle_s: float = 0.0, limit: int = 1000) -> list[Message]:
        """Undelivered messages that nobody has tried for `idle_s` seconds, oldest first."""
        query = sa.select(outbox).where(
            outbox.c.state == Delivery.PENDING.value, outbox.c.updated_at <= time.time() - idle_s
        )
        return [_message(found) for found in await self._all(query.order_by(outbox.c.updated_at).limit(limit))]

    async def tried(self, message: Message, state: Delivery, error: str = "") -> None:
        """Stores the result of one more try. A message that was delivered or given up stays so."""
        where = (outbox.c.id == message.id, outbox.c.state == Delivery.PENDING.value)
        values = {"state": state.value, "tries": message.tries + 1, "error": error, "updated_at": time.time()}
        await self._db.write(lambda connection: connection.execute(outbox.update().where(*where).values(values)))

    async def skip(self, message: Message) -> None:
        """Counts a try whose task was lost, so that the next has a number of its own."""
        where = (outbox.c.id == message.id, outbox.c.tries == message.tries)
        values = {"tries": message.tries + 1, "updated_at": time.time()}
        await self._db.write(lambda connection: connection.execute(outbox.update().where(*where).values(values)))

    async def count(self) -> dict[str, int]:
        """Messages by state."""
        query = sa.select(outbox.c.state, sa.func.count()).group_by(outbox.c.state)
        found = await self._db.read(lambda connection: connection.execute(query).all())
        return {str(state): int(number) for state, number in found}

    async def _all(self, query: sa.Select[Any]) -> list[Mapping[Any, Any]]:
        return await self._db.read(lambda connection: list(connection.execute(query).mappings().all()))


def _message(found: Mapping[Any, Any]) -> Message:
    return Message(
        found["id"],
        found["job_id"],
        found["tenant"],
        found["url"],
        found["token"],
        Delivery(found["state"]),
        found["tries"],
        found["error"],
        found["created_at"],
    )
