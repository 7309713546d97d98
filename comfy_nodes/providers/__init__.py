"""Closed providers' HTTP APIs as declarations, and what calls them. No torch here: media are bytes.

Declarations are found by file name: each module of apis/ lists its own in PROVIDERS.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

from .declaration import Provider


@cache
def of_kind(kind: str) -> Mapping[str, Provider]:
    """Key → provider, of the kind `image` or `video`, by name."""
    files = sorted((Path(__file__).parent / "apis").glob("[!_]*.py"))
    modules = [import_module(f".apis.{file.stem}", __name__) for file in files]
    found = {one.key: one for module in modules for one in module.PROVIDERS if one.kind == kind}
    return dict(sorted(found.items()))
