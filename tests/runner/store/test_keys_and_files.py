"""Keys and the list of files, in memory, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from jobs_support import database_url

from compiler.media import Media
from runner.store.database import Database
from runner.store.files import FileRecord, Files, MemoryFiles, SqlFiles
from runner.store.keys import FRESH_SECONDS, KeyRing, KeyRows, MemoryKeys, Principal, SqlKeys, digest_of

KINDS = ("memory", "sqlite", "postgresql")


@pytest.fixture(params=KINDS)
async def tables(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[KeyRows, Files]]:
    if request.param == "memory":
        yield MemoryKeys(), MemoryFiles()
        return
    with database_url(request.param, tmp_path) as url:
        database = Database(url)
        await database.open()
        yield SqlKeys(database), SqlFiles(database)
        await database.close()


async def test_a_key_lives_from_create_to_revoke(tables: tuple[KeyRows, Files]) -> None:
    rows, _ = tables
    ring = KeyRing(rows)
    key, record = await ring.create("alice")
    admin, _ = await ring.create("ops", admin=True)
    assert key.startswith("ext_")
    assert len(key) == 68
    assert await ring.principal(key) == Principal("alice")
    assert await ring.principal(admin) == Principal("ops", admin=True)
    assert await ring.principal(key[:-1]) is None
    assert [(row.tenant, row.hint) for row in await ring.list()] == [("alice", key[:8]), ("ops", admin[:8])]
    assert await ring.revoke(record.id)
    assert not await ring.revoke(record.id)
    assert await ring.principal(key) is None
    assert await ring.principal(admin) is not None
    assert (await ring.list())[0].revoked_at is not None


async def test_what_is_stored_is_not_the_key(tables: tuple[KeyRows, Files]) -> None:
    rows, _ = tables
    key, _ = await KeyRing(rows).create("alice")
    [record] = await rows.all()
    assert record.digest == digest_of(key)
    assert key[8:] not in repr(record)


@pytest.mark.parametrize("ident", ["", "x", "0" * 12, "%" * 12, "' OR 1=1 --", "é" * 12])
async def test_odd_ids_revoke_nothing(tables: tuple[KeyRows, Files], ident: str) -> None:
    rows, _ = tables
    ring = KeyRing(rows)
    key, _ = await ring.create("alice")
    assert not await ring.revoke(ident)
    assert await ring.principal(key) is not None


async def test_a_key_revoked_elsewhere_ends_within_seconds(tables: tuple[KeyRows, Files]) -> None:
    rows, _ = tables
    now = 100.0
    here, elsewhere = KeyRing(rows, clock=lambda: now), KeyRing(rows)
    key, record = await elsewhere.create("alice")
    assert await here.principal(key)
    await elsewhere.revoke(record.id)
    now += FRESH_SECONDS + 0.1
    assert await here.principal(key) is None


async def test_fixed_keys_need_no_table() -> None:
    ring = KeyRing(MemoryKeys(), [("alice", "ext_a"), ("bob", "ext_b")], ["ext_root"])
    assert await ring.principal("ext_a") == Principal("alice")
    assert await ring.principal("ext_root") == Principal("admin", admin=True)
    assert await ring.principal("ext_c") is None
    assert await ring.principal("\ud800") is None
    assert ring.has_admins
    assert not KeyRing(MemoryKeys()).has_admins


async def test_files_by_tenant(tables: tuple[KeyRows, Files]) -> None:
    _, files = tables
    media = Media("comfyc/abc.png", "image", 64, 48, 3, 12.5, True)
    record = FileRecord("aa.png", "alice", "uploads/x/aa.png", media, "image/png", 2**33, "cat ☃.png")
    await files.add(record)
    await files.add(record)
    assert await files.get("alice", "aa.png") == record
    assert await files.get("bob", "aa.png") is None
    assert await files.get("alice", "bb.png") is None
    await files.remove("uploads/y/aa.png")
    assert await files.get("alice", "aa.png") == record
    await files.remove("uploads/x/aa.png")
    assert await files.get("alice", "aa.png") is None
