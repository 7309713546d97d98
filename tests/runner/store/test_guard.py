"""Nothing private is reached: not by address, by name, by redirect, or by a name that changes its mind."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address

import httpx2
import pytest

from runner.store.guard import AddressRefused, Guard, is_public

PRIVATE = """
127.0.0.1 127.255.255.254 0.0.0.0 10.1.2.3 172.16.0.1 172.31.255.255 192.168.0.1 169.254.169.254 100.64.0.1
100.127.255.255 192.0.0.8 192.0.2.1 198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1
255.255.255.255 192.88.99.1 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 64:ff9b::a00:1
64:ff9b:1::a00:1 fe80::1 fc00::1 fd12:3456::1 fec0::1 ff02::1 2001:db8::1 2002:7f00:1::1 2001::1 100::1 3fff::1
5f00::1
"""
PUBLIC = "1.1.1.1 8.8.8.8 93.184.216.34 100.63.255.255 100.128.0.1 2606:4700::1111 2a00:1450::1"


@pytest.mark.parametrize("text", PRIVATE.split())
async def test_private_addresses(text: str) -> None:
    assert not is_public(ip_address(text))
    host = f"[{text}]" if ":" in text else text
    assert Guard().fault(f"http://{host}/x") == "names a host of a private network"
    with pytest.raises(AddressRefused):
        await Guard(resolver=answers([text])).addresses("innocent.example", 80)


@pytest.mark.parametrize("text", PUBLIC.split())
async def test_public_addresses(text: str) -> None:
    assert is_public(ip_address(text))
    assert await Guard(resolver=answers([text])).addresses("fine.example", 80) == [text]


async def test_an_address_in_nat64_leads_where_its_ipv4_leads() -> None:
    guard = Guard(("10.0.0.0/8",), resolver=answers(["64:ff9b::a00:1"]))
    assert await guard.addresses("x.example", 80) == ["64:ff9b::a00:1"]


async def test_one_private_address_among_public_ones_is_enough() -> None:
    with pytest.raises(AddressRefused):
        await Guard(resolver=answers(["1.1.1.1", "127.0.0.1"])).addresses("mixed.example", 80)
    with pytest.raises(AddressRefused):
        await Guard(resolver=answers([])).addresses("nothing.example", 80)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://example.com/hook?x=1#y", ""),
        ("http://example.com:8080", ""),
        ("http://[2606:4700::1111]/", ""),
        ("HTTPS://EXAMPLE.COM/", ""),
        ("https://bücher.example/", ""),
        ("ftp://example.com/", "is not an http or https URL"),
        ("file:///etc/passwd", "is not an http or https URL"),
        ("gopher://example.com", "is not an http or https URL"),
        ("example.com/hook", "is not an http or https URL"),
        ("", "is not an http or https URL"),
        ("http://", "names no host"),
        ("http:///x", "names no host"),
        ("http://[::1", "is not a URL"),
        ("http://example.com:99999/", "is not a URL"),
        ("http://example.com:x/", "is not a URL"),
        ("http://user:pass@example.com/", "holds a user name or password"),
        ("http://user@127.0.0.1/", "holds a user name or password"),
        ("http://exa mple.com/", "has spaces or control characters"),
        ("http://example.com/\r\nHost: x", "has spaces or control characters"),
        ("http://example.com/" + "x" * 2100, "is longer than 2048 characters"),
        ("http://localhost/", "names a host of a private network"),
        ("http://LOCALHOST./", "names a host of a private network"),
        ("http://printer.local/", "names a host of a private network"),
        ("http://metadata.google.internal/", "names a host of a private network"),
        ("http://127.1/", "names a host of a private network"),
        ("http://2130706433/", "names a host of a private network"),
        ("http://0x7f000001/", "names a host of a private network"),
        ("http://0177.0.0.1/", "is not a URL"),
        ("http://[::ffff:127.0.0.1]/", "names a host of a private network"),
    ],
)
def test_urls_as_written(url: str, fault: str) -> None:
    assert Guard().fault(url) == fault


def test_allowed_hosts() -> None:
    guard = Guard(("minio.internal", "10.0.0.0/8", "::1", "[fd00::7]", " LocalHost "))
    for host in ("minio.internal", "10.9.8.7", "[::1]", "[fd00::7]", "localhost", "[::ffff:10.0.0.1]"):
        assert guard.fault(f"http://{host}:9000/x") == "", host
    for host in ("127.0.0.1", "other.internal", "192.168.0.1", "x.localhost", "[fd00::8]"):
        assert guard.fault(f"http://{host}/x") == "names a host of a private network", host


async def test_a_request_goes_to_the_address_that_was_checked() -> None:
    async with server() as port:
        asked: list[str] = []

        async def resolver(host: str, _port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"]

        async with Guard(("service.example",), resolver).guarded_client() as client:
            response = await client.get(f"http://service.example:{port}/hello")
    assert response.text == f"hello service.example:{port}"
    assert asked == ["service.example"]


async def test_a_name_that_changes_its_mind() -> None:
    """Each connection is checked anew; there is no second look-up between the check and the use."""
    turns = iter([["1.1.1.1"], ["127.0.0.1"]])

    async def rebinding(_host: str, _port: int) -> list[str]:
        return next(turns)

    guard = Guard(resolver=rebinding)
    assert await guard.addresses("rebind.example", 80) == ["1.1.1.1"]
    async with server() as port, guard.guarded_client() as client:
        with pytest.raises(AddressRefused):
            await client.get(f"http://rebind.example:{port}/hello")


async def test_a_redirect_into_the_private_network() -> None:
    async with server() as port, Guard(("front.example",), answers(["127.0.0.1"])).guarded_client() as client:
        assert (await client.get(f"http://front.example:{port}/redirect")).status_code == 302
        with pytest.raises(AddressRefused):
            await client.get(f"http://front.example:{port}/redirect", follow_redirects=True)


async def test_loopback_is_refused_by_the_real_resolver() -> None:
    async with server() as port, Guard().guarded_client() as client:
        for host in ("127.0.0.1", "localhost", "[::1]", "127.1", "0"):
            with pytest.raises(AddressRefused):
                await client.get(f"http://{host}:{port}/hello")


async def test_loopback_is_reached_when_allowed() -> None:
    async with server() as port, Guard(("127.0.0.1",)).guarded_client() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/hello")).status_code == 200


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server() as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{port}")
        async with Guard(resolver=answers(["127.0.0.1"])).guarded_client() as client:
            with pytest.raises(AddressRefused):
                await client.get("http://proxied.example/hello")


async def test_an_unknown_name_is_a_plain_connection_error() -> None:
    async def unknown(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    async with Guard(resolver=unknown).guarded_client() as client:
        with pytest.raises(httpx2.ConnectError) as caught:
            await client.get("http://nowhere.example/")
    assert not isinstance(caught.value, AddressRefused)


async def test_a_slow_name_server_times_out() -> None:
    async def slow(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(30)
        return []

    async with Guard(resolver=slow).guarded_client(timeout=0.05) as client:
        with pytest.raises(httpx2.ConnectTimeout):
            await client.get("http://slow.example/")


async def test_tls_verifies_the_name_not_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[object] = []
    real = ssl.SSLContext.wrap_bio

    def spy(self: ssl.SSLContext, *args: object, **options: object) -> object:
        names.append(options.get("server_hostname"))
        assert self.verify_mode is ssl.CERT_REQUIRED
        assert self.check_hostname
        return real(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ssl.SSLContext, "wrap_bio", spy)
    async with server() as port, Guard(("secure.example",), answers(["127.0.0.1"])).guarded_client() as client:
        with pytest.raises(httpx2.ConnectError):  # the server speaks no TLS
            await client.get(f"https://secure.example:{port}/")
    assert names == [b"secure.example"]


def answers(addresses: list[str]) -> Callable[[str, int], asyncio.Future[list[str]]]:
    """A resolver that always answers the same."""

    async def resolve(_host: str, _port: int) -> list[str]:
        return addresses

    return resolve  # type: ignore[return-value]


@asynccontextmanager
async def server() -> AsyncIterator[int]:
    """A real HTTP server on loopback; /redirect leads to 127.0.0.1 by address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.readexactly(1)
            if first == b"\x16":  # a TLS hello
                return
            head = "G" + (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            host = next(line[6:] for line in head.split("\r\n") if line.lower().startswith("host: "))
            if head.startswith("GET /redirect"):
                answer = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{port}/hello\r\n"
                body = b""
            else:
                answer, body = "HTTP/1.1 200 OK\r\n", f"hello {host}".encode()
            writer.write(f"{answer}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield port
