"""One database, SQLite or PostgreSQL, behind `read` and `write`: the same code and the same statements on both.

SQLite: one connection writes, in a thread of its own (a write may wait for another process's lock); one reads on the
event loop's thread (in WAL mode a read never waits, and takes some 50 µs, less than a change of thread). PostgreSQL: a
pool of connections, each call in a thread; a lost connection is tried again, for the server may be restarting.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, OperationalError

from runner.store.migrations import migrate

T = TypeVar("T")

PRAGMAS: Final = ("busy_timeout=30000", "foreign_keys=ON", "journal_mode=WAL", "synchronous=NORMAL")
RECONNECT_S: Final = 20.0
"""How long a call rides out a PostgreSQL that restarts."""


def engine_url(url: str) -> sa.URL:
    """The SQLAlchemy URL with our drivers. Raises ValueError for another kind of database."""
    parsed = sa.make_url(url)
    kind = parsed.get_backend_name()
    if kind in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if kind == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed.set(drivername="sqlite")
    raise ValueError(f"{parsed.drivername!r} is not a database that comfyc can use: sqlite:///FILE or postgresql://…")


def sqlite_engine(url: sa.URL, **options: Any) -> sa.Engine:
    """An engine whose connections have our PRAGMAs, and whose transactions take the write lock at their begin."""
    engine = sa.create_engine(url, **options)

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # sqlite3 would begin by itself, and too late for a read before a write
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


class Database:
    """`await open()` first; it makes or updates the tables."""

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self.url = engine_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        if self.sqlite:
            self._engine = sqlite_engine(self.url, pool_size=1, max_overflow=0)
            self._reader = sa.create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=sa.StaticPool)
        else:
            self._engine = sa.create_engine(self.url, pool_size=pool_size, max_overflow=0, pool_pre_ping=True)
            self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._threads = ThreadPoolExecutor(1 if self.sqlite else pool_size, thread_name_prefix="comfyc-db")
        self._reading: sa.Connection | None = None

    async def open(self) -> None:
        """Connects and migrates. Raises SchemaError for a database of a newer comfyc."""
        if self.sqlite and self.url.database:
            await self._call(self._make_folder)

        def first(connection: sa.Connection) -> None:
            self.lock(connection, "comfyc schema")
            migrate(connection)

        await self.write(first)
        if self.sqlite:
            self._reading = self._reader.connect()

    def _make_folder(self) -> None:
        from pathlib import Path

        Path(str(self.url.database)).parent.mkdir(parents=True, exist_ok=True)

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None
        self._reader.dispose()
        await self._call(self._engine.dispose)
        self._threads.shutdown(wait=False)

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Runs `work` on a connection outside a transaction; it must only read."""
        if self._reading is not None:
            return work(self._reading)
        return await self._call(lambda: self._in_pool(lambda: self._read(work)))

    async def write(self, work: Callable[[sa.Connection], T], *, again: bool = True) -> T:
        """Runs `work` in one transaction. `again=False`: it cannot be repeated after a lost connection."""

        def call() -> T:
            return self._write(work)

        if self.sqlite or not again:
            return await self._call(call)
        return await self._call(lambda: self._in_pool(call))

    def lock(self, connection: sa.Connection, name: str) -> None:
        """Holds the named lock until the transaction ends. SQLite has one writer at a time: nothing to do."""
        if not self.sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_lock_key(name))))

    def try_lock(self, connection: sa.Connection, name: str) -> bool:
        """As `lock`, but False at once if another process holds it."""
        if self.sqlite:
            return True
        return bool(connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_lock_key(name)))))

    def now(self) -> sa.ColumnElement[float]:
        """The database's clock as an SQL expression, in seconds since the epoch."""
        if self.sqlite:
            return sa.literal(time.time())  # one machine, one clock
        return sa.cast(sa.func.extract("epoch", sa.func.clock_timestamp()), sa.Double)

    async def _call(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)

    def _read(self, work: Callable[[sa.Connection], T]) -> T:
        with self._reader.connect() as connection:
            return work(connection)

    def _write(self, work: Callable[[sa.Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)

    def _in_pool(self, call: Callable[[], T]) -> T:
        give_up = time.monotonic() + RECONNECT_S
        while True:
            try:
                return call()
            except DBAPIError as error:
                if not error.connection_invalidated and not isinstance(error, OperationalError):
                    raise
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.2)


def _lock_key(name: str) -> int:
    return zlib.crc32(name.encode())
