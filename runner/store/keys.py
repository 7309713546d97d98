"""API keys: who a bearer token speaks for.

A key is 256 random bits, so its plain SHA-256 is what is stored: it cannot be guessed back, and the look-up by digest
takes the same time for every wrong key. The key itself is shown once, when it is made.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeAlias

import sqlalchemy as sa

from runner.store.database import Database
from runner.store.tables import api_keys

Clock: TypeAlias = Callable[[], float]
PREFIX: Final = "ext_"
FRESH_SECONDS: Final = 5.0
"""How long a key is believed without asking the database again: the longest that a revoked key still works."""
ID_DIGITS: Final = 12
MAX_CACHED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking."""

    tenant: str
    admin: bool = False


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A stored key: everything but the key."""

    digest: str
    """SHA-256 of the key, hex."""
    tenant: str
    hint: str
    """The key's first characters, for people."""
    created_at: datetime
    revoked_at: datetime | None = None
    admin: bool = False
    """May read operator pages."""

    @property
    def id(self) -> str:
        """Short and public, for `revoke`."""
        return self.digest[:ID_DIGITS]


class KeyRows(Protocol):
    """The table of keys."""

    async def add(self, record: KeyRecord) -> None: ...

    async def by_digest(self, digest: str) -> KeyRecord | None:
        """The key that has this digest, unless it is revoked."""
        ...

    async def all(self) -> list[KeyRecord]:
        """Every key, oldest first."""
        ...

    async def revoke(self, ident: str, at: datetime) -> bool:
        """By the record's id. False if there is no such key, or it is revoked already."""
        ...


class SqlKeys:
    """KeyRows in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: KeyRecord) -> None:
        values = {
            "hash": record.digest,
            "tenant": record.tenant,
            "hint": record.hint,
            "admin": record.admin,
            "created_at": record.created_at.timestamp(),
        }
        await self._database.write(lambda connection: connection.execute(api_keys.insert().values(values)))

    async def by_digest(self, digest: str) -> KeyRecord | None:
        query = api_keys.select().where(api_keys.c.hash == digest, api_keys.c.revoked_at.is_(None))
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else _record(row)

    async def all(self) -> list[KeyRecord]:
        query = api_keys.select().order_by(api_keys.c.created_at)
        return [_record(row) for row in await self._database.read(lambda connection: connection.execute(query).all())]

    async def revoke(self, ident: str, at: datetime) -> bool:
        if len(ident) != ID_DIGITS or not ident.isalnum():
            return False
        living = api_keys.c.hash.startswith(ident), api_keys.c.revoked_at.is_(None)
        change = api_keys.update().where(*living).values(revoked_at=at.timestamp())
        return await self._database.write(lambda connection: connection.execute(change).rowcount > 0)


def _record(row: sa.Row[Any]) -> KeyRecord:
    at = row.revoked_at
    revoked = None if at is None else datetime.fromtimestamp(at, UTC)
    return KeyRecord(row.hash, row.tenant, row.hint, datetime.fromtimestamp(row.created_at, UTC), revoked, row.admin)


class MemoryKeys:
    """KeyRows for tests: gone with the process."""

    def __init__(self) -> None:
        self._rows: dict[str, KeyRecord] = {}

    async def add(self, record: KeyRecord) -> None:
        self._rows[record.id] = record

    async def by_digest(self, digest: str) -> KeyRecord | None:
        return next((row for row in self._rows.values() if row.digest == digest and row.revoked_at is None), None)

    async def all(self) -> list[KeyRecord]:
        return list(self._rows.values())

    async def revoke(self, ident: str, at: datetime) -> bool:
        row = self._rows.get(ident)
        if row is None or row.revoked_at is not None:
            return False
        self._rows[ident] = replace(row, revoked_at=at)
        return True


def digest_of(key: str) -> str:
    """SHA-256 of a key, hex."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key(tenant: str, prefix: str = PREFIX, *, admin: bool = False) -> tuple[str, KeyRecord]:
    """A fresh key and the record of it."""
    key = prefix + secrets.token_hex(32)
    return key, KeyRecord(digest_of(key), tenant, key[: len(prefix) + 4], datetime.now(UTC), admin=admin)


class KeyRing:
    """Tells the tenant of a key: fixed keys from the settings, and those of the table.

    `fixed`: (tenant, key) pairs; `admins`: keys that may read operator pages, as tenant `admin`.
    """

    def __init__(
        self,
        rows: KeyRows,
        fixed: Iterable[tuple[str, str]] = (),
        admins: Iterable[str] = (),
        clock: Clock = time.monotonic,
    ) -> None:
        self._rows, self._clock = rows, clock
        self.has_admins = bool(admins := tuple(admins))
        self._fixed: Mapping[str, Principal] = {
            **{digest_of(key): Principal(tenant) for tenant, key in fixed},
            **{digest_of(key): Principal("admin", admin=True) for key in admins},
        }
        self._fresh: dict[str, tuple[float, Principal]] = {}

    async def principal(self, key: str) -> Principal | None:
        """Who holds this key; None for an unknown or revoked one."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        fixed = self._fixed.get(digest)
        if fixed is not None:
            return fixed
        known = self._fresh.get(digest)
        if known is not None and self._clock() - known[0] < FRESH_SECONDS:
            return known[1]
        row = await self._rows.by_digest(digest)
        if row is None or not hmac.compare_digest(row.digest, digest):
            self._fresh.pop(digest, None)
            return None
        if len(self._fresh) >= MAX_CACHED:
            self._fresh.clear()
        found = Principal(row.tenant, row.admin)
        self._fresh[digest] = (self._clock(), found)
        return found

    async def create(self, tenant: str, prefix: str = PREFIX, *, admin: bool = False) -> tuple[str, KeyRecord]:
        """Makes a key for a tenant; the first of the pair is shown now and never again."""
        key, record = new_key(tenant, prefix, admin=admin)
        await self._rows.add(record)
        return key, record

    async def list(self) -> list[KeyRecord]:
        """Every key of the table, oldest first."""
        return await self._rows.all()

    async def revoke(self, ident: str) -> bool:
        """Ends a key; False if there is no such living key. Other processes follow within FRESH_SECONDS."""
        self._fresh.clear()
        return await self._rows.revoke(ident, datetime.now(UTC))
