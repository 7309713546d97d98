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
    return tuple(sorted(found, key=_numbers))


@cache
def shipped_catalog(version: str = "") -> Catalog:
    """The catalog of a ComfyUI version, the newest by default, with node packs if they are named: `0.3.64+comfyc`,
    `0.8.0+comfyc+supir`. Its model folders are open: any file name will do.

    Errors: TargetError for a version or a pack that is not shipped.
    """
    core, *packs = version.split("+")
    if packs:
        nodes = {kind: schema for pack in packs for kind, schema in pack_nodes(pack).nodes.items()}
        return shipped_catalog(core).extended(nodes)
    chosen = version or shipped_versions()[-1]
    if chosen in partner_versions():
        return _with_partners(chosen)
    if chosen not in shipped_versions():
        known = (*shipped_versions(), *partner_versions())
        cure = nearest(chosen, known) or f"Shipped: {', '.join(known)}"
        raise TargetError(Fault("catalog", f"{chosen!r} is not shipped", cure))
    return parse_catalog(json.loads((CATALOGS / f"{chosen}.json").read_bytes()), source="shipped")


@cache
def partner_versions() -> tuple[str, ...]:
    """Versions of which only the partner nodes are shipped, oldest first: their other nodes are those of the newest
    shipped core, which is not all that they have."""
    return tuple(sorted((path.stem for path in (CATALOGS / "partner").glob("*.json")), key=_numbers))


def _with_partners(version: str) -> Catalog:
    core = shipped_catalog()
    partners = parse_catalog(json.loads((CATALOGS / "partner" / f"{version}.json").read_bytes()))
    kept = {kind: schema for kind, schema in core.nodes.items() if not schema.api_node}
    return Catalog(version, {**kept, **partners.nodes}, "shipped")


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


@cache
def own_nodes() -> Catalog:
    """The classes of comfyc's own node pack, as any ComfyUI has them that has loaded it."""
    return parse_catalog(json.loads((CATALOGS / "comfyc.json").read_bytes()), source="comfyc's nodes")


@cache
def pack_nodes(name: str) -> Catalog:
    """The classes of our own pack, `comfyc`, or those that our fragments use of a third-party one, e.g. `supir`.

    Errors: TargetError for a pack that is not shipped.
    """
    if name == "comfyc":
        return own_nodes()
    path = CATALOGS / "packs" / f"{name}.json"
    if not path.is_file():
        known = ["comfyc", *sorted(one.stem for one in path.parent.glob("*.json"))]
        raise TargetError(Fault("pack", f"{name!r} is not shipped", nearest(name, known) or ", ".join(known)))
    return parse_catalog(json.loads(path.read_bytes()), source=name)
