"""Every medium that is kept, uploads and results alike: its number, its tenant, how long it is kept.

A medium whose time is over is refused at once. Its bytes go a little later, so that a job which took it just before
still finds them; its row goes last, so that a crash in between is made good by the next sweep.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, TypeAlias

import sqlalchemy as sa

from compiler.media import Media
from runner.store.database import Database
from runner.store.tables import media

Clock: TypeAlias = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Entry:
    """One medium of one tenant."""

    tenant: str
    key: str
    """Where it lies in storage."""
    number: int = 0
    """What callers of numeric dialects call it; 0 before it has one."""
    beside: tuple[str, ...] = ()
    """Storage keys of files that go with it."""
    facts: Media | None = None
    """What it is; None for a result that was not used again yet."""
    expires_at: float | None = None
    """Seconds since the epoch; None: kept for ever."""
    removing: bool = False
    """Its bytes are being deleted."""


class Shelf(Protocol):
    """Rows by number, and by storage key."""

    async def put(self, entries: Sequence[Entry]) -> list[Entry]:
        """Adds media and gives them numbers. One that is there already keeps its number and is kept longer, if that is
        asked; one that is being removed comes back with `removing`: wait and try again."""
        ...

    async def renew(self, key: str, expires_at: float | None) -> Entry | None:
        """Keeps a medium at least so long. None: there is none, or it is being removed."""
        ...

    async def find(self, tenant: str, number: int) -> Entry | None: ...

    async def by_key(self, key: str) -> Entry | None: ...

    async def learn(self, number: int, facts: Media) -> None:
        """Stores what a medium is."""
        ...

    async def ended(self, before: float, limit: int = 500) -> list[Entry]:
        """Media whose time was over before then, or whose removal was not finished."""
        ...

    async def removing(self, number: int, before: float) -> bool:
        """Marks a medium whose time was over before then. False: somebody has renewed it."""
        ...

    async def removed(self, entry: Entry) -> None:
        """Forgets a medium whose bytes are gone."""
        ...


def later(one: float | None, other: float | None) -> float | None:
    """The later of two ends; None is never."""
    return None if one is None or other is None else max(one, other)


class SqlShelf:
    """The shelf in the database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def put(self, entries: Sequence[Entry]) -> list[Entry]:
        return await self._db.write(lambda connection: [self._put(connection, one) for one in entries])

    def _put(self, connection: sa.Connection, entry: Entry) -> Entry:
        self._db.lock(connection, f"medium {entry.key}")
        known = connection.execute(sa.select(media).where(media.c.key == entry.key)).mappings().first()
        if known is None:
            values: dict[str, Any] = {
                "tenant": entry.tenant,
                "key": entry.key,
                "beside": list(entry.beside),
                "facts": entry.facts and asdict(entry.facts),
                "created_at": time.time(),
                "expires_at": entry.expires_at,
                "removing": False,
            }
            number = connection.execute(media.insert().values(values).returning(media.c.number)).scalar_one()
            return replace(entry, number=number)
        found = _entry(known)
        return found if found.removing else self._extend(connection, found, entry.expires_at)

    def _extend(self, connection: sa.Connection, found: Entry, expires_at: float | None) -> Entry:
        end = later(found.expires_at, expires_at)
        if end != found.expires_at:
            change = media.update().where(media.c.number == found.number).values(expires_at=end)
            connection.execute(change)
        return replace(found, expires_at=end)

    async def renew(self, key: str, expires_at: float | None) -> Entry | None:
        def work(connection: sa.Connection) -> Entry | None:
            self._db.lock(connection, f"medium {key}")
            known = connection.execute(sa.select(media).where(media.c.key == key)).mappings().first()
            found = _entry(known) if known is not None else None
            return self._extend(connection, found, expires_at) if found and not found.removing else None

        return await self._db.write(work)

    async def find(self, tenant: str, number: int) -> Entry | None:
        if not 0 < number < 2**63:
            return None  # no number to a database
        return await self._one(sa.and_(media.c.number == number, media.c.tenant == tenant))

    async def by_key(self, key: str) -> Entry | None:
        return await self._one(media.c.key == key)

    async def learn(self, number: int, facts: Media) -> None:
        change = media.update().where(media.c.number == number).values(facts=asdict(facts))
        await self._db.write(lambda connection: connection.execute(change))

    async def ended(self, before: float, limit: int = 500) -> list[Entry]:
        query = sa.select(media).where(media.c.expires_at < before).order_by(media.c.expires_at).limit(limit)
        return await self._db.read(lambda connection: [_entry(one) for one in connection.execute(query).mappings()])

    async def removing(self, number: int, before: float) -> bool:
        def work(connection: sa.Connection) -> bool:
            key = connection.scalar(sa.select(media.c.key).where(media.c.number == number))
            self._db.lock(connection, f"medium {key}")
            change = media.update().where(media.c.number == number, media.c.expires_at < before)
            return connection.execute(change.values(removing=True)).rowcount == 1

        return await self._db.write(work)

    async def removed(self, entry: Entry) -> None:
        change = media.delete().where(media.c.number == entry.number)
        await self._db.write(lambda connection: connection.execute(change))

    async def _one(self, where: sa.ColumnElement[bool]) -> Entry | None:
        query = sa.select(media).where(where)
        found = await self._db.read(lambda connection: connection.execute(query).mappings().first())
        return _entry(found) if found is not None else None


def _entry(found: Any) -> Entry:
    return Entry(
        found["tenant"],
        found["key"],
        found["number"],
        tuple(found["beside"]),
        Media(**found["facts"]) if found["facts"] else None,
        found["expires_at"],
        bool(found["removing"]),
    )


class MemoryShelf:
    """The shelf for tests and for the command line: gone with the process."""

    def __init__(self) -> None:
        self._rows: dict[str, Entry] = {}
        self._last = 0

    async def put(self, entries: Sequence[Entry]) -> list[Entry]:
        return [await self.renew(one.key, one.expires_at) or self._add(one) for one in entries]

    def _add(self, entry: Entry) -> Entry:
        known = self._rows.get(entry.key)
        if known is not None:
            return known  # being removed
        self._last += 1
        self._rows[entry.key] = replace(entry, number=self._last)
        return self._rows[entry.key]

    async def renew(self, key: str, expires_at: float | None) -> Entry | None:
        known = self._rows.get(key)
        if known is None or known.removing:
            return None
        self._rows[key] = replace(known, expires_at=later(known.expires_at, expires_at))
        return self._rows[key]

    async def find(self, tenant: str, number: int) -> Entry | None:
        found = self._number(number)
        return found if found and found.tenant == tenant else None

    async def by_key(self, key: str) -> Entry | None:
        return self._rows.get(key)

    async def learn(self, number: int, facts: Media) -> None:
        if found := self._number(number):
            self._rows[found.key] = replace(found, facts=facts)

    async def ended(self, before: float, limit: int = 500) -> list[Entry]:
        over = [one for one in self._rows.values() if one.expires_at is not None and one.expires_at < before]
        return sorted(over, key=lambda one: one.expires_at or 0.0)[:limit]

    async def removing(self, number: int, before: float) -> bool:
        found = self._number(number)
        if found is None or found.expires_at is None or found.expires_at >= before:
            return False
        self._rows[found.key] = replace(found, removing=True)
        return True

    async def removed(self, entry: Entry) -> None:
        self._rows.pop(entry.key, None)

    def _number(self, number: int) -> Entry | None:
        return next((row for row in self._rows.values() if row.number == number), None)
