"""Libraries and weights that comfyc uses where they are there. Nothing is downloaded: an error says what to get."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ..providers.errors import LibraryMissing


def library(name: str, install: str, user: str) -> Any:
    """A module by name.

    Errors: LibraryMissing with the line that installs it.
    """
    try:
        return import_module(name)
    except ImportError as error:
        part = f" ({error})" if error.name and error.name.partition(".")[0] != name.partition(".")[0] else ""
        cure = f"run `pip install {install}` with ComfyUI's Python and start ComfyUI again"
        raise LibraryMissing(f"{user}: the library {name} is not installed{part}; {cure}") from None


def program(name: str, source: str, user: str) -> None:
    """Errors: LibraryMissing unless a program of that name can be started."""
    if shutil.which(name) is None:
        raise LibraryMissing(f"{user}: the program {name} is not there; install it ({source}) and start ComfyUI again")


def weights(folder: str, file: str, source: str, user: str, elsewhere: Sequence[str | Path] = ()) -> Path:
    """A file in ComfyUI's models/`folder`, in a folder that extra_model_paths.yaml adds to it, or in one of the others.

    Errors: LibraryMissing naming file, folder and where the file comes from.
    """
    for place in (*folders(folder), *(Path(os.path.expanduser(one)) for one in elsewhere)):
        if (place / file).is_file():
            return place / file
    raise LibraryMissing(f"{user}: {file} is missing; put it into ComfyUI's models/{folder} (from {source})")


def folders(folder: str) -> list[Path]:
    """Where files of that kind may lie in this ComfyUI; none outside of one."""
    try:
        paths = import_module("folder_paths")
    except ImportError:
        return []
    known = paths.get_folder_paths(folder) if folder in paths.folder_names_and_paths else []
    return [*dict.fromkeys([*map(Path, known), Path(paths.models_dir) / folder])]
