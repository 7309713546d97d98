"""/openapi.json: the documents of all dialects as one."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from compiler import Library
from runner.api.desk import shipped_library
from runner.api.dialects import dialects

ABOUT: Final = "Compiles image and video generation API requests into ComfyUI graphs, and runs them."


class NameTaken(Exception):
    """Two dialects describe different things under one name."""


def document(base: str, library: Library | None = None) -> dict[str, Any]:
    """The OpenAPI 3.1 document of this server at `base`, by default with the shipped templates."""
    templates = library or shipped_library()
    paths: dict[str, Any] = {}
    components: dict[str, dict[str, Any]] = {}
    for dialect in dialects().values():
        part = dialect.describe(templates)
        _join(paths, part.get("paths", {}))
        for section, rows in part.get("components", {}).items():
            _join(components.setdefault(section, {}), rows)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "comfyc",
            "version": product_version(),
            "description": ABOUT,
        },
        "servers": [{"url": base}],
        "security": [{"BearerAuth": []}],
        "paths": paths,
        "components": components,
        "webhooks": {},
    }


def product_version() -> str:
    """The installed version."""
    try:
        return version("comfyc")
    except PackageNotFoundError:
        return "0"


def _join(into: dict[str, Any], rows: Mapping[str, Any]) -> None:
    for name, row in rows.items():
        if into.setdefault(name, row) != row:
            raise NameTaken(f"{name!r} is described twice in different ways")
