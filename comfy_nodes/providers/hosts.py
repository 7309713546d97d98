"""Which hosts a provider's calls may reach, with a key and without."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from .errors import CallError

ALLOW_ENV = "PROVIDER_ALLOW_HOSTS"
"""Further hosts that may be called and give results, although private: `gateway.internal,http://10.0.0.5:8080`."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which hosts a provider's calls may reach."""

    base: str
    """The API's base URL."""
    hosts: tuple[str, ...]
    """Names of its hosts, `*.` for all below."""
    origins: tuple[str, ...] = ()
    """`scheme://host[:port]` that may be called as they are, private or without TLS."""

    def api(self, url: str, keyed: bool = True) -> None:
        """Errors: CallError unless an API call, with a key or without, may go there."""
        parts = split(url)
        host = (parts.hostname or "").lower()
        if origin(url) in self.origins:
            return
        if not any(_matches(host, pattern) for pattern in self.hosts):
            raise CallError(f"{host or 'an address without a host'} is not a host of this provider ({ALLOW_ENV})")
        if keyed and parts.scheme != "https" and not _loopback(host):
            raise CallError(f"{host}: keys are sent over https alone ({ALLOW_ENV} may name http://{host})")

    def private(self, url: str) -> bool:
        """True if this address may be fetched although it is not a public one."""
        return origin(url) in self.origins or (self.own(url) and _loopback(split(url).hostname or ""))

    def own(self, url: str) -> bool:
        """True if this address is the API's own, which may want the key again."""
        return origin(url) == origin(self.base)


def extra_origins() -> tuple[str, ...]:
    """What PROVIDER_ALLOW_HOSTS names."""
    entries = [entry.strip().lower().rstrip("/") for entry in os.environ.get(ALLOW_ENV, "").split(",")]
    return tuple(entry if "://" in entry else f"https://{entry}" for entry in entries if entry)


def split(url: str) -> SplitResult:
    """Errors: CallError for an address that cannot be read; a provider may have given it."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # read only now
    except ValueError:
        raise CallError("an address cannot be read") from None
    return parts


def origin(url: str) -> str:
    """`scheme://host[:port]`."""
    parts = split(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{(parts.hostname or '').lower()}{port}"


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def _loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def allowed_for(base: str, hosts: Sequence[str]) -> Allowed:
    """The hosts of a declaration, the base URL's, and those of the environment."""
    own = (urlsplit(base).hostname or "").lower()
    return Allowed(base, (own, *hosts), extra_origins())


def joined(url: str, location: str) -> str:
    """An address that is given beside another.

    Errors: CallError if it cannot be read.
    """
    try:
        return urljoin(url, location)
    except ValueError:
        raise CallError("an address cannot be read") from None
