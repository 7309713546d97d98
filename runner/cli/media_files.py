"""Media of a request on the command line: local paths, relative to the request file, beside URLs and data URIs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from compiler.errors import Fault, RequestError
from compiler.media import MediaRef
from runner.cli.request_file import RequestFile
from runner.settings import Settings
from runner.store.files import MemoryFiles
from runner.store.guard import Guard
from runner.store.media import MediaStore, StoredMedia
from runner.store.storage import LocalStorage

TENANT = "local"
REMOTE = ("http://", "https://", "data:")


def media_store(folder: Path, settings: Settings) -> MediaStore:
    """Takes local paths; keeps copies in `folder` and its list in memory."""
    return MediaStore(LocalStorage(folder), MemoryFiles(), Guard(settings.allow_hosts), allow_paths=True)


async def resolve_media(file: RequestFile, store: MediaStore) -> Mapping[str, StoredMedia]:
    """What the request's references point at, by the reference as it is written.

    Errors: RequestError with a fault for each medium that is missing or is not what the field takes.
    """
    found: dict[str, StoredMedia] = {}
    faults: list[Fault] = []
    for ref in file.provider.media_refs(file.request):
        try:
            found[ref.value] = await store.resolve(TENANT, beside(ref, file.folder))
        except RequestError as error:
            faults += error.faults
    if faults:
        raise RequestError(*faults)
    return found


def beside(ref: MediaRef, folder: Path) -> MediaRef:
    """The same reference, a relative path made relative to `folder`."""
    return ref if ref.value.startswith(REMOTE) else replace(ref, value=str(folder / Path(ref.value).expanduser()))
