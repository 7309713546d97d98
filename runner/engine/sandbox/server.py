"""The sandbox as an engine: a server on a port of its own, in this process or as one.

async with Sandbox(catalog, Path("data/sandbox")) as sandbox:
    ...  # an engine at sandbox.url
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket as sockets
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.server import ServerState

from compiler.catalog import Catalog
from runner.engine.sandbox import ops as all_ops
from runner.engine.sandbox.app import make_app
from runner.engine.sandbox.core import Core
from runner.engine.sandbox.faults import Fault, Faults
from runner.engine.sandbox.run import Folders, Ops

CRASHED = 70
"""Exit code of a sandbox process that a fault ended."""


class Sandbox:
    """One sandbox. Several may run in one process; each has its data directory (input, output, temp)."""

    def __init__(
        self,
        catalog: Catalog,
        data_dir: Path,
        *,
        name: str = "sandbox",
        faults: Iterable[Fault] | Faults = (),
        seed: int = 0,
        step_seconds: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
        ops: Ops = all_ops,
        exit_on_crash: Callable[[int], Any] | None = None,
    ) -> None:
        self.name, self.catalog, self.host, self.port = name, catalog, host, port
        self.faults = faults if isinstance(faults, Faults) else Faults(faults, seed=seed)
        root = data_dir.resolve()
        self.folders = Folders(root / "input", root / "output", root / "temp")
        self._ops, self._step_seconds, self._exit = ops, step_seconds, exit_on_crash
        self._core: Core | None = None
        self._state = ServerState()
        self._listener: asyncio.Server | None = None
        self._config: Config | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def core(self) -> Core:
        """The boot that serves now.

        Errors: RuntimeError while the sandbox is down.
        """
        if self._core is None:
            raise RuntimeError(f"{self.name} is down")
        return self._core

    @property
    def booted(self) -> bool:
        """Whether it runs; False after a crash, until it is started again."""
        return self._core is not None

    @property
    def listening(self) -> bool:
        """Whether its port is open."""
        return self._listener is not None

    def stock(self, folder: str, files: Iterable[str]) -> None:
        """Offers these model files too, in a folder such as `loras`; from now on and after each boot."""
        names = dict.fromkeys((*(self.catalog.files(folder) or ()), *files))
        self.catalog = self.catalog.with_files({f"models/{folder}": tuple(names)})
        if self._core is not None:
            self._core.restock(self.catalog)

    async def __aenter__(self) -> Sandbox:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Boots: an empty queue, an empty history, a worker; then listens."""
        self._loop = asyncio.get_running_loop()
        self.faults.rebooted()
        self._core = Core(
            self.name,
            self.catalog,
            self.folders,
            self._ops,
            self.faults,
            crash=self._crash_from_worker,
            drop_sockets=self._drop_from_worker,
            step_seconds=self._step_seconds,
        )
        self._core.start()
        await self._listen()

    async def stop(self) -> None:
        """Cuts every connection and ends the worker; what ran is lost."""
        for task in list(self._tasks):
            if task is not asyncio.current_task():
                task.cancel()
        await self._down()

    async def crash(self, restart_after: float | None = None) -> None:
        """What the end of the process looks like from outside; boots again after so many seconds, if given."""
        await self._down()
        if restart_after is not None:
            await asyncio.sleep(restart_after)
            await self.start()

    # --- listening ---

    async def _listen(self) -> None:
        if self._config is None:
            app = make_app(lambda: self._core, self._cut, self._refuse)
            self._config = Config(
                app,
                http="h11",
                ws="websockets-sansio",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                ws_ping_interval=None,
                ws_per_message_deflate=False,
            )
            self._config.load()
        loop, config = asyncio.get_running_loop(), self._config

        def protocol() -> asyncio.Protocol:
            make: Any = config.http_protocol_class
            return make(config=config, server_state=self._state, app_state={}, _loop=loop)

        # Named as TCP, so that asyncio turns Nagle's algorithm off on what it accepts: 40 ms a request otherwise.
        listener = sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM, sockets.IPPROTO_TCP)
        listener.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
        listener.bind((self.host, self.port))
        self.port = listener.getsockname()[1]
        self._listener = await loop.create_server(protocol, sock=listener, backlog=512)

    async def _down(self) -> None:
        core, self._core = self._core, None
        if core is not None:
            core.stop()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._cut_all()
        await asyncio.sleep(0)
        if core is not None:
            await asyncio.to_thread(core.worker.thread.join, 5.0)
        for task in list(self._state.tasks):
            task.cancel()
        await asyncio.gather(*self._state.tasks, return_exceptions=True)

    # --- cutting ---

    def _connections(self) -> list[Any]:
        return list(self._state.connections)

    def _cut(self, scope: Scope) -> None:
        for connection in self._connections():
            if connection.scope is scope or getattr(connection, "client", None) == scope.get("client"):
                connection.transport.abort()

    def _cut_all(self) -> None:
        for connection in self._connections():
            connection.transport.abort()

    def _refuse(self, seconds: float) -> None:
        self._background(self._closed_for(seconds))

    async def _closed_for(self, seconds: float) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._cut_all()
        await asyncio.sleep(seconds)
        await self._listen()

    def _background(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- called by the worker thread ---

    def _crash_from_worker(self, seconds: float | None) -> None:
        if self._exit is not None:
            self._exit(CRASHED)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(lambda: self._background(self.crash(seconds)))

    def _drop_from_worker(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._drop_sockets)

    def _drop_sockets(self) -> None:
        core = self._core
        for socket in core.hub.sockets() if core else ():
            self._cut(socket.scope)


def exit_process(code: int) -> None:
    """Ends this process at once, as a crash does: no handler runs."""
    with contextlib.suppress(OSError):
        os._exit(code)
