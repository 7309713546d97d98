"""The local folder keeps the promises of Storage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runner.store.storage import CHUNK, BadKey, LocalStorage, NotStored, StorageError, check_key, content_type, read


async def test_put_and_open(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "deep" / "er")
    data = bytes(range(256)) * (CHUNK // 128)
    assert await storage.put("job/a.png", data) == len(data)
    assert await read(storage, "job/a.png") == data
    assert await storage.size("job/a.png") == len(data)
    assert b"".join([piece async for piece in storage.open("job/a.png", 250, 10)]) == data[250:260]
    assert b"".join([piece async for piece in storage.open("job/a.png", len(data) - 3)]) == data[-3:]
    assert [piece async for piece in storage.open("job/a.png", 5, 0)] == []


async def test_replacing_and_deleting(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    await storage.put("a", b"one")
    await storage.put("a", b"two")
    assert await read(storage, "a") == b"two"
    assert await storage.delete("a")
    assert not await storage.delete("a")
    with pytest.raises(NotStored):
        await storage.size("a")
    with pytest.raises(NotStored):
        await read(storage, "a")


async def test_a_write_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    await storage.put("job/a", b"old")

    async def broken() -> AsyncIterator[bytes]:
        yield b"new"
        raise ConnectionError

    with pytest.raises(StorageError):
        await storage.put("job/a", broken())
    assert await read(storage, "job/a") == b"old"
    assert [path.name for path in (tmp_path / "job").iterdir()] == ["a"]


async def test_a_reader_sees_one_version_while_writers_race(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    versions = [bytes([letter]) * 100_000 for letter in b"abcdef"]
    await asyncio.gather(*(storage.put("x", version) for version in versions))
    assert await read(storage, "x") in versions


@pytest.mark.parametrize(
    "key",
    ["", "/etc/passwd", "..", "../x", "a/../b", "a//b", "a/", ".hidden", "a/.b", "a\\b", "a\0b", "c:x", "ä", "a.", "a ",
     "x" * 201, "a/b/c/d/e/f/g", "a\n"],
)  # fmt: skip
async def test_odd_keys_are_refused(tmp_path: Path, key: str) -> None:
    storage = LocalStorage(tmp_path)
    with pytest.raises(BadKey):
        await storage.put(key, b"x")
    with pytest.raises(BadKey):
        await storage.size(key)
    with pytest.raises(BadKey):
        await read(storage, key)


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    await storage.put("job/a", b"x")
    with pytest.raises(NotStored):
        await storage.size("job")
    with pytest.raises(NotStored):
        await read(storage, "job")
    with pytest.raises(StorageError, match="cannot be written"):
        await storage.put("job", b"x")


def test_content_types_never_make_a_page() -> None:
    assert content_type("job/a.PNG") == "image/png"
    assert content_type("a.html") == content_type("a.svg") == content_type("a") == "application/octet-stream"
    assert check_key("3f2a/ComfyUI_00001_.mp4")
