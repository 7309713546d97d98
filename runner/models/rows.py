"""The table of imported models: a row for each version that a tenant has asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from runner.models.source import ModelFacts
from runner.store.database import Database
from runner.store.tables import models


class ModelState(StrEnum):
    """Where an import stands."""

    IMPORTING = "importing"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Model:
    """One imported model of one tenant."""

    number: int
    """Its id for callers."""
    tenant: str
    state: ModelState
    run: int
    """Number of the durable queue's entry that counts."""
    facts: ModelFacts
    got: int = 0
    """Bytes that have come."""
    error: str = ""
    """Why it failed, or why it is tried again; safe to show."""

    @property
    def progress(self) -> float:
        """0–100."""
        if self.state is ModelState.READY:
            return 100.0
        total = sum(file.size for file in self.facts.files)
        return round(min(99.0, 100.0 * self.got / total), 1) if total else 0.0


class ModelRows:
    """Reads and writes models."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, tenant: str, facts: ModelFacts, anew: Callable[[Model], bool] = lambda model: False) -> Model:
        """A new import; the one that is there already, begun anew if it had failed or `anew` says so."""
        now = time.time()

        def work(connection: sa.Connection) -> Model:
            self._db.lock(connection, f"models of {tenant}")
            where = sa.and_(models.c.tenant == tenant, models.c.version == facts.version)
            known = connection.execute(sa.select(models).where(where)).mappings().first()
            if known is None:
                values = {"tenant": tenant, "version": facts.version, "state": ModelState.IMPORTING.value, "run": 0}
                values |= {"facts": facts.dump(), "got": 0, "error": "", "created_at": now, "updated_at": now}
                number = connection.execute(models.insert().values(values).returning(models.c.number)).scalar_one()
                return Model(number, tenant, ModelState.IMPORTING, 0, facts)
            found = _model(known)
            if found.state is not ModelState.FAILED and not anew(found):
                return found
            values = {"state": ModelState.IMPORTING.value, "run": found.run + 1, "facts": facts.dump(), "error": ""}
            connection.execute(models.update().where(where).values(updated_at=now, **values))
            return Model(found.number, tenant, ModelState.IMPORTING, found.run + 1, facts)

        return await self._db.write(work)

    async def get(self, number: int, tenant: str | None = None) -> Model | None:
        """By number, within one tenant if one is named."""
        if not 0 < number < 2**63:
            return None
        mine = models.c.tenant == tenant if tenant is not None else sa.true()
        return await self._one(sa.and_(models.c.number == number, mine))

    async def version(self, tenant: str, version: int) -> Model | None:
        return await self._one(sa.and_(models.c.tenant == tenant, models.c.version == version))

    async def page(self, tenant: str, number: int, size: int) -> tuple[list[Model], int]:
        """One page of the tenant's models that can be used, newest first, and how many there are; pages from 1."""
        where = sa.and_(models.c.tenant == tenant, models.c.state == ModelState.READY.value)
        query = sa.select(models).where(where).order_by(models.c.number.desc()).limit(size).offset((number - 1) * size)
        total = sa.select(sa.func.count()).select_from(models).where(where)

        def work(connection: sa.Connection) -> tuple[list[Model], int]:
            rows = [_model(row) for row in connection.execute(query).mappings()]
            return rows, connection.scalar(total) or 0

        return await self._db.read(work)

    async def unfinished(self, idle_s: float = 0.0) -> list[Model]:
        """Imports that nobody has written for `idle_s` seconds."""
        query = sa.select(models).where(
            models.c.state == ModelState.IMPORTING.value, models.c.updated_at <= time.time() - idle_s
        )
        return await self._db.read(lambda connection: [_model(row) for row in connection.execute(query).mappings()])

    async def write(self, model: Model, **values: Any) -> bool:
        """Changes a row. False: it has ended, or another run of its task counts."""
        where = (models.c.number == model.number, models.c.run == model.run)
        living = models.c.state == ModelState.IMPORTING.value
        change = models.update().where(*where, living).values(updated_at=time.time(), **values)
        return await self._db.write(lambda connection: connection.execute(change).rowcount == 1)

    async def _one(self, where: sa.ColumnElement[bool]) -> Model | None:
        query = sa.select(models).where(where)
        found = await self._db.read(lambda connection: connection.execute(query).mappings().first())
        return _model(found) if found is not None else None


def _model(found: Any) -> Model:
    return Model(
        found["number"],
        found["tenant"],
        ModelState(found["state"]),
        found["run"],
        ModelFacts.load(found["facts"]),
        found["got"],
        found["error"],
    )
