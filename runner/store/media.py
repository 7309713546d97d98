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
from runner.store.storage import Storage

FILE_ID: Final = re.compile(r"[0-9a-f]{32}\.[a-z0-9]{2,5}")
MB: Final = 1_000_000
MAX_UPLOAD: Final = 10 * 1024 * 1024
"""Largest upload, bytes: the ext contract's 10MB."""
MAX_FETCH: Final = 100 * MB
"""Largest medium fetched from a URL, bytes."""
FETCH_SECONDS: Final = 60.0
DATA_URI: Final = re.compile(r"data:[\w.+-]*/?[\w.+-]*(?:;[\w-]+=[^;,]*)*(;base64)?,", re.ASCII)


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """A medium in our storage: where it lies, and what it is."""

    key: str
    media: Media


class MediaStore:
    """Takes media in and finds each tenant's own. `allow_paths`: references may be local files (the CLI)."""

    def __init__(self, storage: Storage, files: Files, guard: Guard, *, allow_paths: bool = False) -> None:
        self._storage, self._files, self._guard, self._allow_paths = storage, files, guard, allow_paths
        self._decoders = anyio.CapacityLimiter(2)  # a picture of the largest size takes 256 MB to decode

    async def add(self, tenant: str, data: bytes, filename: str = "", *, endings: Collection[str] = ()) -> str:
        """Stores an upload and returns its file id, `<32 hex digits>.<ending>`; the same bytes give the same id.

        `endings`: the only types taken (`png`, `jpg`, …), told by content; none for every type we know.
        `filename` is what the caller calls it, kept for people. Errors: RequestError about the field `file`.
        """
        return (await self._keep(tenant, data, "file", filename, endings=endings)).id

    async def resolve(self, tenant: str, ref: MediaRef) -> StoredMedia:
        """The medium that a request mentions. Errors: RequestError about `ref.field`."""
        record = await self._find(tenant, ref)
        wanted = "image" if ref.kind == "mask" else ref.kind
        if record.media.kind != wanted:
            raise _refused(ref, f"is a {record.media.kind}", f"It must be of the kind {wanted}", "wrong_kind")
        return StoredMedia(record.key, record.media)

    async def recall(self, key: str) -> StoredMedia | None:
        """The medium that `resolve` once gave this key to; None if it is gone. For running a job again."""
        record = await self._files.by_key(key)
        return record and StoredMedia(record.key, record.media)

    async def _find(self, tenant: str, ref: MediaRef) -> FileRecord:
        if FILE_ID.fullmatch(ref.value):
            record = await self._files.get(tenant, ref.value)
        elif ref.value.startswith(("http://", "https://")):
            record = await self._keep(tenant, await self._fetch(ref), ref.field, "")
        elif ref.value.startswith("data:"):
            record = await self._keep(tenant, _data_uri(ref), ref.field, "")
        elif self._allow_paths:
            record = await self._keep(tenant, await run_sync(_local, ref), ref.field, Path(ref.value).name)
        else:
            record = None
        if record is None:
            shown = ref.value if len(ref.value) <= 80 else ref.value[:77] + "..."
            raise RequestError(
                Fault(
                    ref.field, f"no file {shown!r} was uploaded", "Upload it and give the id of the answer", "unknown"
                )
            )
        return record

    async def _keep(
        self, tenant: str, data: bytes, field: str, filename: str, *, endings: Collection[str] = ()
    ) -> FileRecord:
        try:
            facts = await run_sync(probe, data, limiter=self._decoders)
        except Unreadable as error:
            raise RequestError(Fault(field, error.what, error.cure, "unreadable")) from error
        if endings and facts.ending not in endings:
            wanted = " or ".join(ending.upper() for ending in endings)
            raise RequestError(Fault(field, f"is {facts.ending.upper()}", f"Send {wanted}", "wrong_type"))
        record = _record(tenant, data, facts, filename)
        known = await self._files.get(tenant, record.id)
        if known is None:
            await self._storage.put(record.key, data)
            await self._files.add(record)
        return known or record

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
    media = Media(
        f"comfyc/{digest[:24]}.{facts.ending}",
        facts.kind,
        facts.width,
        facts.height,
        facts.frames,
        facts.fps,
        facts.alpha,
    )
    return FileRecord(ident, tenant, f"uploads/{owner}/{ident}", media, facts.content_type, len(data), filename[:200])
