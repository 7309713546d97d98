"""The one websocket to an engine, shared by all prompts of this process there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from runner.engine.frames import Frame, FrameReader
from runner.engine.http import Ambiguous, Refused, Timing
from runner.tasks import cancel_and_wait

_HELLO: Final = json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
"""Must be the first message: previews then say which prompt and node they are of."""


class EventSocket:
    """Keeps one socket under one client_id; frames go to `on_frame`, a lost socket is told to `on_drop`.

    The old socket is closed before a new one is opened: ComfyUI's clean-up of an old one would silence the new one
    of the same client_id (0.3.64 and 0.8.0).
    """

    def __init__(
        self,
        base_url: str,
        client_id: str,
        timing: Timing,
        on_frame: Callable[[Frame], None],
        on_drop: Callable[[], None],
    ) -> None:
        scheme, _, rest = base_url.partition("://")
        self._url = f"{'wss' if scheme == 'https' else 'ws'}://{rest}/ws?clientId={quote(client_id)}"
        self._timing, self._on_frame, self._on_drop = timing, on_frame, on_drop
        self._connection: ClientConnection | None = None
        self._listening: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self.open = False

    async def ready(self) -> None:
        """Returns once the engine has registered the socket, at once if it had before.

        Errors: EngineUnreachable.
        """
        if self.open:
            return
        async with self._lock:
            if not self.open:
                await self._renew()

    async def renew(self) -> None:
        """Closes the socket and opens another under the same client_id. Errors: EngineUnreachable."""
        async with self._lock:
            await self._renew()

    async def _renew(self) -> None:
        await self._shut()
        reader = FrameReader()
        try:
            connection = await connect(
                self._url,
                compression=None,
                open_timeout=self._timing.connect,
                close_timeout=2.0,
                ping_timeout=None,  # a busy ComfyUI answers no ping for a minute
                max_size=None,
                proxy=None,
                user_agent_header=None,
            )
        except (ConnectionRefusedError, ConnectionResetError):
            raise Refused("Nobody listens at the engine's address") from None
        except (OSError, TimeoutError, WebSocketException) as error:
            raise Ambiguous(f"The engine opens no websocket ({type(error).__name__})") from None
        self._connection = connection
        await self._greet(connection, reader)
        self.open = True
        self._listening = asyncio.create_task(self._listen(connection, reader))

    async def _greet(self, connection: ClientConnection, reader: FrameReader) -> None:
        """Waits for the first status frame: only then are frames of this client_id sure to come here."""
        try:
            await connection.send(_HELLO)
            async with asyncio.timeout(self._timing.request):
                first = await connection.recv()
        except (TimeoutError, WebSocketException) as error:
            await self._shut()
            raise Ambiguous(f"The engine's websocket is silent ({type(error).__name__})") from None
        for frame in reader.read(first):
            self._on_frame(frame)

    async def _listen(self, connection: ClientConnection, reader: FrameReader) -> None:
        try:
            async for message in connection:
                for frame in reader.read(message):
                    self._on_frame(frame)
        except WebSocketException:
            pass
        finally:
            if self._connection is connection:
                self.open = False
                self._on_drop()

    async def _shut(self) -> None:
        connection, listening = self._connection, self._listening
        self._connection, self._listening, self.open = None, None, False
        if listening:
            await cancel_and_wait(listening)
        if connection:
            with suppress(OSError, WebSocketException):
                await connection.close()

    async def close(self) -> None:
        async with self._lock:
            await self._shut()
