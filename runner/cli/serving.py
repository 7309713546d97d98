"""What `comfyc serve` does: assemble, listen, say where and how, end gracefully."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import signal
import socket
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import uvicorn
from rich.console import Console
from starlette.applications import Starlette

from compiler.errors import Fault
from runner import secrets
from runner.assemble import Comfyc, assemble
from runner.cli.faults import WorkFailed
from runner.durable import DurableError
from runner.engine.instance import Instance
from runner.settings import TENANT, Settings, SettingsError
from runner.store.keys import KeyRing
from runner.telemetry import configure_logging

KEY: Final = "first-key"
STOPS: Final = (signal.SIGINT, signal.SIGTERM)
EXAMPLE: Final = {"model": "wan22-t2i", "prompt": "a lighthouse at dawn", "width": 768, "height": 512}
GRACE_S: Final = 10
"""For open requests to end after a signal."""


async def serve(settings: Settings) -> None:
    """Serves until SIGINT or SIGTERM.

    Errors: SettingsError, TemplateError, EngineError; WorkFailed if another process has the SQLite file.
    """
    configure_logging(settings.log_level, settings.log_format)
    for chatty in ("uvicorn.error", "websockets"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    with listen(settings.host, settings.port) as listener:
        address = public_address(settings, listener.getsockname()[1])
        try:
            async with assemble(settings, address) as comfyc:
                introduce(comfyc, settings, address, await first_key(comfyc.keys, settings))
                await Server(comfyc.app).serve(sockets=[listener])
        except DurableError as error:
            cure = "Stop the other comfyc, take another --data, or set COMFYC_DATABASE to a PostgreSQL"
            raise WorkFailed(Fault("COMFYC_DATABASE", str(error), cure)) from error


def run_loop(work: Coroutine[Any, Any, None]) -> None:
    """`asyncio.run` on uvloop, which serves more requests a second; on asyncio's own loop where there is none."""
    try:
        import uvloop
    except ImportError:  # Windows
        asyncio.run(work)
    else:
        uvloop.run(work)


class Server(uvicorn.Server):
    """Uvicorn, ended by a signal without an exception: uvicorn's own handlers raise the signal again after its end,
    which would cut our own end short. A second signal drops the connections that are still open."""

    def __init__(self, app: Starlette) -> None:
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        super().__init__(config)
        self._closing: asyncio.Event = app.state.closing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._closing.set()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        for number in STOPS:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that a port that is taken is told before anything is started.

    Errors: SettingsError.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                Fault("COMFYC_PORT", f"{port} is in use", "Take another: --port 0 finds one")
            ) from error
        raise SettingsError(Fault("COMFYC_HOST", f"{host}:{port}: {error.strerror or error}")) from error


def public_address(settings: Settings, port: int) -> str:
    """Where callers reach the API, as far as we can know."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "", "::") else settings.host  # noqa: S104  a comparison
    return settings.public_url.rstrip("/") or f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def first_key(keys: KeyRing, settings: Settings) -> str:
    """The key to show: made on first start, then kept; made again when it was revoked."""
    key = secrets.load(settings, KEY)
    if not key or await keys.principal(key) is None:
        key, _ = await keys.create(TENANT)
        secrets.store(settings, KEY, key)
    return key


def introduce(comfyc: Comfyc, settings: Settings, address: str, key: str) -> None:
    """What is served, on what, and a line to paste."""
    console = Console(highlight=False)
    lines = {
        "address": address,
        "studio": f"{address}/studio",
        "key": key,
        "database": "PostgreSQL" if settings.database_url.startswith("postgres") else settings.database_url,
        "data": str(settings.data.absolute()),
    }
    for instance in comfyc.pool.instances():
        lines[f"engine {instance.name}"] = describe(instance, settings)
    for label, text in lines.items():
        console.print(f"{label:<18}  {text}", soft_wrap=True, markup=False)
    console.print("\nTry it (then GET the id it answers, at the same path):\n", markup=False)
    console.print(curl(address, key), soft_wrap=True, markup=False)
    console.print()


def describe(instance: Instance, settings: Settings) -> str:
    version = f"like ComfyUI {instance.catalog.version}" if instance.catalog else "no catalog yet"
    if settings.engine == "sandbox":
        return f"the sandbox, {version}: no models, so its pictures are placeholders"
    return f"{version.removeprefix('like ')}, {instance.standing.value}" + (f": {instance.why}" if instance.why else "")


def curl(address: str, key: str) -> str:
    """A request that works when pasted into a shell."""
    return (
        f"curl -s {address}/api/v1/img -H 'Authorization: Bearer {key}' \\\n"
        f"  -H 'Content-Type: application/json' -d '{json.dumps(EXAMPLE)}'"
    )
