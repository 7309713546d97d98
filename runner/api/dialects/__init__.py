"""The registry: every module here that has a `DIALECT` is a dialect, found by its file name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from runner.api.dialect import Dialect
from runner.api.links import Links
from runner.job import Job


@cache
def dialects() -> Mapping[str, Dialect]:
    """All dialects by name."""
    found: dict[str, Dialect] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        dialect = importlib.import_module(f"{__name__}.{module.name}").DIALECT
        found[dialect.name] = dialect
    return found


def dialect_at(path: str) -> Dialect | None:
    """The dialect that answers for a path, None outside all of them."""
    fitting = [
        (len(prefix), dialect)
        for dialect in dialects().values()
        for prefix in dialect.prefixes
        if path == prefix or path.startswith(prefix + "/")
    ]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def webhook_encoder(links: Links) -> Callable[[Job], dict[str, Any]]:
    """Job → the callback body in the words of its own dialect; `links.base` must be set."""
    return lambda job: dialects()[job.dialect].encode_webhook(job, links)
