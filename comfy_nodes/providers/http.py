"""HTTP as far as a node needs it: how much is read, how long is waited; hosts.py tells which hosts may be called.

Python's http.client, because it is everywhere: ComfyUI brings no synchronous client, and a node that is `async def`
would share ComfyUI's event loop with whatever blocks it. A call runs in a thread of its own, so that an interrupt is
noticed while the other side thinks.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from .answer import Answer
from .errors import BadInput, CallError, TooSlow
from .hosts import ALLOW_ENV, Allowed, joined, origin, split
from .request import Request

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
    first = origin(url)
    for _ in range(REDIRECTS + 1):
        scheme = split(url).scheme
        if scheme not in ("http", "https"):
            raise CallError(f"a result lies at {scheme or 'no'}:, which is not fetched")
        sent = headers if origin(url) == first else {}
        answer = send(Request("GET", url, {"Accept": "*/*", **sent}), host, deadline, most, not allowed.private(url))
        if answer.status not in (301, 302, 303, 307, 308):
            return answer
        url = joined(url, answer.headers.get("location", ""))
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
        port = parts.port or (443 if parts.scheme == "https" else 80)
        addresses = _addresses(self.host, port, self.public_only)
        made = _Pinned(parts.hostname or "", port, addresses, self.seconds, parts.scheme == "https")
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
    """A connection to addresses that were checked before, so that a name cannot change its mind."""

    def __init__(self, name: str, port: int, addresses: Sequence[str], seconds: float, tls: bool) -> None:
        self.default_port = 443 if tls else 80
        super().__init__(name, port, timeout=seconds)
        self._addresses, self._tls = addresses, tls

    def connect(self) -> None:
        self.sock = self._first_that_answers()
        if self._tls:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)

    def _first_that_answers(self) -> socket.socket:
        for address in self._addresses[:-1]:
            with suppress(OSError):
                return socket.create_connection((address, self.port), self.timeout)
        return socket.create_connection((self._addresses[-1], self.port), self.timeout)


def _addresses(name: str, port: int, public_only: bool) -> list[str]:
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreachable(f"{name or 'a host without a name'} is not known") from None
    addresses = [str(entry[4][0]) for entry in found]
    if public_only and not all(_public(address) for address in addresses):
        raise CallError(f"{name} is not a public host; results are not fetched from there ({ALLOW_ENV})")
    return addresses


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
