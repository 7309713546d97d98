"""Outgoing requests that cannot be turned against the machine's own network (SSRF).

Every connection of a guarded client resolves its host once, checks every address that came back, and connects to the
very address that was checked. So a redirect, a name that changes between check and use, and a name that mixes public
and private addresses are all refused. TLS still verifies the name that was asked for.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias, cast
from urllib.parse import urlsplit

import anyio
import httpcore2
import httpx2

Address: TypeAlias = IPv4Address | IPv6Address
Resolver: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""(host, port) → addresses as text; OSError if the name is unknown."""
SocketOption: TypeAlias = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
MAX_URL: Final = 2048
NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))  # RFC 6052, RFC 8215
NEVER: Final = tuple(
    ip_network(text)
    for text in (
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598: neither private nor global to Python
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",
        "fec0::/10",  # site local, RFC 3879
        "100::/64",
        "2001::/23",
        "2002::/16",  # 6to4: carries an IPv4 address
        "3fff::/20",  # documentation, RFC 9637: newer than Python 3.11's tables
        "5f00::/16",
    )
)
LOCAL_NAMES: Final = ("localhost", "local", "internal", "localdomain", "home.arpa", "lan", "intranet")


class AddressRefused(httpx2.ConnectError):
    """The host is, or resolves to, an address that may not be reached. Trying again does not help."""


async def system_resolver(host: str, port: int) -> list[str]:
    """The operating system's answer."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(entry[4][0] for entry in found))


class Guard:
    """Says which hosts may be reached. `allow_hosts`: names, addresses or networks (`10.0.0.0/8`) that always may.

    An allowed name may resolve to anything; an allowed network covers every name that resolves into it.
    """

    def __init__(self, allow_hosts: Iterable[str] = (), resolver: Resolver = system_resolver) -> None:
        self._names: set[str] = set()
        self._networks: list[object] = []
        self._resolve = resolver
        for entry in allow_hosts:
            text = entry.strip().strip("[]").lower().rstrip(".")
            try:
                self._networks.append(ip_network(text, strict=False))
            except ValueError:
                self._names.add(text)

    def fault(self, url: str) -> str:
        """What is wrong with a URL as it is written, `""` if nothing is; asks no name server."""
        if len(url) > MAX_URL:
            return f"is longer than {MAX_URL} characters"
        if any(ord(char) <= 32 or ord(char) == 127 for char in url):
            return "has spaces or control characters"
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
            httpx2.URL(url)
        except (ValueError, httpx2.InvalidURL):
            return "is not a URL"
        if parts.scheme not in ("http", "https"):
            return "is not an http or https URL"
        if not host:
            return "names no host"
        if parts.username is not None or parts.password is not None:
            return "holds a user name or password"
        return "" if self._may_name(host) else "names a host of a private network"

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses that may be connected to. Raises AddressRefused, or OSError for an unknown name."""
        name = host.lower().rstrip(".")
        found = await self._resolve(host, port)
        if name not in self._names:
            for text in found:
                if not self._may_reach(ip_address(text.partition("%")[0])):
                    raise AddressRefused(f"{host} is an address of a private network")
        if not found:
            raise AddressRefused(f"{host} has no address")
        return found

    def guarded_client(self, *, timeout: float = 30.0, follow_redirects: bool = False) -> httpx2.AsyncClient:
        """A client whose every connection is checked. Proxies of the environment are not used: they would connect
        unchecked. Close it after use."""
        return httpx2.AsyncClient(
            transport=_GuardedTransport(self),
            timeout=timeout,
            follow_redirects=follow_redirects,
            max_redirects=5,
            trust_env=False,
        )

    def _may_name(self, host: str) -> bool:
        name = host.lower().rstrip(".")
        if name in self._names:
            return True
        try:
            return self._may_reach(ip_address(name))
        except ValueError:
            labels = name.split(".")
        if labels[-1][:1].isdigit():  # 127.1, 2130706433, 0x7f000001: other spellings of an IPv4 address
            return False
        return not any(name == local or name.endswith(f".{local}") for local in LOCAL_NAMES)

    def _may_reach(self, address: Address) -> bool:
        if any(address in network for network in self._networks):  # type: ignore[operator]
            return True
        inner = _carried(address)
        if inner is not None:
            return self._may_reach(inner)
        return is_public(address)


def is_public(address: Address) -> bool:
    """True for an address of the open internet, as IANA's special-purpose registries have it."""
    if isinstance(address, IPv6Address) and _carried(address) is not None:
        return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in NEVER if network.version == address.version)
    )


def _carried(address: Address) -> IPv4Address | None:
    """The IPv4 address that a mapped (::ffff:0:0/96) or NAT64 address leads to."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if any(address in network for network in NAT64) or (int(address) >> 32 == 0 and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


class _GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects only to addresses that the guard has just checked."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._inner = cast(httpcore2.AsyncNetworkBackend, httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore2's signature)
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: Exception = httpcore2.ConnectError(f"{host} cannot be reached")
        try:
            with anyio.fail_after(timeout):
                found = await self._guard.addresses(host, port)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"{host} was not resolved in time") from error
        except OSError as error:
            raise httpcore2.ConnectError(f"{host} has no address") from error
        for address in found[:4]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore2's signature)
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        raise AddressRefused("a local socket may not be reached")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


@cache
def _tls() -> ssl.SSLContext:
    """Made once: reading the system's certificates takes some 50 ms."""
    return httpx2.create_ssl_context()


class _GuardedTransport(httpx2.AsyncHTTPTransport):
    """httpx2's transport over a pool that uses the guarded backend (httpx2 2.16 takes no backend itself)."""

    def __init__(self, guard: Guard) -> None:
        super().__init__(verify=_tls())
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_tls(),
            max_connections=100,
            max_keepalive_connections=10,
            keepalive_expiry=5.0,
            network_backend=_GuardedBackend(guard),
        )
