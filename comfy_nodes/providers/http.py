"""HTTP as far as a node needs it: which hosts may be called, how much is read, how long is waited.

Python's http.client, because it is everywhere: ComfyUI brings no synchronous client, and a node that is `async def`
would share ComfyUI's event loop with whatever blocks it. A call runs in a thread of its own, so that an interrupt is
noticed while the other side thinks.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from .answer import Answer
from .errors import BadInput, CallError, TooSlow
from .request import Request

ALLOW_ENV = "PROVIDER_ALLOW_HOSTS"
"""Further hosts that may be called and give results, although private: `gateway.internal,http://10.0.0.5:8080`."""
ANSWER_BYTES = 128 << 20
"""Most bytes of an API's answer: a few 4K pictures as base64."""
RESULT_BYTES = {"image": 64 << 20, "video": 1 << 30}
"""Most bytes of one result."""
REDIRECTS = 3
_CHUNK = 1 << 16
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Unreachable(CallError):
    """Nobody answered."""


class Host(Protocol):
    """What a call asks of the program that it runs in; see host.py."""

    def now(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...
    def check(self) -> None: ...
    def progress(self, share: float) -> None: ...


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
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if _origin(url) in self.origins:
            return
        if not any(_matches(host, pattern) for pattern in self.hosts):
            raise CallError(f"{host or 'an address without a host'} is not a host of this provider ({ALLOW_ENV})")
        if keyed and parts.scheme != "https" and not _loopback(host):
            raise CallError(f"{host}: keys are sent over https alone ({ALLOW_ENV} may name http://{host})")

    def private(self, url: str) -> bool:
        """True if this address may be fetched although it is not a public one."""
        origin = _origin(url)
        return origin in self.origins or (origin == _origin(self.base) and _loopback(urlsplit(url).hostname or ""))

    def own(self, url: str) -> bool:
        """True if this address is the API's own, which may want the key again."""
        return _origin(url) == _origin(self.base)


def extra_origins() -> tuple[str, ...]:
    """What PROVIDER_ALLOW_HOSTS names."""
    entries = [entry.strip().lower().rstrip("/") for entry in os.environ.get(ALLOW_ENV, "").split(",")]
    return tuple(entry if "://" in entry else f"https://{entry}" for entry in entries if entry)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{(parts.hostname or '').lower()}{port}"


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def _loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


# --- one exchange ----------------------------------------------------------------------------------------------


def send(request: Request, host: Host, deadline: float, most: int = ANSWER_BYTES, public_only: bool = False) -> Answer:
    """Sends a request and reads the answer whole; follows no redirect.

    Errors: TooSlow past the deadline, CallError if nobody answers or the answer is too large; what `host.check` raises.
    """
    left = deadline - host.now()
    if left <= 0:
        raise TooSlow("the timeout was over before the call")
    exchange = _Exchange(request, left, most, public_only)
    worker = threading.Thread(target=exchange.run, daemon=True, name="comfyc-call")
    worker.start()
    try:
        while worker.is_alive():
            worker.join(0.05)
            host.check()
            if host.now() > deadline:
                raise TooSlow(f"{exchange.host} did not answer within the timeout")
    finally:
        exchange.stop()
    if exchange.error is not None:
        raise exchange.error
    assert exchange.answer is not None
    return exchange.answer


def fetch(url: str, allowed: Allowed, host: Host, deadline: float, most: int, headers: dict[str, str]) -> Answer:
    """Fetches a result. Only public hosts are asked, unless they are allowed by name; redirects are checked likewise.

    `headers` go along to the first host only.
    """
    origin = _origin(url)
    for _ in range(REDIRECTS + 1):
        scheme = urlsplit(url).scheme
        if scheme not in ("http", "https"):
            raise CallError(f"a result lies at {scheme or 'no'}:, which is not fetched")
        sent = headers if _origin(url) == origin else {}
        answer = send(Request("GET", url, {"Accept": "*/*", **sent}), host, deadline, most, not allowed.private(url))
        if answer.status not in (301, 302, 303, 307, 308):
            return answer
        url = urljoin(url, answer.headers.get("location", ""))
    raise CallError("a result is redirected too often")


@dataclass
class _Exchange:
    request: Request
    seconds: float
    most: int
    public_only: bool
    answer: Answer | None = None
    error: CallError | None = None
    stopped: bool = False
    connection: http.client.HTTPConnection | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        return urlsplit(self.request.url).hostname or ""

    def run(self) -> None:
        try:
            self.answer = self._talk()
        except CallError as error:
            self.error = error
        except TimeoutError:
            self.error = TooSlow(f"{self.host} did not answer within the timeout")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.error = Unreachable(f"{self.host} cannot be reached ({type(error).__name__})")
        finally:
            self.stop()

    def stop(self) -> None:
        """Ends the exchange from any thread: a socket that is shut down wakes whoever reads it."""
        self.stopped = True
        connection = self.connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
            with suppress(OSError):
                connection.close()

    def _talk(self) -> Answer:
        parts = urlsplit(self.request.url)
        address = _address(self.host, parts.port or (443 if parts.scheme == "https" else 80), self.public_only)
        made = _Pinned(parts.hostname or "", parts.port, address, self.seconds, parts.scheme == "https")
        self.connection = made
        made.connect()
        if self.stopped:
            raise Unreachable(f"{self.host} was not called: it was too late")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"User-Agent": "comfyc", "Accept-Encoding": "identity", **self.request.headers}
        made.request(self.request.method, target, self.request.body or None, headers)
        response = made.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, named, self._read(response))

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        if (response.length or 0) > self.most:
            raise CallError(f"{self.host} answers with more than {self.most >> 20} MB")
        read = bytearray()
        while chunk := response.read(_CHUNK):
            read += chunk
            if len(read) > self.most:
                raise CallError(f"{self.host} answers with more than {self.most >> 20} MB")
            if self.stopped:
                break
        return bytes(read)


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that was checked before, so that a name cannot change its mind."""

    def __init__(self, name: str, port: int | None, address: tuple[str, int], seconds: float, tls: bool) -> None:
        self.default_port = 443 if tls else 80
        super().__init__(name, port, timeout=seconds)
        self._address, self._tls = address, tls

    def connect(self) -> None:
        self.sock = socket.create_connection(self._address, self.timeout)
        if self._tls:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)


def _address(name: str, port: int, public_only: bool) -> tuple[str, int]:
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreachable(f"{name or 'a host without a name'} is not known") from None
    addresses = [str(entry[4][0]) for entry in found]
    if public_only and not all(_public(address) for address in addresses):
        raise CallError(f"{name} is not a public host; results are not fetched from there ({ALLOW_ENV})")
    return addresses[0], port


def _public(address: str) -> bool:
    read = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(read, ipaddress.IPv6Address):
        nat64 = ipaddress.IPv4Address(int(read) & 0xFFFFFFFF) if read in _NAT64 else None
        read = read.ipv4_mapped or read.sixtofour or nat64 or read
    return read.is_global and not read.is_multicast


def ensure_small(data: bytes, most: int, what: str) -> None:
    """Errors: BadInput if there are more bytes than the other side takes."""
    if len(data) > most:
        raise BadInput(f"{what}: {len(data) >> 20} MB are more than the {most >> 20} MB that the provider takes")


def allowed_for(base: str, hosts: Sequence[str]) -> Allowed:
    """The hosts of a declaration, the base URL's, and those of the environment."""
    own = (urlsplit(base).hostname or "").lower()
    return Allowed(base, (own, *hosts), extra_origins())
