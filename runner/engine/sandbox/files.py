"""Routes about files: view, uploads; and where the name in a graph leads."""

from __future__ import annotations

import asyncio
import io
import json
import mimetypes
import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from PIL import Image, PngImagePlugin
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from runner.engine.sandbox.core import Core
from runner.engine.sandbox.http import answer, nothing
from runner.engine.sandbox.run import Folders

_SCRIPTS: Final = {"text/html", "text/javascript", "text/css", "application/javascript", "application/xhtml+xml"}
_KINDS: Final = ("input", "output", "temp")


def folder_of(kind: str, folders: Folders) -> Path:
    """The folder of `input`, `output` or `temp`.

    Errors: KeyError for another word.
    """
    return {"input": folders.input_dir, "output": folders.output_dir, "temp": folders.temp_dir}[kind]


def annotated(name: str, default: str) -> tuple[str, str]:
    """(`sub/x.png`, `temp`) of `sub/x.png [temp]`."""
    for kind in _KINDS:
        mark = f"[{kind}]"
        if name.endswith(mark):
            return name[: -len(mark)].rstrip(), kind
    return name, default


def exists(name: str, folders: Folders) -> bool:
    """Whether a name in a graph leads to a file (or folder) below its folder."""
    bare, kind = annotated(name, "input")
    root = folder_of(kind, folders)
    path = below(root, bare)
    return path is not None and os.path.exists(path)  # False too for a name that no file system takes


def below(root: Path, name: str) -> Path | None:
    """The path of `name` in a folder; None where it leads out of it."""
    path = Path(os.path.normpath(root / name))
    return path if path.is_relative_to(root) else None


async def view(request: Request) -> Response:
    """GET /view?filename&subfolder&type&preview&channel."""
    core: Core = request.scope["core"]
    asked = request.query_params
    if "filename" not in asked:
        return nothing(404)
    filename, kind = annotated(asked["filename"], asked.get("type", "output"))
    if not filename or filename[0] == "/" or ".." in filename or kind not in _KINDS:
        return nothing(400)
    root = folder_of(kind, core.folders)
    folder = below(root, asked.get("subfolder", ""))
    if folder is None:
        return nothing(403)
    path = folder / Path(filename).name
    if not path.is_file():
        return nothing(404)
    headers = {"content-disposition": f'filename="{_header_name(path.name)}"'}
    if "preview" in asked:
        return await asyncio.to_thread(_preview, path, asked["preview"], asked.get("channel", ""), headers)
    if asked.get("channel") in {"rgb", "a"}:
        return await asyncio.to_thread(_channel, path, asked["channel"], headers)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return FileResponse(path, headers=headers, media_type="application/octet-stream" if kind in _SCRIPTS else kind)


def _header_name(name: str) -> str:
    return name if name.isascii() else quote(name)


def _preview(path: Path, wanted: str, channel: str, headers: dict[str, str]) -> Response:
    form, _, quality = wanted.partition(";")
    form = form if form in {"webp", "jpeg"} and "a" not in channel else "webp"
    with Image.open(path) as image:
        picture = image.convert("RGB") if form == "jpeg" or channel == "rgb" else image.copy()
    made = io.BytesIO()
    picture.save(made, format=form, quality=int(quality) if quality.isdigit() else 90)
    return Response(made.getvalue(), headers=headers, media_type=f"image/{form}")


def _channel(path: Path, channel: str, headers: dict[str, str]) -> Response:
    with Image.open(path) as image:
        if channel == "rgb":
            made = image.convert("RGB")
        else:
            alpha = image.convert("RGBA").getchannel("A")
            made = Image.new("RGBA", image.size)
            made.putalpha(alpha)
    out = io.BytesIO()
    made.save(out, format="PNG")
    return Response(out.getvalue(), headers=headers, media_type="image/png")


async def upload_image(request: Request) -> Response:
    """POST /upload/image: any file, under its own name or a counted one."""
    core: Core = request.scope["core"]
    form = await _form(request)
    if form is None:
        return nothing(400)
    place = _target(form, core.folders)
    if isinstance(place, int):
        return nothing(place)
    data = await form["image"].read()
    name = await asyncio.to_thread(_store, place, data, form.get("overwrite") in {"true", "1"})
    return answer({"name": name, "subfolder": str(form.get("subfolder", "")), "type": _kind(form)})


async def upload_mask(request: Request) -> Response:
    """POST /upload/mask: the colours of `original_ref` with the alpha of the upload."""
    core: Core = request.scope["core"]
    form = await _form(request)
    if form is None:
        return nothing(400)
    place = _target(form, core.folders)
    if isinstance(place, int):
        return nothing(place)
    data = await form["image"].read()
    original = _original(form, core.folders)
    name = place.name
    if original is not None:
        name = await asyncio.to_thread(_store_masked, place, data, original)
    return answer({"name": name, "subfolder": str(form.get("subfolder", "")), "type": _kind(form)})


async def _form(request: Request) -> dict[str, Any] | None:
    if not request.headers.get("content-type", "").startswith("multipart/"):
        return None
    form = await request.form(max_part_size=100 * 1024 * 1024)
    found: dict[str, Any] = dict(form)
    return found if "image" in found else None


def _kind(form: dict[str, Any]) -> str:
    return str(form.get("type", "")) or "input"


def _target(form: dict[str, Any], folders: Folders) -> Path | int:
    """Where the upload goes, or the status that refuses it.

    Errors: KeyError for an unknown type, AttributeError for a field that is no file: a 500 on ComfyUI, too.
    """
    image: UploadFile = form["image"]
    root = folder_of(_kind(form), folders)
    if not image.filename:
        return 400
    folder = below(root, str(form.get("subfolder", "")))
    path = below(root, f"{form.get('subfolder', '')}/{image.filename}".lstrip("/"))
    if folder is None or path is None:
        return 400
    folder.mkdir(parents=True, exist_ok=True)
    return path


def _store(path: Path, data: bytes, overwrite: bool) -> str:
    stem, ending = os.path.splitext(path.name)
    counter = 0
    while not overwrite and path.exists() and path.read_bytes() != data:
        counter += 1
        path = path.with_name(f"{stem} ({counter}){ending}")
    path.write_bytes(data)
    return path.name


def _original(form: dict[str, Any], folders: Folders) -> Path | None:
    ref: dict[str, Any] = json.loads(form["original_ref"])
    filename, kind = annotated(str(ref["filename"]), str(ref.get("type", "output")))
    if not filename or filename[0] == "/" or ".." in filename:
        return None
    root = folder_of(kind, folders)
    path = below(root, f"{ref.get('subfolder', '')}/{Path(filename).name}".lstrip("/"))
    return path if path is not None and path.is_file() else None


def _store_masked(path: Path, data: bytes, original: Path) -> str:
    with Image.open(original) as image:
        picture = image.convert("RGBA")
        texts = PngImagePlugin.PngInfo()
        for key, value in getattr(image, "text", {}).items():
            texts.add_text(key, value)
    with Image.open(io.BytesIO(data)) as mask:
        picture.putalpha(mask.convert("RGBA").getchannel("A"))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, compress_level=4, pnginfo=texts, format="PNG")
    return path.name
