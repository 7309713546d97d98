"""Media that callers give: uploaded, fetched from a URL, written as a data URI, or (on the command line) local files.

Whatever the way in, the bytes are probed, stored once under a key that only their tenant's files have, and from then
on known by that key: what a URL holds later does not change a job.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

import anyio
import httpx2
from anyio.to_thread import run_sync

from compiler.errors import Fault, RequestError
from compiler.media import Media, MediaRef
from runner.store.files import FileRecord, Files
from runner.store.guard import AddressRefused, Guard
from runner.store.probe import Facts, Unreadable, probe
from runner.store.retention import Lifetimes
from runner.store.shelf import Entry, MemoryShelf, Shelf
from runner.store.storage import NotStored, Storage, read

NUMBER: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
FILE_ID: Final = re.compile(r"[0-9a-f]{32}\.[a-z0-9]{2,5}")
MB: Final = 1_000_000
MAX_UPLOAD: Final = 10 * 1024 * 1024
"""Largest upload, bytes: the ext contract's 10MB."""
MAX_FETCH: Final = 100 * MB
"""Largest medium fetched from a URL, bytes."""
FETCH_SECONDS: Final = 60.0
REMOVAL_S: Final = 0.1
"""Between looks at a medium that is being removed while the same bytes come again."""
DATA_URI: Final = re.compile(r"data:[\w.+-]*/?[\w.+-]*(?:;[\w-]+=[^;,]*)*(;base64)?,", re.ASCII)


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """A medium in our storage: where it lies, and what it is."""

    key: str
    media: Media
    number: int = 0
    """What callers of numeric dialects call it."""


class MediaStore:
    """Takes media in and finds each tenant's own. `allow_paths`: references may be local files (the CLI).

    `dialect` is in each call whom the medium is for: it says how long a new one is kept.
    """

    def __init__(
        self,
        storage: Storage,
        files: Files,
        guard: Guard,
        shelf: Shelf | None = None,
        lifetimes: Lifetimes | None = None,
        *,
        allow_paths: bool = False,
    ) -> None:
        self._storage, self._files, self._guard, self._allow_paths = storage, files, guard, allow_paths
        self._shelf, self._lifetimes = shelf or MemoryShelf(), lifetimes or Lifetimes()
        self._decoders = anyio.CapacityLimiter(2)  # a picture of the largest size takes 256 MB to decode

    async def add(
        self, tenant: str, data: bytes, filename: str = "", *, endings: Collection[str] = (), dialect: str = ""
    ) -> str:
        """Stores an upload and returns its file id, `<32 hex digits>.<ending>`; the same bytes give the same id.

        `endings`: the only types taken (`png`, `jpg`, …), told by content; none for every type we know.
        `filename` is what the caller calls it, kept for people. Errors: RequestError about the field `file`.
        """
        entry = await self._keep(tenant, data, "file", filename, dialect, endings=endings)
        return entry.key.rpartition("/")[2]

    async def resolve(self, tenant: str, ref: MediaRef, dialect: str = "") -> StoredMedia:
        """The medium that a request mentions: by number, file id, URL, data URI or path.

        Errors: RequestError about `ref.field`.
        """
        entry = await self._find(tenant, ref, dialect)
        facts = entry.facts or await self._learn(entry, ref)
        wanted = "image" if ref.kind == "mask" else ref.kind
        if facts.kind != wanted:
            article = "an" if facts.kind[0] in "aeiou" else "a"
            raise _refused(ref, f"is {article} {facts.kind}", f"It must be of the kind {wanted}", "wrong_kind")
        return StoredMedia(entry.key, facts, entry.number)

    async def _find(self, tenant: str, ref: MediaRef, dialect: str) -> Entry:
        if ref.value.startswith(("http://", "https://")):
            return await self._keep(tenant, await self._fetch(ref), ref.field, "", dialect)
        if ref.value.startswith("data:"):
            return await self._keep(tenant, _data_uri(ref), ref.field, "", dialect)
        numeric = bool(NUMBER.fullmatch(ref.value))
        entry = await (self._numbered(tenant, ref) if numeric else self._uploaded(tenant, ref))
        if entry is None and self._allow_paths:
            name = Path(ref.value).name
            return await self._keep(tenant, await run_sync(_local, ref), ref.field, name, dialect)
        if entry is None:
            raise _unknown(ref, numeric)
        if entry.expires_at is not None and entry.expires_at <= self._lifetimes.clock():
            raise _refused(ref, f"{ref.value} has expired", "Send the medium again, or make it anew", "expired")
        return entry

    async def _numbered(self, tenant: str, ref: MediaRef) -> Entry | None:
        return await self._shelf.find(tenant, int(ref.value))

    async def _uploaded(self, tenant: str, ref: MediaRef) -> Entry | None:
        record = await self._files.get(tenant, ref.value) if FILE_ID.fullmatch(ref.value) else None
        if record is None:
            return None
        known = await self._shelf.by_key(record.key)
        return known or Entry(tenant, record.key, facts=record.media)  # taken in before media had numbers

    async def _learn(self, entry: Entry, ref: MediaRef) -> Media:
        """What a result is that is used for the first time."""
        try:
            data = await read(self._storage, entry.key)
            facts = await run_sync(probe, data, limiter=self._decoders)
        except NotStored as error:
            raise _refused(ref, f"{ref.value} is gone", "Send the medium again, or make it anew", "expired") from error
        except Unreadable as error:
            raise RequestError(Fault(ref.field, error.what, error.cure, "unreadable")) from error
        found = _media(data, facts)
        await self._shelf.learn(entry.number, found)
        return found

    async def _keep(
        self, tenant: str, data: bytes, field: str, filename: str, dialect: str, *, endings: Collection[str] = ()
    ) -> Entry:
        try:
            facts = await run_sync(probe, data, limiter=self._decoders)
        except Unreadable as error:
            raise RequestError(Fault(field, error.what, error.cure, "unreadable")) from error
        if endings and facts.ending not in endings:
            wanted = " or ".join(ending.upper() for ending in endings)
            raise RequestError(Fault(field, f"is {facts.ending.upper()}", f"Send {wanted}", "wrong_type"))
        record = _record(tenant, data, facts, filename)
        end = self._lifetimes.end(dialect)
        entry = await self._shelf.renew(record.key, end)
        while entry is None:
            await self._storage.put(record.key, data)
            await self._files.add(record)
            (entry,) = await self._shelf.put([Entry(tenant, record.key, facts=record.media, expires_at=end)])
            if entry.removing:  # and with it the bytes that were just put
                entry = await anyio.sleep(REMOVAL_S)
        return entry

    async def _fetch(self, ref: MediaRef) -> bytes:
        if fault := self._guard.fault(ref.value):
            raise _refused(ref, fault, "Give a public http or https URL")
        try:
            with anyio.fail_after(FETCH_SECONDS):
                async with self._guard.guarded_client(follow_redirects=True) as client:
                    return await _download(client, ref)
        except AddressRefused as error:
            raise _refused(ref, "leads to a host of a private network", "Give a public URL") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise _refused(ref, "could not be fetched", "Check that the URL answers with the file") from error


def _unknown(ref: MediaRef, numeric: bool) -> RequestError:
    shown = ref.value if len(ref.value) <= 80 else ref.value[:77] + "..."
    if numeric:
        what, cure = f"no medium {shown} is known, or it has expired", "Give the id of a result, or a URL"
    elif FILE_ID.fullmatch(ref.value):
        what, cure = f"no file {shown!r} was uploaded", "Upload it and give the id of the answer"
    else:
        what, cure = f"{shown!r} is no http or https URL and no uploaded file", "Give a URL, or the id of a file"
    return RequestError(Fault(ref.field, what, cure, "unknown"))


def _refused(ref: MediaRef, what: str, cure: str, code: str = "bad_url") -> RequestError:
    return RequestError(Fault(ref.field, what, cure, code))


async def _download(client: httpx2.AsyncClient, ref: MediaRef) -> bytes:
    async with client.stream("GET", ref.value, headers={"Accept-Encoding": "identity"}) as response:
        if response.status_code != 200:
            raise _refused(ref, f"answered {response.status_code}", "Give a URL that answers with the file")
        data = bytearray()
        async for piece in response.aiter_raw():  # undecoded: a few bytes of gzip may be gigabytes
            data += piece
            if len(data) > MAX_FETCH:
                raise RequestError(
                    Fault(ref.field, f"is larger than {MAX_FETCH // MB} MB", "Give a smaller file", "too_large")
                )
        return bytes(data)


def _data_uri(ref: MediaRef) -> bytes:
    head = DATA_URI.match(ref.value)
    try:
        if head is None:
            raise ValueError
        data = unquote_to_bytes(ref.value[head.end() :])
        return base64.b64decode(data, validate=True) if head[1] else data
    except (ValueError, binascii.Error) as error:
        raise _refused(ref, "is a broken data URI", "Write data:image/png;base64,<data>") from error


def _local(ref: MediaRef) -> bytes:
    try:
        return Path(ref.value).expanduser().read_bytes()
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or "not a path"
        raise RequestError(
            Fault(ref.field, f"{ref.value!r} cannot be read ({why})", "Give a file's path", "unknown")
        ) from error


def _record(tenant: str, data: bytes, facts: Facts, filename: str) -> FileRecord:
    digest = hashlib.sha256(data).hexdigest()
    owner = hashlib.sha256(tenant.encode()).hexdigest()[:16]
    ident = f"{hashlib.sha256(f'{tenant}:{digest}'.encode()).hexdigest()[:32]}.{facts.ending}"
    media = _media(data, facts)
    return FileRecord(ident, tenant, f"uploads/{owner}/{ident}", media, facts.content_type, len(data), filename[:200])


def _media(data: bytes, facts: Facts) -> Media:
    name = f"comfyc/{hashlib.sha256(data).hexdigest()[:24]}.{facts.ending}"
    return Media(name, facts.kind, facts.width, facts.height, facts.frames, facts.fps, facts.alpha)
