"""What the sandbox offers: a core's node classes, comfyc's own, and every model file that the library knows."""

from __future__ import annotations

from compiler import Library, own_nodes, shipped_catalog
from compiler.catalog import Catalog


def stock(library: Library, version: str) -> Catalog:
    """The catalog of a sandbox that behaves like that ComfyUI version with comfyc's nodes linked.

    Errors: TargetError for a version that is not shipped.
    """
    return library.stocked(shipped_catalog(version).extended(own_nodes().nodes))
