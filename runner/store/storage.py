"""Bytes by key: uploaded media and results. A protocol, and the local folder that keeps it."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import IO, Final, Protocol

from anyio.to_thread import run_sync

CHUNK: Final = 256 * 1024
CONTENT_TYPES: Final = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
}
"""What a key's ending is served as. Anything else is served as bytes to download, so no stored file acts as a page."""
KEY_PART: Final = re.compile(r"(?!\.)[\w.\- ]{1,200}(?<![. ])", re.ASCII)


class StorageError(Exception):
    """The store cannot be read or written; the message names no path."""


class NotStored(StorageError):
    """No file has this key."""


class BadKey(StorageError):
    """The key is not one that we make: empty, absolute, too long, or with odd characters."""


class Storage(Protocol):
    """Files by key, `<folder>/<name>` of ASCII letters, digits, `.`, `-`, `_` and spaces. Raises only StorageError."""

    async def put(self, key: str, data: bytes | AsyncIterator[bytes]) -> int:
        """Stores a file whole or not at all, replacing what the key had. Returns its size in bytes."""
        ...

    def open(self, key: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start`, at most `length` of them, in pieces. NotStored is raised by the first piece."""
        ...

    async def size(self, key: str) -> int:
        """Size in bytes, or NotStored."""
        ...

    async def delete(self, key: str) -> bool:
        """Removes a file; False if there was none."""
        ...


def check_key(key: str) -> str:
    """The key itself, or BadKey: every part must be plain, so a key never leaves its store."""
    parts = key.split("/")
    if len(key) > 500 or len(parts) > 6 or not all(KEY_PART.fullmatch(part) for part in parts):
        raise BadKey("not a storage key")
    return key


def content_type(key: str) -> str:
    """The content type a key is served with."""
    return CONTENT_TYPES.get(PurePosixPath(key).suffix.lower(), "application/octet-stream")


async def read(storage: Storage, key: str) -> bytes:
    """A whole file: for uploads to an engine, not for serving."""
    return b"".join([piece async for piece in storage.open(key)])


class LocalStorage:
    """Storage in a folder. A write goes to a temporary file beside its target, is synced, then renamed."""

    def __init__(self, root: Path, *, synced: bool = True) -> None:
        """`synced=False` leaves it to the system when bytes reach the disk: for results that nobody relies on after a
        power cut."""
        self.root = root
        self._synced = synced

    async def put(self, key: str, data: bytes | AsyncIterator[bytes]) -> int:
        path = self._path(key)
        try:
            if isinstance(data, bytes):
                return await run_sync(self._put, path, data)
            return await self._put_pieces(path, data)
        except OSError as error:
            raise StorageError(f"the media store cannot be written ({error.strerror})") from error

    def _put(self, path: Path, data: bytes) -> int:
        part, file = _create(path)
        try:
            file.write(data)
            return _finish(file, part, path, self._synced)
        finally:
            file.close()
            part.unlink(missing_ok=True)

    async def _put_pieces(self, path: Path, pieces: AsyncIterator[bytes]) -> int:
        part, file = await run_sync(_create, path)
        try:
            async for piece in pieces:
                await run_sync(file.write, piece)
            return await run_sync(_finish, file, part, path, self._synced)
        finally:
            file.close()
            part.unlink(missing_ok=True)

    async def open(self, key: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        try:
            file = await run_sync(_open_at, self._path(key), start)
        except (FileNotFoundError, IsADirectoryError) as error:
            raise NotStored("no such file") from error
        with file:
            left = length
            while left is None or left > 0:
                piece = await run_sync(file.read, CHUNK if left is None else min(CHUNK, left))
                if not piece:
                    return
                left = None if left is None else left - len(piece)
                yield piece

    async def size(self, key: str) -> int:
        path = self._path(key)
        try:
            if path.is_file():
                return path.stat().st_size
        except OSError:
            pass
        raise NotStored("no such file")

    async def delete(self, key: str) -> bool:
        try:
            await run_sync(self._path(key).unlink)
        except (FileNotFoundError, IsADirectoryError):
            return False
        except OSError as error:
            raise StorageError(f"the media store cannot be written ({error.strerror})") from error
        return True

    def _path(self, key: str) -> Path:
        return self.root.joinpath(*check_key(key).split("/"))


def _create(path: Path) -> tuple[Path, IO[bytes]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{secrets.token_hex(8)}.part")  # no key starts a part with a dot
    return part, part.open("xb")


def _finish(file: IO[bytes], part: Path, path: Path, synced: bool) -> int:
    file.flush()
    if synced:
        os.fsync(file.fileno())
    size = file.tell()
    file.close()
    part.replace(path)
    return size


def _open_at(path: Path, start: int) -> IO[bytes]:
    file = path.open("rb")
    file.seek(start)
    return file
