"""Media come in four ways, are kept by tenant, and are known by content."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pictures import SAMPLES, picture, turned, video

import runner.store.media as media_module
from compiler.errors import RequestError
from compiler.media import Media, MediaRef
from runner.store.files import MemoryFiles
from runner.store.guard import Guard
from runner.store.media import MediaStore
from runner.store.storage import LocalStorage, read


def store(folder: Path, *, allow_paths: bool = False) -> MediaStore:
    return MediaStore(LocalStorage(folder), MemoryFiles(), Guard(("127.0.0.1",)), allow_paths=allow_paths)


async def test_an_upload_is_found_again(tmp_path: Path) -> None:
    media = store(tmp_path)
    ident = await media.add("alice", turned(), "me.jpeg")
    found = await media.resolve("alice", MediaRef("file_id", ident))
    assert found.media == Media(found.media.name, "image", 48, 64)
    assert found.media.name.startswith("comfyc/")
    assert found.media.name.endswith(".jpg")
    assert await read(LocalStorage(tmp_path), found.key) == turned()


async def test_the_same_bytes_are_one_file(tmp_path: Path) -> None:
    media = store(tmp_path)
    first, again = await media.add("alice", picture(), "a.png"), await media.add("alice", picture(), "b.png")
    other = await media.add("bob", picture(), "a.png")
    assert first == again != other
    ours = await media.resolve("alice", MediaRef("x", first))
    theirs = await media.resolve("bob", MediaRef("x", other))
    assert ours.media == theirs.media  # an engine sees content only
    assert ours.key != theirs.key


async def test_a_tenant_has_only_its_own(tmp_path: Path) -> None:
    media = store(tmp_path)
    ident = await media.add("alice", picture())
    with pytest.raises(RequestError, match=r"file_id: no file '[0-9a-f]{32}\.png' was uploaded"):
        await media.resolve("bob", MediaRef("file_id", ident))


async def test_only_the_types_that_are_wanted(tmp_path: Path) -> None:
    media = store(tmp_path)
    with pytest.raises(RequestError, match=r"file: is WEBP\. Send PNG or JPG"):
        await media.add("alice", picture("WEBP"), "x.png", endings=("png", "jpg"))
    assert (await media.add("alice", picture("WEBP"))).endswith(".webp")


async def test_the_kind_must_fit(tmp_path: Path) -> None:
    media = store(tmp_path)
    ident = await media.add("alice", video())
    assert (await media.resolve("alice", MediaRef("v", ident, "video"))).media.frames == 8
    with pytest.raises(RequestError, match=r"file_id: is a video\. It must be of the kind image"):
        await media.resolve("alice", MediaRef("file_id", ident))
    assert await media.resolve("alice", MediaRef("mask", await media.add("alice", picture()), "mask"))


async def test_data_uris(tmp_path: Path) -> None:
    media = store(tmp_path)
    data = base64.b64encode(picture()).decode()
    for uri in (f"data:image/png;base64,{data}", f"data:;base64,{data}", f"data:x/y;a=b;base64,{data}"):
        assert (await media.resolve("alice", MediaRef("x", uri))).media.width == 64
    for uri in ("data:", "data:image/png", "data:image/png;base64,%%%", "data:image/png;base64,AAA"):
        with pytest.raises(RequestError, match="x: is a broken data URI"):
            await media.resolve("alice", MediaRef("x", uri))
    with pytest.raises(RequestError, match="x: is no picture"):
        await media.resolve("alice", MediaRef("x", "data:text/plain,hello%20world"))


async def test_local_paths_only_where_they_are_allowed(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(picture())
    with pytest.raises(RequestError, match="is no http or https URL"):
        await store(tmp_path / "s").resolve("alice", MediaRef("file_id", str(path)))
    media = store(tmp_path / "s", allow_paths=True)
    found = await media.resolve("alice", MediaRef("file_id", str(path)))
    assert found.media.width == 64
    path.unlink()
    assert await read(LocalStorage(tmp_path / "s"), found.key) == picture()
    with pytest.raises(RequestError, match="cannot be read"):
        await media.resolve("alice", MediaRef("file_id", str(path)))
    with pytest.raises(RequestError, match="cannot be read"):
        await media.resolve("alice", MediaRef("file_id", "nul\0path"))


async def test_urls(tmp_path: Path) -> None:
    media = store(tmp_path)
    async with server() as base:
        found = await media.resolve("alice", MediaRef("x", f"{base}/cat.png"))
        assert found.media.width == 64
        assert (await media.resolve("alice", MediaRef("x", f"{base}/redirect"))).key == found.key
        for path, why in (("missing", "answered 404"), ("text", "is no picture"), ("hang-up", "could not be fetched")):
            with pytest.raises(RequestError, match=f"x: {why}"):
                await media.resolve("alice", MediaRef("x", f"{base}/{path}"))
    with pytest.raises(RequestError, match="could not be fetched"):
        await media.resolve("alice", MediaRef("x", f"{base}/cat.png"))


async def test_private_urls(tmp_path: Path) -> None:
    media = store(tmp_path)
    with pytest.raises(RequestError, match="x: names a host of a private network"):
        await media.resolve("alice", MediaRef("x", "http://[::1]/cat.png"))
    async with server() as base:
        with pytest.raises(RequestError, match="x: leads to a host of a private network"):
            await media.resolve("alice", MediaRef("x", f"{base}/inside"))


async def test_endless_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_module, "MAX_FETCH", 100_000)
    async with server() as base:
        with pytest.raises(RequestError, match="x: is larger than"):
            await store(tmp_path).resolve("alice", MediaRef("x", f"{base}/endless"))


async def test_slow_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_module, "FETCH_SECONDS", 0.1)
    async with server() as base:
        with pytest.raises(RequestError, match="x: could not be fetched"):
            await store(tmp_path).resolve("alice", MediaRef("x", f"{base}/slow"))


async def test_many_uploads_at_once(tmp_path: Path) -> None:
    media = store(tmp_path)
    samples = [SAMPLES[name]() for name in ("png", "jpg", "rgba.png", "webp", "gif")] * 4
    idents = await asyncio.gather(*(media.add("alice", data) for data in samples))
    assert len(set(idents)) == 5


@asynccontextmanager
async def server() -> AsyncIterator[str]:
    """Answers with a picture, a text, a redirect, or badly, by path."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode().strip("/")
            body = picture() if path == "cat.png" else b"a text"
            head = {
                "missing": "404 Not Found",
                "redirect": f"302 Found\r\nLocation: {base}/cat.png",
                "inside": "302 Found\r\nLocation: http://[::1]:1/cat.png",
            }.get(path, "200 OK")
            if path == "slow":
                await asyncio.sleep(5)
            length = 10**9 if path in ("endless", "hang-up") else len(body)
            writer.write(f"HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n".encode())
            writer.write(body * 100_000 if path == "endless" else body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield base
