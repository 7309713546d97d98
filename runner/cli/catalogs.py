"""`--catalog C`: a file, the URL of a ComfyUI, or a shipped catalog: `0.8.0`, with node packs `0.8.0+comfyc`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import httpx2

from compiler import parse_catalog, shipped_catalog, shipped_versions
from compiler.catalog import Catalog
from compiler.errors import Fault
from compiler.shipped import partner_versions
from runner.cli.faults import InputError, WorkFailed
from runner.cli.request_file import read_json


def load_catalog(choice: str | None) -> Catalog:
    """Errors: InputError if it is none of the three, GraphError if the file is no catalog, WorkFailed if no answer."""
    if choice is None or choice.partition("+")[0] in (*shipped_versions(), *partner_versions()):
        return shipped_catalog(choice or "")
    if choice.startswith(("http://", "https://")):
        info, version = fetch_object_info(choice)
        return parse_catalog(info, version=version, source=choice)
    if not Path(choice).is_file():
        cure = f"Name a file, the URL of a ComfyUI, or one of {', '.join(shipped_versions())}"
        raise InputError(Fault("--catalog", f"{choice!r} is not a catalog", cure))
    return read_catalog(choice)


def read_catalog(path: str) -> Catalog:
    """Reads what `comfyc catalog pull` wrote, the JSON of GET /object_info, or the compact form."""
    data = read_json(path, "the JSON of GET /object_info")
    pulled = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
    if "object_info" in pulled:
        return parse_catalog(pulled["object_info"], version=str(pulled.get("comfyui_version", "")), source=path)
    return parse_catalog(data, source=path)


def fetch_object_info(url: str) -> tuple[dict[str, Any], str]:
    """(the JSON of GET /object_info, ComfyUI's version) of a running ComfyUI.

    Errors: WorkFailed if it does not answer as a ComfyUI does.
    """
    return _get(url, "/object_info"), fetch_version(url)


def fetch_version(url: str) -> str:
    """ComfyUI's version, empty if it does not say. Errors: WorkFailed if it does not answer as a ComfyUI does."""
    system = _get(url, "/system_stats").get("system")
    if not isinstance(system, dict):
        raise _no_comfyui(url, "no `system` in /system_stats")
    return str(cast("dict[str, Any]", system).get("comfyui_version", ""))


def _get(url: str, path: str) -> dict[str, Any]:
    try:
        answer = httpx2.get(url.rstrip("/") + path, timeout=60, trust_env=False).raise_for_status().json()
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        raise _no_comfyui(url, str(error).partition("\n")[0] or type(error).__name__) from error
    if not isinstance(answer, dict):
        raise _no_comfyui(url, f"{path} is no JSON object")
    return cast("dict[str, Any]", answer)


def _no_comfyui(url: str, why: str) -> WorkFailed:
    return WorkFailed(Fault(url, f"does not answer as a ComfyUI ({why})", "Is it running?"))
