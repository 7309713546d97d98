"""What the benchmarks share: sandboxes as processes of their own, a bare client, and how figures are printed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import websockets

ROOT = Path(__file__).resolve().parents[1]
POSTGRES = os.environ.get("COMFYC_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def row(label: str, *cells: str) -> None:
    print(f"  {label:<44}" + "".join(f"{cell:>16}" for cell in cells), flush=True)


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3f} ms"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without its settings, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COMFYC_")}
    return {**kept, "PYTHONPATH": str(ROOT), **settings}


def wait_until_answering(url: str, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"{process.args} ended with {process.returncode}")
        with contextlib.suppress(httpx2.HTTPError):
            if httpx2.get(url, timeout=2).status_code == 200:
                return
        time.sleep(0.1)
    raise SystemExit(f"{url} did not answer within {seconds:.0f} s")


@contextlib.contextmanager
def sandboxes(count: int, data: Path, step_seconds: float = 0.0) -> Generator[list[str]]:
    """URLs of that many sandboxes, each a process."""
    ports = [free_port() for _ in range(count)]
    module = [sys.executable, "-m", "runner.engine.sandbox", "--step-seconds", str(step_seconds)]
    started = [
        subprocess.Popen(
            [*module, "--port", str(port), "--data", str(data / f"sandbox-{port}")],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.DEVNULL,
        )
        for port in ports
    ]
    try:
        for port, process in zip(ports, started, strict=True):
            wait_until_answering(f"http://127.0.0.1:{port}/system_stats", process)
        yield [f"http://127.0.0.1:{port}" for port in ports]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(20)


@dataclass
class BareClient:
    """The least that gets a prompt done: one HTTP session, one socket, no look-ups, no recovery, no storage."""

    base: str
    http: httpx2.AsyncClient
    socket: websockets.ClientConnection
    client_id: str

    async def run(self, prompt: dict[str, Any], output: str, *, fetch: bool = True) -> None:
        """POST /prompt, wait for its `executing: null`, read history, fetch the one picture."""
        answer = await self.http.post("/prompt", json={"prompt": prompt, "client_id": self.client_id})
        prompt_id = answer.raise_for_status().json()["prompt_id"]
        await self.ended(prompt_id)
        history = (await self.http.get(f"/history/{prompt_id}")).json()
        if fetch:
            file = history[prompt_id]["outputs"][output]["images"][0]
            picture = await self.http.get("/view", params=file)
            assert picture.content[:4] == b"\x89PNG"

    async def ended(self, prompt_id: str) -> None:
        async for frame in self.socket:
            if isinstance(frame, str) and prompt_id in frame:
                message = json.loads(frame)
                if message["type"] == "executing" and message["data"]["node"] is None:
                    return


@contextlib.asynccontextmanager
async def bare_client(base: str) -> AsyncGenerator[BareClient]:
    client_id = uuid.uuid4().hex
    address = base.replace("http", "ws", 1) + f"/ws?clientId={client_id}"
    async with (
        httpx2.AsyncClient(base_url=base, timeout=60) as http,
        websockets.connect(address, max_size=None) as connection,
    ):
        yield BareClient(base, http, connection, client_id)


async def alternate(
    one: Callable[[], Any], two: Callable[[], Any], rounds: int, warm: int = 5
) -> tuple[list[float], list[float]]:
    """Seconds of each call of `one` and `two`, taken in turns, so that the machine's moods hit both alike."""
    first: list[float] = []
    second: list[float] = []
    for number in range(rounds + warm):
        for call, found in ((one, first), (two, second)):
            began = time.perf_counter()
            await call()
            if number >= warm:
                found.append(time.perf_counter() - began)
        await asyncio.sleep(0)
    return first, second
