"""What `comfyc doctor` looks at: one function for each thing, one row in CHECKS."""

from __future__ import annotations

import asyncio
import platform
import re
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from runner.settings import Settings

LOW_DISK: Final = 2_000_000_000
"""Bytes that should be free: a few hundred videos."""
ENCODERS: Final = ("libx264", "aac", "png")
"""PyAV encoders in use: sandbox videos, their sound, and poster pictures."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    found: str
    cure: str = ""


Check = Callable[[Settings], Awaitable[Finding]]


async def examine(settings: Settings) -> list[Finding]:
    """All findings, in the order of CHECKS. A check that raises is a finding too."""
    return [await _one(check, settings) for check in CHECKS]


async def _one(check: Check, settings: Settings) -> Finding:
    try:
        return await check(settings)
    except Exception as error:
        what = check.__name__.replace("_", " ")
        return Finding(what, False, f"{type(error).__name__}: {error}", "Please report this")


async def python(_: Settings) -> Finding:
    return Finding("Python", sys.version_info >= (3, 11), platform.python_version(), "Install Python 3.11 or newer")


async def dependencies(_: Settings) -> Finding:
    try:
        lines = [text for text in metadata.requires("comfyc") or () if "extra ==" not in text]
    except metadata.PackageNotFoundError:
        return Finding("Dependencies", False, "comfyc is not installed as a package", "pip install -e .")
    missing = [text for text in lines if not _installed(re.split(r"[^\w.-]", text)[0])]
    found = f"missing {', '.join(missing)}" if missing else f"all {len(lines)} there"
    return Finding("Dependencies", not missing, found, "pip install -e .")


def _installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


async def codecs(_: Settings) -> Finding:
    import av

    lacking = [name for name in ENCODERS if name not in av.codecs_available]
    found = (
        f"PyAV {av.__version__} lacks {', '.join(lacking)}" if lacking else f"PyAV {av.__version__} has H.264 and AAC"
    )
    return Finding("Codecs", not lacking, found, "Install PyAV's own wheel: pip install --force-reinstall av")


async def data_folder(settings: Settings) -> Finding:
    folder = settings.data.absolute()
    probe = folder / ".doctor"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return Finding("Data folder", False, f"{folder}: {error.strerror}", "Set COMFYC_DATA to one of yours")
    return Finding("Data folder", True, str(folder))


async def disk(settings: Settings) -> Finding:
    place = next(folder for folder in (settings.data.absolute(), *settings.data.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    return Finding("Disk", free >= LOW_DISK, f"{free / 1e9:.1f} GB free", "Free some space, or move COMFYC_DATA")


async def database(settings: Settings) -> Finding:
    import sqlalchemy as sa

    from runner.store.database import Database

    shown = sa.make_url(settings.database_url).render_as_string(hide_password=True)
    opened = Database(settings.database_url)
    try:
        await opened.open()
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        return Finding("Database", False, f"{shown}: {first}", "Correct COMFYC_DATABASE, or start it")
    finally:
        await opened.close()
    return Finding("Database", True, shown)


async def port(settings: Settings) -> Finding:
    where = f"{settings.host}:{settings.port}"
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            cure = "Stop what uses it, or set COMFYC_PORT"
            return Finding("Port", False, f"{where}: {error.strerror}", cure)
    return Finding("Port", True, f"{where} is free")


async def engine(settings: Settings) -> Finding:
    if settings.engine == "sandbox":
        return Finding("Engine", True, f"sandbox of ComfyUI {settings.sandbox_version}: no models")
    if settings.engine == "managed":
        return managed(settings)
    return await attached(settings.engine)


def managed(settings: Settings) -> Finding:
    home = settings.comfyui_home
    if home is None:
        cure = "Set it to a ComfyUI folder, or run: comfyc engine install"
        return Finding("Engine", False, "managed, but COMFYUI_HOME is not set", cure)
    there = (Path(home) / "main.py").is_file()
    found = f"managed, {home}" + ("" if there else " has no main.py")
    return Finding("Engine", there, found, "Set COMFYUI_HOME to the folder that holds ComfyUI's main.py")


async def attached(urls: str) -> Finding:
    from runner.cli.catalogs import fetch_version
    from runner.cli.faults import WorkFailed

    found: list[str] = []
    ok = True
    for url in filter(None, (part.strip() for part in urls.split(","))):
        try:
            found.append(f"{url} is ComfyUI {await asyncio.to_thread(fetch_version, url)}")
        except WorkFailed as error:
            ok = False
            found.append(str(error))
    return Finding("Engine", ok, "; ".join(found), "Start ComfyUI there, or correct COMFYC_ENGINE")


CHECKS: Final[tuple[Check, ...]] = (python, dependencies, codecs, data_folder, disk, database, port, engine)
