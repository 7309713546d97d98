"""Routes that tell what this engine is and has. It says that it is a sandbox."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from compiler.catalog import FOLDERS
from compiler.catalog_emit import node_info
from runner.engine.sandbox.core import Core
from runner.engine.sandbox.http import JSON, answer, nothing

ENGINE: Final = "comfyc sandbox"

_MEMORY: Final = 16 * 1024**3
_PLAIN_FOLDERS: Final = ("embeddings", "hypernetworks", "gligen", "photomaker", "audio_encoders", "configs")


async def system_stats(request: Request) -> Response:
    """GET /system_stats: ComfyUI's fields, and `engine`, `engine_name` and `boot_id` of our own."""
    core: Core = request.scope["core"]
    system = {
        "os": os.name if core.old else sys.platform,
        "ram_total": _MEMORY,
        "ram_free": _MEMORY,
        "comfyui_version": core.catalog.version,
        "required_frontend_version": "",
        "python_version": platform.python_version(),
        "pytorch_version": "none",
        "embedded_python": False,
        "argv": [ENGINE, core.name],
        "engine": ENGINE,
        "engine_name": core.name,
        "boot_id": core.boot_id,
    }
    if not core.old:
        system |= {"installed_templates_version": "", "required_templates_version": ""}
    device = {
        "name": "cpu",
        "type": "cpu",
        "index": None,
        "vram_total": _MEMORY,
        "vram_free": _MEMORY,
        "torch_vram_total": _MEMORY,
        "torch_vram_free": _MEMORY,
    }
    return answer({"system": system, "devices": [device]})


async def features(request: Request) -> Response:
    core: Core = request.scope["core"]
    return answer(dict(core.features))


async def object_info(request: Request) -> Response:
    core: Core = request.scope["core"]
    return Response(core.object_info, media_type=JSON)


async def object_info_class(request: Request) -> Response:
    core: Core = request.scope["core"]
    schema = core.catalog.get(request.path_params["kind"])
    return answer({schema.name: node_info(schema)} if schema else {})


async def embeddings(request: Request) -> Response:
    """Names without extension; the sandbox has none."""
    return answer([])


async def models(request: Request) -> Response:
    return answer([*FOLDERS, *_PLAIN_FOLDERS])


async def models_in(request: Request) -> Response:
    """GET /models/{folder}: the files that the catalog's combos list."""
    core: Core = request.scope["core"]
    folder = request.path_params["folder"]
    if folder in _PLAIN_FOLDERS:
        return answer([])
    if folder not in FOLDERS:
        return nothing(404)
    return answer(list(core.catalog.files(folder) or ()))


async def no_metadata(request: Request) -> Response:
    """GET /view_metadata/{folder}: model files of the sandbox are names only."""
    return nothing(404)


async def empty_object(request: Request) -> Response:
    return answer({})


async def null(request: Request) -> Response:
    return answer(None)


async def empty_list(request: Request) -> Response:
    return answer([])


async def users(request: Request) -> Response:
    return answer({"storage": "server", "migrated": True})


async def logs(request: Request) -> Response:
    """GET /internal/logs/raw: the sandbox keeps no log."""
    return answer({"entries": [], "size": {"cols": 80, "rows": 24}})


async def file_names(request: Request) -> Response:
    """GET /internal/files/{input|output|temp}: newest first, folders left out."""
    core: Core = request.scope["core"]
    kind = request.path_params["kind"]
    if kind not in ("input", "output", "temp"):
        return answer({"error": "Invalid directory type"}, 400)
    folder: Path = getattr(core.folders, f"{kind}_dir")
    found: list[Any] = [(entry.stat().st_mtime, entry.name) for entry in os.scandir(folder) if entry.is_file()]
    return answer([name for _, name in sorted(found, reverse=True)])
