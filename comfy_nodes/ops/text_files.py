"""Text in ComfyUI's output folder."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any


def save_text(text: str, prefix: str, format: str) -> dict[str, Any]:
    """Writes the text under the next free number, as core nodes number pictures, and gives the node's `ui`.

    Errors: ValueError if the format is `json` and the text is not; ComfyUI's for a prefix that leaves the folder.
    """
    written = _whole(_indented(text) if format == "json" else text)
    folders = import_module("folder_paths")
    folder, name, counter, subfolder, _ = folders.get_save_image_path(prefix, folders.get_output_directory())
    file = _saved(Path(folder), name, counter, format, written)
    return {"text": [written], "files": [{"filename": file.name, "subfolder": subfolder, "type": "output"}]}


def _whole(text: str) -> str:
    """The text with `?` for each half of a surrogate pair, which UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _saved(folder: Path, name: str, counter: int, format: str, text: str) -> Path:
    while True:
        file = folder / f"{name}_{counter:05}_.{format}"
        try:
            with file.open("x", encoding="utf-8", newline="\n") as out:
                out.write(text)
        except FileExistsError:  # another node of the same moment took the number
            counter += 1
        else:
            return file


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except ValueError as error:
        raise ValueError(f"text: is not JSON ({error}). Choose the format txt, or ask the model for JSON") from None
