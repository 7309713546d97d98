"""What compiler tests share: the shipped library and catalogs, and pictures of known size."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from compiler import (
    Catalog,
    Compiled,
    Library,
    Media,
    compile_request,
    load_library,
    own_nodes,
    parse_request,
    shipped_catalog,
)

MEDIA: Mapping[str, Media] = {
    "wide.png": Media("comfyc/wide.png", width=1280, height=720),
    "tall.png": Media("comfyc/tall.png", width=600, height=900),
    "anim.gif": Media("comfyc/anim.gif", width=320, height=240, frames=12, fps=10),
}


@cache
def library() -> Library:
    return load_library()


@cache
def target(name: str) -> Catalog:
    """`0.3.64`, `0.8.0`, or either with `+comfyc`: our own nodes linked."""
    version, _, pack = name.partition("+")
    catalog = shipped_catalog(version)
    return catalog.extended(own_nodes().nodes) if pack else catalog


def compiled(body: Any, catalog: str = "0.3.64", **options: Any) -> Compiled:
    """An ext request compiled as the service does it, seed 7 if it has none."""
    provider, request = parse_request("ext", body)
    request = provider.with_seed(request, 7)
    return compile_request(provider, request, MEDIA, library(), target(catalog), **options)
