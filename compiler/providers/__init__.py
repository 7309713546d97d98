"""The one registry of dialects and providers, found by file name.

A dialect is a package here: its `__init__` names the discriminating field as KEY and the OPERATIONS (how each is
reached, for messages), every module of it may hold a tuple PROVIDERS.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

from compiler.errors import Fault, RequestError, nearest
from compiler.provider import Dialect, Provider, Request


@cache
def dialects() -> Mapping[str, Dialect]:
    """Every dialect by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
    return {name: _dialect(name) for name in names}


def _dialect(name: str) -> Dialect:
    package = importlib.import_module(f"{__name__}.{name}")
    providers = {provider.discriminator or provider.name: provider for provider in _providers(package)}
    return Dialect(name, package.KEY, package.OPERATIONS, providers)


def _providers(package: Any) -> Iterator[Provider]:
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name):
        yield from getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "PROVIDERS", ())


def parse_request(dialect: str, body: Any, *, operation: str = "") -> tuple[Provider, Request]:
    """Validates the HTTP body of a dialect. Without `operation`, the one that the body's provider belongs to.

    Errors: RequestError with every fault found.
    """
    found = dialects().get(dialect)
    if found is None:
        known = ", ".join(dialects())
        raise RequestError(
            Fault("dialect", f"{dialect!r} is not known", nearest(dialect, dialects()) or f"One of: {known}")
        )
    return found.parse(body, operation)


def recognise(body: Any) -> tuple[tuple[str, str], ...]:
    """(dialect, operation) of every request model that names a provider the way this body does."""
    if not isinstance(body, dict):
        return ()
    fields = cast("dict[str, Any]", body)
    found = ((name, one.operation_of(fields)) for name, one in dialects().items())
    return tuple((name, operation) for name, operation in found if operation)
