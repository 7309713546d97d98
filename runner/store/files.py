"""The list of media that callers gave: a row for each, by tenant and file id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from compiler.media import Media


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One stored medium of one tenant."""

    id: str
    """The file id that the tenant knows."""
    tenant: str
    key: str
    """Its storage key."""
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

    async def by_key(self, key: str) -> FileRecord | None: ...


class MemoryFiles:
    """Files for tests and for the command line: gone with the process."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], FileRecord] = {}

    async def add(self, record: FileRecord) -> None:
        self._rows.setdefault((record.tenant, record.id), record)

    async def get(self, tenant: str, ident: str) -> FileRecord | None:
        return self._rows.get((tenant, ident))

    async def by_key(self, key: str) -> FileRecord | None:
        return next((row for row in self._rows.values() if row.key == key), None)
