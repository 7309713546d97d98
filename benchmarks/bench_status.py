"""Status polls a second on one process, beside the engine's own GET /history/{id}.

    python benchmarks/bench_status.py [--seconds 4] [--url http://127.0.0.1:8188]

Several connections poll one finished job, in turns: GET /api/v1/img/{id} of `comfyc serve`, GET /history/{prompt_id} of
the sandbox, and of a real ComfyUI with --url.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
import uuid
from pathlib import Path

import httpx2
from bench_run import graph
from bench_service import REQUEST, database_url, serving
from common import bare_client, row, sandboxes

CONNECTIONS = 8


async def finished_job(base: str) -> str:
    head = {"Authorization": "Bearer ext_tenant0"}
    async with httpx2.AsyncClient(base_url=base, headers=head, timeout=60) as http:
        ident = (await http.post("/api/v1/img", json=REQUEST)).raise_for_status().json()["id"]
        while (await http.get(f"/api/v1/img/{ident}")).json()["status"] != "COMPLETED":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return f"{base}/api/v1/img/{ident}"


async def finished_prompt(base: str) -> str:
    async with bare_client(base) as bare:
        prompt_id = str(uuid.uuid4())
        body = {"prompt": graph("bench"), "client_id": bare.client_id, "prompt_id": prompt_id}
        await bare.http.post("/prompt", json=body)
        await bare.ended(prompt_id)
    return f"{base}/history/{prompt_id}"


async def polls(url: str, head: dict[str, str], seconds: float) -> float:
    """Answers a second, over raw connections: an HTTP client of Python would be slower than what it measures."""
    address = httpx2.URL(url)
    lines = [f"GET {address.raw_path.decode()} HTTP/1.1", f"Host: {address.netloc.decode()}"]
    request = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in head.items()), "", ""]).encode()
    end = time.perf_counter() + seconds

    async def poll() -> int:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        count = 0
        while time.perf_counter() < end:
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"{url}: {answer[:60]!r}")
            length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            count += 1
        writer.close()
        return count

    return sum(await asyncio.gather(*(poll() for _ in range(CONNECTIONS)))) / seconds


async def compare(ours: str, engines: dict[str, str], seconds: float) -> None:
    head = {"Authorization": "Bearer ext_tenant0"}
    row("", "comfyc", "GET /history", "ratio")
    for name, base in engines.items():
        theirs = await finished_prompt(base)
        rates: tuple[list[float], list[float]] = ([], [])
        for _ in range(2):
            rates[0].append(await polls(ours, head, seconds / 2))
            rates[1].append(await polls(theirs, {}, seconds / 2))
        mine, other = sum(rates[0]) / 2, sum(rates[1]) / 2
        row(name, f"{mine:.0f}/s", f"{other:.0f}/s", f"{mine / other:.2f}×")


async def measure(base: str, engines: dict[str, str], seconds: float) -> None:
    await compare(await finished_job(base), engines, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--url", action="append", default=[])
    asked = parser.parse_args()
    print(f"status polls a second, {CONNECTIONS} connections")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        with (
            sandboxes(1, data) as (sandbox,),
            database_url("sqlite", data) as database,
            serving([sandbox], database, data / "serve") as base,
        ):
            asyncio.run(measure(base, {"sandbox": sandbox, **{url: url for url in asked.url}}, asked.seconds))


if __name__ == "__main__":
    main()
