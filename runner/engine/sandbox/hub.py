"""The websocket side: who listens under which client id, and what is sent to whom.

As on ComfyUI, a client id names one socket. A new socket takes the place of an older one, and when the older one's
handler ends, it removes whatever stands under that id: the newer one then hears nothing, though it stays open.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from starlette.websockets import WebSocket, WebSocketDisconnect

from runner.engine.sandbox import wire
from runner.engine.sandbox.faults import Faults

Frame = str | bytes
Greeting = Callable[[], Mapping[str, Any]]


class Client:
    """One open socket and the frames that wait to be sent on it."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self.frames: asyncio.Queue[Frame] = asyncio.Queue()
        self.wants_metadata = False


class Hub:
    """All sockets of one sandbox. `publish` may be called from any thread; everything else belongs to the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, features: Mapping[str, Any], faults: Faults) -> None:
        self._loop, self._features, self._faults = loop, features, faults
        self._clients: dict[Any, Client] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.running: tuple[Any, str | None] = (None, None)
        """The client id whose prompt runs, and the node at work: told to a socket that comes back."""

    def heard(self, sid: Any) -> bool:
        """Whether a frame to `sid` (None: to all) would reach anybody."""
        return bool(self._clients) if sid is None else sid in self._clients

    def wants_metadata(self, sid: Any) -> bool:
        """Whether this client negotiated previews with metadata; never, for a broadcast."""
        client = self._clients.get(sid) if sid is not None else None
        return client is not None and client.wants_metadata

    def publish(self, frame: Frame, sid: Any = None) -> None:
        """Sends to one client, or to all. Frames to a client keep their order."""
        self._loop.call_soon_threadsafe(self._deliver, frame, sid)

    def _deliver(self, frame: Frame, sid: Any) -> None:
        if self._faults.silent():
            return
        clients = list(self._clients.values()) if sid is None else [self._clients.get(sid)]
        for client in clients:
            if client is not None:
                client.frames.put_nowait(frame)

    async def serve(self, socket: WebSocket, remaining: Callable[[], int]) -> None:
        """Serves one socket until it closes."""
        await socket.accept()
        sid = socket.query_params.get("clientId", "") or uuid4().hex
        client = Client(socket)
        self._clients.pop(sid, None)
        self._clients[sid] = client
        client.frames.put_nowait(
            wire.message("status", {"status": {"exec_info": {"queue_remaining": remaining()}}, "sid": sid})
        )
        owner, node = self.running
        if owner == sid and node is not None:
            client.frames.put_nowait(wire.message("executing", {"node": node}))
        if self._faults.take("deaf_socket"):
            self._loop.call_soon(self._clients.pop, sid, None)
        sender = asyncio.create_task(self._send(client))
        self.tasks.add(sender)
        try:
            await self._receive(client)
        finally:
            sender.cancel()
            self.tasks.discard(sender)
            self._clients.pop(sid, None)

    @staticmethod
    async def _send(client: Client) -> None:
        try:
            while True:
                frame = await client.frames.get()
                if isinstance(frame, str):
                    await client.socket.send_text(frame)
                else:
                    await client.socket.send_bytes(frame)
        except (WebSocketDisconnect, RuntimeError, OSError):
            return

    async def _receive(self, client: Client) -> None:
        first = True
        while True:
            received = await client.socket.receive()
            if received["type"] == "websocket.disconnect":
                return
            try:
                said = json.loads(received.get("text") or "")
                kind = said.get("type") if first else None
            except (ValueError, AttributeError):
                continue  # a message that is no JSON object does not count as the first
            first = False
            if kind == "feature_flags":
                flags: dict[str, Any] = said.get("data") or {}
                client.wants_metadata = flags.get("supports_preview_metadata") is True
                client.frames.put_nowait(wire.message("feature_flags", self._features))

    def sockets(self) -> list[WebSocket]:
        """The sockets that are served now."""
        return [client.socket for client in self._clients.values()]
