"""A fault run: hundreds of jobs through sandboxes that fail on purpose, while the server itself is killed.

    python tests/acceptance/fault_run.py --jobs 500 --kills 3 --database sqlite
    python tests/acceptance/fault_run.py --jobs 500 --kills 3 --database postgresql

`comfyc serve` stands before four sandboxes, each a process, that crash, lose prompts, drop sockets, answer late or not
at all, run out of memory. A client creates jobs over HTTP; a receiver takes the webhooks and refuses
some; a killer ends the server with SIGKILL and starts it again. Then it is checked that every job has the right end,
that no end ever changed and no progress ever fell, that every file is there, and that every webhook came, signed, under
one id. Prints a summary; the exit code says whether all held.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
import sqlalchemy as sa
from PIL import Image
from standardwebhooks import Webhook

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from jobs_support import SECRET, database_url  # noqa: E402

from runner.store.database import engine_url  # noqa: E402
from runner.store.tables import jobs, outbox  # noqa: E402

TENANTS: Final = 24
BODY: Final = {"model": "wan22-t2i", "prompt": "a lighthouse", "width": 256, "height": 256}
ENDS: Final = {"succeeded": "COMPLETED", "failed": "FAILED"}
BREAKS: Final = "a fault made on purpose"


def faults(chance: float) -> list[dict[str, Any]]:
    """What each sandbox does, all the time, with these likelihoods at each occasion."""
    kinds: list[dict[str, Any]] = [
        {"kind": "crash", "node": "VAEDecode", "chance": chance / 2},
        {"kind": "lose", "node": "VAEDecode", "chance": chance},
        {"kind": "drop_sockets", "node": "VAEDecode", "chance": chance * 2},
        {"kind": "deaf_socket", "chance": chance},
        {"kind": "out_of_memory", "node": "KSamplerAdvanced", "chance": chance},
        {"kind": "error", "node": "VAEDecode", "chance": chance, "message": BREAKS},
        {"kind": "late_history", "chance": chance * 2, "seconds": 0.5},
        {"kind": "cut_before", "chance": chance * 2},
        {"kind": "cut_after", "chance": chance * 2},
        {"kind": "http_500", "path": "/history", "chance": chance},
    ]
    return [{**kind, "times": 0} for kind in kinds]


@dataclass
class Seen:
    """What the run was witness of."""

    accepted: set[int] = field(default_factory=set[int])
    delivered: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])
    refused: int = 0
    crashes: int = 0
    kills: int = 0
    wrong: list[str] = field(default_factory=list[str])
    ends: dict[int, tuple[str, float]] = field(default_factory=dict[int, tuple[str, float]])
    progress: dict[int, float] = field(default_factory=dict[int, float])


# --- processes -----------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def answers(url: str, seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds), httpx2.AsyncClient() as client:
        while True:
            with contextlib.suppress(httpx2.HTTPError):
                if (await client.get(url)).status_code == 200:
                    return
            await asyncio.sleep(0.1)


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COMFYC_")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


async def keep_sandbox(port: int, data: Path, seed: int, chance: float, seen: Seen) -> None:
    """A sandbox process, started again whenever it has crashed."""
    command = ["-m", "runner.engine.sandbox", "--port", str(port), "--data", str(data), "--step-seconds", "0.005"]
    options = [word for fault in faults(chance) for word in ("--fault", json.dumps(fault))] if chance else []
    while True:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, *options, "--seed", str(seed + seen.crashes), cwd=ROOT, env=environment(),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await process.wait()
            seen.crashes += 1
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


class Server:
    """`comfyc serve`, which can be killed and started again."""

    def __init__(self, database: str, engines: Sequence[str], data: Path, log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._arguments = ["-m", "runner", "serve", "--engine", ",".join(engines), "--data", str(data)]
        self._environment = environment(
            COMFYC_DATABASE=database,
            COMFYC_ALLOW_HOSTS="127.0.0.1",
            COMFYC_API_KEYS=",".join(f"t{number}:ext_key{number}" for number in range(TENANTS)),
            COMFYC_WEBHOOK_SECRET=SECRET,
            COMFYC_LOG_FORMAT="json",
        )
        self._log = log.open("ab")
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, *self._arguments, "--port", str(self.port), cwd=ROOT, env=self._environment,
            stdout=self._log, stderr=self._log,
        )  # fmt: skip
        await answers(f"{self.url}/healthz")

    async def end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)
            await self._process.wait()


@asynccontextmanager
async def receiver(seen: Seen, draw: random.Random) -> AsyncGenerator[str]:
    """The URL of a webhook receiver that verifies, writes down, and refuses one in six."""
    verifier = Webhook(SECRET)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            body = await reader.readexactly(int(headers["content-length"]))
            status = "500 Refused" if draw.random() < 1 / 6 else "204 Taken"
            if status.startswith("5"):
                seen.refused += 1
            else:
                take(headers, body)
            writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()

    def take(headers: dict[str, str], body: bytes) -> None:
        try:
            found = verifier.verify(body, headers)
        except Exception as error:
            seen.wrong.append(f"a webhook is not signed right: {error}")
            return
        if headers.get("authorization") != "Bearer told":
            seen.wrong.append("a webhook has not the callback's token")
        seen.delivered.setdefault(headers["webhook-id"], []).append(found)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"


# --- the client ----------------------------------------------------------------------------------------------------


async def create_all(server: Server, hook: str, count: int, seen: Seen) -> None:
    """Creates the jobs, as many at once as the tenants may have."""
    numbers = iter(range(count))

    async def tenant(index: int) -> None:
        headers = {"authorization": f"Bearer ext_key{index}"}
        async with httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=60) as client:
            for number in numbers:
                body = {**BODY, "seed": number, "callback_url": hook, "callback_api_key": "told"}
                await create(client, body, seen)

    await asyncio.gather(*(tenant(index) for index in range(TENANTS)))


async def create(client: httpx2.AsyncClient, body: dict[str, Any], seen: Seen) -> None:
    """One job. A server that was killed meanwhile may have taken it: then there is one more than was asked for."""
    while True:
        try:
            answer = await client.post("/api/v1/img", json=body)
        except httpx2.HTTPError:
            await asyncio.sleep(0.3)
            continue
        if answer.status_code == 201:
            seen.accepted.add(answer.json()["id"])
            return
        if answer.status_code not in (429, 503):
            raise RuntimeError(f"create answered {answer.status_code}: {answer.text[:200]}")
        await asyncio.sleep(0.2)


# --- the witness ---------------------------------------------------------------------------------------------------


def look(connection: sa.Connection, seen: Seen) -> int:
    """Reads every job and holds it against what was seen before; how many have ended."""
    columns = (jobs.c.number, jobs.c.state, jobs.c.progress, jobs.c.finished_at)
    for number, state, progress, finished in connection.execute(sa.select(*columns)):
        if number in seen.ends and seen.ends[number] != (state, finished):
            seen.wrong.append(f"job {number} ended as {seen.ends[number]}, and then as {(state, finished)}")
        if progress < seen.progress.get(number, 0.0):
            seen.wrong.append(f"job {number} fell from {seen.progress[number]} % to {progress} %")
        seen.progress[number] = progress
        if finished is not None:
            seen.ends[number] = (state, finished)
    return len(seen.ends)


async def watch(engine: sa.Engine, seen: Seen) -> None:
    def once() -> int:
        with engine.connect() as connection:
            return look(connection, seen)

    while True:
        await asyncio.to_thread(once)
        await asyncio.sleep(0.2)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 (it is a number that grows)
        await asyncio.sleep(0.05)


async def kill_now_and_then(server: Server, count: int, kills: int, seen: Seen) -> None:
    for number in range(1, kills + 1):
        await until(lambda: len(seen.ends) >= count * number / (kills + 1))  # noqa: B023
        await server.end(signal.SIGKILL)
        seen.kills += 1
        await server.start()


async def settled(engine: sa.Engine, count: int) -> None:
    """Returns once `count` jobs are there, all have ended and all webhooks are delivered."""
    waiting = sa.select(
        sa.select(sa.func.count()).select_from(jobs).scalar_subquery(),
        sa.select(sa.func.count()).where(jobs.c.finished_at.is_(None)).scalar_subquery(),
        sa.select(sa.func.count()).where(outbox.c.state == "pending").scalar_subquery(),
    )

    def left() -> tuple[int, int, int]:
        with engine.connect() as connection:
            found = connection.execute(waiting).one()
            return int(found[0]), int(found[1]), int(found[2])

    while True:
        there, live, pending = await asyncio.to_thread(left)
        if there >= count and not live and not pending:
            return
        await asyncio.sleep(0.3)


# --- the check -----------------------------------------------------------------------------------------------------


async def check(engine: sa.Engine, server: Server, seen: Seen) -> dict[str, Any]:
    with engine.connect() as connection:
        look(connection, seen)
        rows = [dict(row) for row in connection.execute(sa.select(jobs)).mappings()]
        messages = {row["job_id"]: dict(row) for row in connection.execute(sa.select(outbox)).mappings()}
    for number in seen.accepted - {row["number"] for row in rows}:
        seen.wrong.append(f"job {number} was accepted and is gone")
    for row in rows:
        check_end(row, seen)
        check_webhook(row, messages.get(row["id"]), seen)
    await check_files(rows, server, seen)
    states = Counter(row["state"] for row in rows)
    return {
        "jobs": dict(states),
        "attempts": dict(sorted(Counter(row["attempt"] for row in rows).items())),
        "created twice for a lost answer": len(rows) - len(seen.accepted),
        "sandbox crashes": seen.crashes,
        "server kills": seen.kills,
        "webhooks": len(seen.delivered),
        "webhooks delivered more than once": sum(len(found) > 1 for found in seen.delivered.values()),
        "webhooks refused": seen.refused,
    }


def check_end(row: dict[str, Any], seen: Seen) -> None:
    number, state, error = row["number"], row["state"], row["error"]
    if state not in ENDS:
        seen.wrong.append(f"job {number} has no end: {state}, attempt {row['attempt']}, run {row['run']}")
    if state == "failed" and not (error["cause"] == "node_error" and BREAKS in error["message"]):
        seen.wrong.append(f"job {number} failed, and not because of its node: {error}")
    if (state == "succeeded") != (row["progress"] == 100 and len(row["outputs"]) == 1):
        seen.wrong.append(f"job {number} is {state} with {len(row['outputs'])} files at {row['progress']} %")


def check_webhook(row: dict[str, Any], message: dict[str, Any] | None, seen: Seen) -> None:
    number = row["number"]
    if message is None or message["state"] != "delivered":
        seen.wrong.append(f"job {number}: its webhook is {message['state'] if message else 'missing'}")
        return
    got = seen.delivered.get(message["id"], [])
    told = {(body["id"], body["status"]) for body in got}
    if told != {(number, ENDS.get(row["state"]))}:
        seen.wrong.append(f"job {number} is {row['state']}, its webhook said {told}")


async def check_files(rows: list[dict[str, Any]], server: Server, seen: Seen) -> None:
    """Every result of a success can be fetched, and is a picture."""
    async with httpx2.AsyncClient(base_url=server.url, timeout=60) as client:
        for row in rows:
            if row["state"] != "succeeded":
                continue
            headers = {"authorization": f"Bearer ext_key{row['tenant'][1:]}"}
            status = (await client.get(f"/api/v1/img/{row['number']}", headers=headers)).json()
            answer = await client.get(status["image_url"])
            try:
                Image.open(io.BytesIO(answer.content)).verify()
            except Exception:
                seen.wrong.append(f"job {row['number']}: its picture answers {answer.status_code}")


# --- the run -------------------------------------------------------------------------------------------------------


async def fault_run(
    database: str,
    folder: Path,
    *,
    count: int,
    kills: int,
    instances: int = 4,
    chance: float = 0.02,
    seed: int = 1,
    seconds: float = 900.0,
) -> tuple[dict[str, Any], list[str]]:
    """A summary, and what was wrong."""
    seen, draw = Seen(), random.Random(seed)
    ports = [free_port() for _ in range(instances)]
    background: list[asyncio.Task[None]] = []
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        hook = await stack.enter_async_context(receiver(seen, draw))
        for index, port in enumerate(ports):
            box = keep_sandbox(port, folder / f"box-{index}", seed * 1000 + index, chance, seen)
            background.append(asyncio.create_task(box))
        engines = [f"http://127.0.0.1:{port}" for port in ports]
        server = Server(database, engines, folder / "data", folder / "server.log")
        try:
            await asyncio.gather(*(answers(f"{url}/system_stats") for url in engines))
            await server.start()
            engine = sa.create_engine(engine_url(database))
            stack.callback(engine.dispose)
            background.append(asyncio.create_task(watch(engine, seen)))
            try:
                async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                    group.create_task(kill_now_and_then(server, count, kills, seen))
                    group.create_task(create_all(server, hook, count, seen))
                    group.create_task(settled(engine, count))
            except TimeoutError:
                seen.wrong.append(f"not everything had ended after {seconds:.0f} s")
            for task in background:
                if task.done() and task.exception():
                    seen.wrong.append(f"the run itself failed: {task.exception()!r}")
            summary = await check(engine, server, seen)
        finally:
            await server.end(signal.SIGTERM)
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
    return {**summary, "seconds": round(time.monotonic() - began)}, seen.wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--instances", type=int, default=4)
    parser.add_argument("--chance", type=float, default=0.02, help="of each fault at each occasion")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seconds", type=float, default=900.0, help="give up after so long")
    parser.add_argument("--keep", type=Path, help="folder for the server's log and data, kept")
    asked = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = asked.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        url = stack.enter_context(database_url(asked.database, folder))
        run = fault_run(
            url,
            folder,
            count=asked.jobs,
            kills=asked.kills,
            instances=asked.instances,
            chance=asked.chance,
            seed=asked.seed,
            seconds=asked.seconds,
        )
        summary, wrong = asyncio.run(run)
    for name, value in summary.items():
        print(f"{name}: {value}")
    print("\n".join(f"WRONG {line}" for line in wrong) or "all held")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
