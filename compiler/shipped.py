"""The catalogs that comfyc ships: node schemas of ComfyUI's core, version by version."""

from __future__ import annotations

import json
from functools import cache

from compiler.catalog import Catalog
from compiler.catalog_parse import parse_catalog
from compiler.errors import Fault, TargetError, nearest
from compiler.template.library import GRAPHS

CATALOGS = GRAPHS / "catalogs"


@cache
def shipped_versions() -> tuple[str, ...]:
    """Versions with a shipped catalog, oldest first."""
    found = (path.stem for path in CATALOGS.glob("[0-9]*.json"))
    return tuple(sorted(found, key=lambda version: [int(part) for part in version.split(".")]))


@cache
def shipped_catalog(version: str = "") -> Catalog:
    """The catalog of a ComfyUI version, the newest by default. Its model folders are open: any file name will do.

    Errors: TargetError for a version that is not shipped.
    """
    chosen = version or shipped_versions()[-1]
    if chosen not in shipped_versions():
        cure = nearest(chosen, shipped_versions()) or f"Shipped: {', '.join(shipped_versions())}"
        raise TargetError(Fault("catalog", f"{chosen!r} is not shipped", cure))
    return parse_catalog(json.loads((CATALOGS / f"{chosen}.json").read_bytes()), source="shipped")


@cache
def own_nodes() -> Catalog:
    """The classes of comfyc's own node pack, as any ComfyUI has them that has loaded it."""
    return parse_catalog(json.loads((CATALOGS / "comfyc.json").read_bytes()), source="comfyc's nodes")
