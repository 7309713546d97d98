"""The whole service (HTTP create → durable job → done) beside a bare client that keeps the engines' queues full.

    python benchmarks/bench_service.py [--jobs 120] [--database sqlite --database postgresql] [--instances 4]

Jobs of about half a second (four sampler steps on sandboxes that take their time); every sandbox is a process. The bare
client sends the very same graphs, two to each instance at any time, and reads nothing back. Goal: over 0.95×.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import sqlalchemy as sa
from common import (
    POSTGRES,
    ROOT,
    BareClient,
    bare_client,
    environment,
    free_port,
    row,
    sandboxes,
    wait_until_answering,
)

from compiler import Library, compile_request, load_library, parse_request, shipped_catalog

STEP_SECONDS = 0.12
TENANTS = 16
REQUEST = {"model": "wan22-t2i", "prompt": "a lighthouse", "width": 256, "height": 256}


def api_graph(library: Library, number: int) -> dict[str, Any]:
    provider, request = parse_request("ext", {**REQUEST, "seed": number})
    return compile_request(provider, request, {}, library, shipped_catalog(), prefix=f"bare-{uuid.uuid4().hex[:8]}").api


async def bare(urls: Sequence[str], jobs: int) -> float:
    """Jobs a second with two prompts at each instance at any time."""
    library = load_library()
    numbers = iter(range(jobs))

    async def feed(client: BareClient) -> None:
        async with asyncio.TaskGroup() as group:
            done, finished = asyncio.Queue[str](), asyncio.Event()
            group.create_task(listen(client, done, finished))
            waiting = 0
            for number in numbers:
                body = {"prompt": api_graph(library, number), "client_id": client.client_id}
                (await client.http.post("/prompt", json=body)).raise_for_status()
                waiting += 1
                if waiting == 2:
                    await done.get()
                    waiting -= 1
            for _ in range(waiting):
                await done.get()
            finished.set()

    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(bare_client(url)) for url in urls]
        began = time.perf_counter()
        await asyncio.gather(*(feed(client) for client in clients))
        return jobs / (time.perf_counter() - began)


async def listen(client: BareClient, done: asyncio.Queue[str], finished: asyncio.Event) -> None:
    """Counts the ends of prompts until there is nothing left."""
    while not finished.is_set():
        with contextlib.suppress(TimeoutError):
            frame = await asyncio.wait_for(client.socket.recv(), 0.2)
            if isinstance(frame, str) and '"executing"' in frame and '"node": null' in frame.replace(":null", ": null"):
                await done.put(frame)


async def service(base: str, jobs: int) -> float:
    """Jobs a second from the first create to the last that is done, with as many waiting as the tenants may have."""
    heads = [{"Authorization": f"Bearer ext_tenant{number}"} for number in range(TENANTS)]
    numbers = iter(range(jobs))
    async with httpx2.AsyncClient(base_url=base, timeout=60) as http:

        async def customer(head: dict[str, str]) -> None:
            for number in numbers:
                created = await http.post("/api/v1/img", json={**REQUEST, "seed": number}, headers=head)
                ident = created.raise_for_status().json()["id"]
                while not (await http.get(f"/api/v1/img/{ident}", headers=head)).json()["finished_at"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.25)

        began = time.perf_counter()
        await asyncio.gather(*(customer(head) for head in heads))
        return jobs / (time.perf_counter() - began)


@contextlib.contextmanager
def serving(urls: Sequence[str], database: str, data: Path) -> Generator[str]:
    """`comfyc serve` on these engines and that database."""
    port = free_port()
    settings = {
        "COMFYC_ENGINE": ",".join(urls),
        "COMFYC_DATABASE": database,
        "COMFYC_DATA": str(data),
        "COMFYC_API_KEYS": ",".join(f"tenant{number}:ext_tenant{number}" for number in range(TENANTS)),
        "COMFYC_LOG_LEVEL": "warning",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", "serve", "--port", str(port)],
        cwd=ROOT,
        env=environment(**settings),
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until_answering(f"http://127.0.0.1:{port}/readyz", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def database_url(kind: str, data: Path) -> Generator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{data / 'bench.db'}"
        return
    name = f"comfyc_bench_{uuid.uuid4().hex[:8]}"
    admin = sa.create_engine(sa.make_url(POSTGRES).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        yield sa.make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=120)
    parser.add_argument("--instances", type=int, default=4)
    parser.add_argument("--database", action="append", choices=["sqlite", "postgresql"])
    asked = parser.parse_args()
    print(f"{asked.jobs} jobs of about {4 * STEP_SECONDS:.1f} s on {asked.instances} instances")
    row("database", "comfyc", "bare client", "ratio")
    for kind in asked.database or ["sqlite", "postgresql"]:
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder)
            with sandboxes(asked.instances, data, STEP_SECONDS) as urls, database_url(kind, data) as database:
                asyncio.run(bare(urls, 2 * asked.instances))  # warm
                before = asyncio.run(bare(urls, asked.jobs))
                with serving(urls, database, data / "serve") as base:
                    ours = asyncio.run(service(base, asked.jobs))
                theirs = (before + asyncio.run(bare(urls, asked.jobs))) / 2
        row(kind, f"{ours:.2f} jobs/s", f"{theirs:.2f} jobs/s", f"{ours / theirs:.2f}×")


if __name__ == "__main__":
    main()
