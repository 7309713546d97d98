"""Files on the sandbox's disk: names as a prompt writes them, output names with counters, content hashes."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from runner.engine.sandbox.node import NodeContext, NodeFailure

FILE_INPUTS: Final[Mapping[str, tuple[str, str]]] = {
    "LoadImage": ("image", "Invalid image file"),
    "LoadImageMask": ("image", "Invalid image file"),
    "LoadImageOutput": ("image", "Invalid image file"),
    "LoadAudio": ("audio", "Invalid audio file"),
    "LoadVideo": ("file", "Invalid video file"),
    "LoadLatent": ("latent", "Invalid latent file"),
}
"""Classes that read a file of a folder: the input that names it, and what ComfyUI says where it is missing."""

FOLDER_MARKS: Final = ("output", "input", "temp")
TEMP_PREFIX: Final = "ComfyUI_temp_"


class Folders(Protocol):
    """The three folders; a NodeContext is one."""

    @property
    def input_dir(self) -> Path: ...
    @property
    def output_dir(self) -> Path: ...
    @property
    def temp_dir(self) -> Path: ...


def annotated_path(name: str, folders: Folders, default: str = "input") -> Path:
    """The file that a prompt means by `sub/x.png` or `x.png [output]`.

    Errors: ValueError if the name leads out of its folder.
    """
    where = default
    for mark in FOLDER_MARKS:
        if name.endswith(f"[{mark}]"):
            where, name = mark, name.removesuffix(f"[{mark}]").rstrip()
    root: Path = getattr(folders, f"{where}_dir")
    path = Path(os.path.normpath(root / name))
    if not path.is_relative_to(root):
        raise ValueError("Invalid file path")
    return path


def input_problem(kind: str, inputs: Mapping[str, Any], folders: Folders) -> str | None:
    """What the class's own check says of its inputs, in ComfyUI's words; None if nothing."""
    name, text = FILE_INPUTS.get(kind, ("", ""))
    value = inputs.get(name)
    if not isinstance(value, str):
        return None
    try:
        found = annotated_path(value, folders).is_file()
    except (OSError, ValueError):
        found = False
    return None if found else f"{text}: {value}"


def fingerprint(kind: str, inputs: Mapping[str, Any], folders: Folders) -> str | None:
    """A hash of the file that the node reads, so that new bytes under an old name are noticed; None if none is read."""
    value = inputs.get(FILE_INPUTS[kind][0]) if kind in FILE_INPUTS else None
    if not isinstance(value, str):
        return None
    try:
        with annotated_path(value, folders).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None


# --- output files ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where a saver writes: a folder, and the name's start up to the counter."""

    folder: Path
    stem: str
    counter: int
    subfolder: str
    type: str

    def file(self, extension: str, index: int = 0) -> tuple[Path, dict[str, str]]:
        """The path of the index-th file, and its entry in the node's output."""
        name = f"{self.stem}_{self.counter + index:05}_.{extension}"
        return self.folder / name, {"filename": name, "subfolder": self.subfolder, "type": self.type}


def place(prefix: str, context: NodeContext, *, width: int = 0, height: int = 0, batch: int | None = None) -> Place:
    """Where an output file with that prefix goes; makes the folder.

    Errors: NodeFailure if the prefix leads out of the output folder.
    """
    filled = fill_prefix(prefix, width, height)
    if batch is not None:
        filled = filled.replace("%batch_num%", str(batch))
    return _place(context.output_dir, filled, "output")


def temp_place(context: NodeContext) -> Place:
    """Where a preview goes: a name that is new for each run."""
    letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(5))
    return _place(context.temp_dir, TEMP_PREFIX + letters, "temp")


def fill_prefix(prefix: str, width: int, height: int) -> str:
    """Replaces %width%, %height%, %year% … %second% in a prefix."""
    now = time.localtime()
    values = {"width": width, "height": height, "year": now.tm_year}
    padded = {"month": now.tm_mon, "day": now.tm_mday, "hour": now.tm_hour}
    padded |= {"minute": now.tm_min, "second": now.tm_sec}
    texts = {name: str(value) for name, value in values.items()}
    texts |= {name: f"{value:02}" for name, value in padded.items()}
    for name, text in texts.items():
        prefix = prefix.replace(f"%{name}%", text)
    return prefix


def _place(root: Path, prefix: str, type_: str) -> Place:
    subfolder, stem = os.path.split(os.path.normpath(prefix))
    folder = Path(os.path.normpath(root / subfolder))
    if not folder.is_relative_to(root):
        raise NodeFailure("Exception", "Saving image outside the output folder is not allowed.")
    folder.mkdir(parents=True, exist_ok=True)
    return Place(folder, stem, _next_counter(folder, stem), subfolder, type_)


def _next_counter(folder: Path, stem: str) -> int:
    start = f"{stem}_"
    taken = [0]
    for entry in os.scandir(folder):
        if entry.name.lower().startswith(start.lower()):
            number = entry.name[len(start) :].split("_", 1)[0]
            taken.append(int(number) if number.isascii() and number.isdigit() else 0)
    return max(taken) + 1


def metadata(context: NodeContext) -> dict[str, str]:
    """The texts that every saved picture and video carries: `prompt` and each key of extra_pnginfo, as JSON."""
    found = {"prompt": json.dumps(context.prompt)}
    return found | {str(key): json.dumps(value) for key, value in (context.extra_pnginfo or {}).items()}
