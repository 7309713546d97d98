"""A stand-in for Civitai on loopback: real HTTP, with versions, files and mishaps that a test chooses."""

from __future__ import annotations

import asyncio
import hashlib
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


def safetensors(tensors: int = 2, size: int = 4096) -> bytes:
    """A small file of the format: `tensors` tensors, `size` bytes of data each."""
    header = {
        f"lora_{index}.weight": {
            "dtype": "F16",
            "shape": [size // 2],
            "data_offsets": [index * size, (index + 1) * size],
        }
        for index in range(tensors)
    }
    head = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    data = b"".join(bytes([index % 256]) * size for index in range(tensors))
    return struct.pack("<Q", len(head)) + head + data


@dataclass
class Download:
    """One file behind `/api/download/models/<id>`."""

    data: bytes
    cut: list[int] = field(default_factory=list)
    """After how many bytes each of the next answers breaks off."""
    statuses: list[int] = field(default_factory=list)
    """What the next answers are instead of the file."""
    ranges: bool = True
    """Whether it goes on in the middle."""
    redirect: str = ""
    """Another host that sends it."""


@dataclass
class Civitai:
    """What it knows, and what it was asked: (method and path, headers)."""

    base: str = ""
    other: str = ""
    """The same server under another host name."""
    versions: dict[int, dict[str, Any] | int] = field(default_factory=dict)
    """Version id → its row, or an HTTP status."""
    models: dict[int, list[int]] = field(default_factory=dict)
    downloads: dict[int, Download] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def add(self, version: int, data: bytes | None = None, **more: Any) -> Download:
        """A LoRA of one file; `more` changes its row, `file` its file's row, `sha256` the hash that it tells."""
        data = safetensors() if data is None else data
        given = more.pop("sha256", hashlib.sha256(data).hexdigest().upper())
        file = {
            "name": "style.safetensors",
            "sizeKB": len(data) / 1024,
            "type": "Model",
            "primary": True,
            "hashes": {"SHA256": given} if given else {},
            "downloadUrl": f"{self.base}/api/download/models/{version}",
            **more.pop("file", {}),
        }
        row = {
            "id": version,
            "modelId": version // 10,
            "name": "v1.0",
            "baseModel": "SDXL 1.0",
            "trainedWords": ["anime_style"],
            "model": {"name": "Anime style", "type": "LORA"},
            "files": [file],
        }
        self.versions[version] = row | more
        self.downloads[version] = Download(data)
        return self.downloads[version]

    def paths(self) -> list[str]:
        return [line.split("?")[0] for line, _ in self.asked]


@asynccontextmanager
async def civitai() -> AsyncIterator[Civitai]:
    """The stand-in on a free port, under 127.0.0.1 and localhost."""
    double = Civitai()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = lines[0].split(" ")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
            double.asked.append((f"{method} {path}", headers))
            await _answer(double, path.partition("?")[0], headers, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        double.base, double.other = f"http://127.0.0.1:{port}", f"http://localhost:{port}"
        yield double


async def _answer(double: Civitai, path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
    kind, _, ident = path.strip("/").rpartition("/")
    number = int(ident) if ident.isdigit() else -1
    if kind == "api/v1/model-versions":
        row = double.versions.get(number, 404)
        _send(writer, row if isinstance(row, int) else 200, b"{}" if isinstance(row, int) else json.dumps(row).encode())
    elif kind == "api/v1/models":
        versions = double.models.get(number)
        row = {"id": number, "modelVersions": [{"id": one} for one in versions or ()]}
        _send(writer, 404 if versions is None else 200, json.dumps(row).encode())
    elif kind in ("api/download/models", "cdn"):
        _file(double.downloads[number], number, kind, headers, writer)
    else:
        _send(writer, 404, b"{}")
    await writer.drain()


def _file(found: Download, number: int, kind: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
    if found.redirect and kind != "cdn":
        _send(writer, 307, b"", [f"Location: {found.redirect}/cdn/{number}"])
        return
    if found.statuses:
        _send(writer, found.statuses.pop(0), b"no")
        return
    start = int(headers["range"].removeprefix("bytes=").rstrip("-")) if "range" in headers and found.ranges else 0
    if start and start >= len(found.data):
        _send(writer, 416, b"")
        return
    data = found.data[start:]
    more = [f"Content-Range: bytes {start}-{len(found.data) - 1}/{len(found.data)}"] if start else []
    sent = data[: found.cut.pop(0)] if found.cut else data
    _send(writer, 206 if start else 200, sent, more, announced=len(data))


def _send(
    writer: asyncio.StreamWriter, status: int, body: bytes, more: list[str] | None = None, announced: int | None = None
) -> None:
    length = len(body) if announced is None else announced
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {length}", "Connection: close", *(more or [])]
    writer.write("\r\n".join([*head, "", ""]).encode() + body)
