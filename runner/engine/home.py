"""A ComfyUI folder on this machine: which Python runs it, where its parts lie, what was installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from compiler.errors import ComfycError, Fault

LOCK_FILE: Final = "comfyc-lock.json"
"""Written into the ComfyUI folder by `comfyc engine install`."""

_PYTHONS: Final = (
    ".venv/bin/python",
    "venv/bin/python",
    ".venv/Scripts/python.exe",
    "venv/Scripts/python.exe",
    "../python_embeded/python.exe",  # the portable Windows build spells it so
)
_BASE_FOLDERS: Final = ("input", "output", "temp", "user", "custom_nodes")


class SetupError(ComfycError):
    """An engine cannot be installed, linked or started as asked: names the place, the fault and the cure."""


@dataclass(frozen=True, slots=True)
class Home:
    """A ComfyUI folder and the Python that runs it."""

    folder: Path
    python: Path

    @property
    def version(self) -> str:
        """From comfyui_version.py, e.g. `0.3.64`; empty if it is not there."""
        file = self.folder / "comfyui_version.py"
        found = re.search(r'__version__\s*=\s*"([^"]+)"', file.read_text("utf-8")) if file.is_file() else None
        return found[1] if found else ""

    @property
    def lock(self) -> Mapping[str, Any]:
        """What `comfyc engine install` wrote: commit, version, packages; empty for another folder."""
        file = self.folder / LOCK_FILE
        return json.loads(file.read_text("utf-8")) if file.is_file() else {}


def open_home(folder: Path | None, environ: Mapping[str, str] = os.environ) -> Home:
    """The ComfyUI in `folder`, with the Python of COMFYUI_PYTHON, of the lock file or of a venv inside.

    Errors: SetupError.
    """
    if folder is None:
        cure = "Set it to a ComfyUI folder, or run `comfyc engine install`"
        raise SetupError(Fault("COMFYUI_HOME", "is not set", cure, "required"))
    if not (folder / "main.py").is_file():
        raise SetupError(
            Fault(str(folder), "is no ComfyUI folder: it has no main.py", "Set COMFYUI_HOME to one that has")
        )
    home = Home(folder.resolve(), Path())
    for candidate in (environ.get("COMFYUI_PYTHON"), home.lock.get("python"), *(folder / name for name in _PYTHONS)):
        if candidate and Path(candidate).exists():
            # the path is not resolved: a venv's python is a link, and following it would leave the venv
            return Home(home.folder, Path(os.path.abspath(candidate)))
    raise SetupError(
        Fault(
            str(folder), "has no Python of its own", "Set COMFYUI_PYTHON to the Python that has ComfyUI's requirements"
        )
    )


def prepare_base(home: Home, base: Path, models: Path | None = None) -> None:
    """Makes a base directory of one instance: own input, output, temp, user; shared models; the home's node packs.

    Errors: SetupError.
    """
    for name in _BASE_FOLDERS:
        (base / name).mkdir(parents=True, exist_ok=True)
    link(models or home.folder / "models", base / "models")
    packs = base / "custom_nodes"
    for entry in packs.iterdir():
        if entry.is_symlink() and not entry.exists():
            entry.unlink()  # the pack was removed from the home
    for entry in _packs(home.folder / "custom_nodes"):
        if entry.name != "comfyc":
            link(entry, packs / entry.name)


def _packs(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not entry.name.startswith((".", "__")) and (entry.is_dir() or entry.suffix == ".py"):
            yield entry


COPY_MARK: Final = ".comfyc-copy"
"""Lies in a folder that is our copy, where links are not allowed: only such a folder is ever replaced."""


def link(source: Path, target: Path) -> str:
    """Makes `target` a link to `source`, or a copy where the system allows no links; done again, it changes nothing.

    Returns `linked` or `copied`. Errors: SetupError if something that is not ours lies there.
    """
    source = source.resolve()
    if target.is_symlink():
        if target.resolve() == source:
            return "linked"
        target.unlink()
    elif (target / COPY_MARK).is_file():
        shutil.rmtree(target)
    elif target.exists():
        raise SetupError(Fault(str(target), "already exists and was not made by comfyc", "Move it away and try again"))
    try:
        target.symlink_to(source, target_is_directory=source.is_dir())
    except OSError:
        if sys.platform != "win32":
            raise SetupError(
                Fault(str(target), "cannot be written", "Check the folder's owner and free space")
            ) from None
        return _copy(source, target)
    return "linked"


def _copy(source: Path, target: Path) -> str:
    if source.is_file():
        shutil.copy2(source, target)
    else:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        (target / COPY_MARK).write_text(f"A copy of {source}\n", "utf-8")
    return "copied"
