"""The list of media that callers gave: a row for each, by tenant and file id."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from compiler.media import Media
from runner.store.database import Database
from runner.store.tables import files


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One stored medium of one tenant."""

    id: str
    """The file id that the tenant knows."""
    tenant: str
    key: str
    """Its storage key; the last part is the id."""
    media: Media
    content_type: str
    size: int
    """Bytes."""
    filename: str = ""
    """What the caller called it; for people, never for a path."""


class Files(Protocol):
    """Rows by (tenant, id). Adding a row that is there already changes nothing."""

    async def add(self, record: FileRecord) -> None: ...

    async def get(self, tenant: str, ident: str) -> FileRecord | None: ...

    async def remove(self, key: str) -> None:
        """Forgets the file that lay under a storage key, if there was one."""
        ...


class SqlFiles:
    """Files in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: FileRecord) -> None:
        values = {
            "id": record.id,
            "tenant": record.tenant,
            "key": record.key,
            "name": record.filename,
            "content_type": record.content_type,
            "size": record.size,
            "media": asdict(record.media),
            "created_at": time.time(),
        }
        insert = sqlite.insert if self._database.sqlite else postgresql.insert
        change = insert(files).values(values).on_conflict_do_nothing()
        await self._database.write(lambda connection: connection.execute(change))

    async def get(self, tenant: str, ident: str) -> FileRecord | None:
        return await self._one(files.c.id == ident, files.c.tenant == tenant)

    async def remove(self, key: str) -> None:
        change = files.delete().where(files.c.id == key.rpartition("/")[2], files.c.key == key)
        await self._database.write(lambda connection: connection.execute(change))

    async def _one(self, *where: sa.ColumnElement[bool]) -> FileRecord | None:
        query = files.select().where(*where)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return None
        return FileRecord(row.id, row.tenant, row.key, Media(**row.media), row.content_type, row.size, row.name)


class MemoryFiles:
    """Files for tests and for the command line: gone with the process."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], FileRecord] = {}

    async def add(self, record: FileRecord) -> None:
        self._rows.setdefault((record.tenant, record.id), record)

    async def get(self, tenant: str, ident: str) -> FileRecord | None:
        return self._rows.get((tenant, ident))

    async def remove(self, key: str) -> None:
        self._rows = {ident: row for ident, row in self._rows.items() if row.key != key}
