"""A process that runs jobs, for tests that kill or freeze one: `python jobs_process.py DATABASE FOLDER RUNNING
name=url…`. RUNNING is how many jobs of one tenant may run at once.

Prints `ready` and its executor id when it takes jobs. Each line of its input, `TENANT SEED`, submits one, and its id is
printed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from jobs_support import IMAGE, TIMING, Receiver, make_backend  # noqa: E402

from runner.engine.client import ComfyClient  # noqa: E402
from runner.engine.pool import Pool  # noqa: E402
from runner.store.database import Database  # noqa: E402
from runner.store.storage import LocalStorage  # noqa: E402


async def main(url: str, folder: Path, running: int, engines: list[tuple[str, str]]) -> None:
    database, pool = Database(url), Pool([ComfyClient(address, name=name, timing=TIMING) for name, address in engines])
    await database.open()
    await pool.start()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with make_backend(database, pool, LocalStorage(folder / "storage"), Receiver(), running=running) as backend:
        print(f"ready {backend.durable.executor_id}", flush=True)
        while line := await reader.readline():
            tenant, seed = line.decode().split()
            job = await backend.service.submit(tenant, "ext", {**IMAGE, "seed": int(seed)}, operation="image")
            print(job.id, flush=True)
    await pool.stop()
    await database.close()


if __name__ == "__main__":
    address, folder, running, *engines = sys.argv[1:]
    asyncio.run(main(address, Path(folder), int(running), [tuple(word.split("=", 1)) for word in engines]))  # type: ignore[misc]
