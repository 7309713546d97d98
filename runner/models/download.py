"""A file from a URL to a folder: goes on where it was cut, is checked, and appears under its name only when whole."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

import httpx2
from anyio.to_thread import run_sync

from compiler.errors import Fault, RequestError
from runner.models.safetensors import NotSafetensors, check_safetensors
from runner.models.source import SourceAway, check_answer
from runner.store.guard import AddressRefused, Guard

PART: Final = ".part"
"""Behind the name of a file that is not whole: no loader lists such a name."""
MB: Final = 1_000_000
SILENCE_S: Final = 60.0
"""How long the other side may send nothing."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to have."""

    url: str
    target: Path
    sha256: str = ""
    """Lower case; empty: whatever it is."""
    field: str = "model"
    """What messages name."""


class Downloader:
    """Fetches files through the guard. `trusted` is the address whose requests carry `headers`, and no other's."""

    def __init__(self, guard: Guard, trusted: str, headers: Mapping[str, str], limit: int) -> None:
        """`limit`: largest file, bytes."""
        self._guard, self._trusted, self._headers, self._limit = guard, urlsplit(trusted).netloc, headers, limit

    async def fetch(self, wanted: Wanted, told: Callable[[int], object] = lambda got: None) -> None:
        """Brings the file. `told` hears how many bytes have come. A file that is there already is left as it is.

        Errors: RequestError if it is not what it should be, SourceAway if trying again may help. What has come is kept
        for the next try, unless it was wrong.
        """
        if wanted.target.exists():
            return
        async with _part(wanted.target) as part:
            before = part.tell()
            await self._stream(wanted, part, told)
            try:
                await run_sync(_finish, wanted, part)
            except _Wrong as error:
                part.truncate(0)
                if before:  # two halves that do not belong together: the other side has another file now
                    raise SourceAway("The file has changed at the source.") from error
                raise RequestError(Fault(wanted.field, str(error), error.cure, "broken")) from error

    async def _stream(self, wanted: Wanted, part: IO[bytes], told: Callable[[int], object]) -> None:
        got = part.tell()
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={got}-"} if got else {})}
        if urlsplit(wanted.url).netloc == self._trusted:
            headers |= self._headers  # the client drops Authorization where it is sent on to another host
        try:
            async with (
                self._guard.guarded_client(timeout=SILENCE_S, follow_redirects=True) as client,
                client.stream("GET", wanted.url, headers=headers) as response,
            ):
                if response.status_code == 416 and got:  # nothing is left to send
                    return
                check_answer(response, "the file", wanted.field)
                if response.status_code == 200 and got:  # the other side cannot go on in the middle
                    part.truncate(0)
                    got = 0
                async for piece in response.aiter_raw():
                    got += len(piece)
                    if got > self._limit:
                        part.truncate(0)
                        raise _too_large(wanted, self._limit)
                    await run_sync(part.write, piece)
                    told(got)
        except AddressRefused as error:
            cure = "The source leads to a private address; the operator may allow it in COMFYC_ALLOW_HOSTS"
            raise RequestError(Fault(wanted.field, "cannot be fetched", cure, "bad_url")) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise SourceAway("The download was cut off. Try again later.") from error


class _Wrong(Exception):
    """The file is whole, and is not the one that was wanted."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(what)
        self.cure = cure


def _too_large(wanted: Wanted, limit: int) -> RequestError:
    return RequestError(Fault(wanted.field, f"is larger than {limit // MB} MB", "Choose a smaller model", "too_large"))


@asynccontextmanager
async def _part(target: Path) -> AsyncGenerator[IO[bytes]]:
    """The unfinished file, open at its end, and nobody else's meanwhile. Errors: SourceAway."""
    target.parent.mkdir(parents=True, exist_ok=True)
    file = target.with_name(target.name + PART).open("ab")
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SourceAway("The file is being downloaded already.") from error
        yield file
    finally:
        file.close()


def sha256_of(path: Path) -> str:
    """Lower case. Errors: OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _finish(wanted: Wanted, part: IO[bytes]) -> None:
    """Checks the whole file and gives it its name. Errors: _Wrong, OSError."""
    part.flush()
    os.fsync(part.fileno())
    path = wanted.target.with_name(wanted.target.name + PART)
    if wanted.sha256:
        found = sha256_of(path)
        if found != wanted.sha256:
            raise _Wrong(f"has the SHA-256 {found}, not {wanted.sha256}", "Check the hash, or import another version")
    try:
        check_safetensors(path)
    except NotSafetensors as error:
        raise _Wrong(str(error), "Only .safetensors files are taken") from error
    path.replace(wanted.target)
