"""The path of `comfyc run` (upload, submit, follow, fetch, store) over a no-op graph, beside a bare client.

    python benchmarks/bench_run.py [--rounds 200] [--url http://127.0.0.1:8188 …]

Both take turns on the same engine: a sandbox that is started here, and each --url (a real ComfyUI). Goal: under 1.25×.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import tempfile
import uuid
from pathlib import Path
from typing import Any

from common import alternate, bare_client, median, ms, row, sandboxes

from compiler.graph.api_json import parse
from compiler.plan import Compiled, Output, Plan
from runner.engine.client import ComfyClient
from runner.execute import execute
from runner.store.storage import LocalStorage

COLOURS = itertools.count(uuid.uuid4().int % 2**22)


def graph(folder: str) -> dict[str, Any]:
    """EmptyImage → SaveImage, each time of another colour, so that nothing comes from the engine's cache."""
    empty = {"width": 64, "height": 64, "batch_size": 1, "color": next(COLOURS) % 2**24}
    save = {"images": ["empty", 0], "filename_prefix": f"{folder}/o"}
    return {
        "empty": {"class_type": "EmptyImage", "inputs": empty},
        "save": {"class_type": "SaveImage", "inputs": save},
    }


def compiled(folder: str) -> Compiled:
    api = graph(folder)
    plan = Plan("bench/noop", (Output("save", "image"),), (), {}, frozenset({"EmptyImage", "SaveImage"}))
    return Compiled(parse(api), api, plan, ())


async def measure(name: str, url: str, rounds: int, data: Path) -> None:
    sink, engine = LocalStorage(data / "results", synced=False), ComfyClient(url)
    # SaveImage lists its folder each time: both sides write into one of their own
    ours_in, theirs_in = f"bench-{uuid.uuid4().hex[:8]}", f"bench-{uuid.uuid4().hex[:8]}"

    async def ours() -> None:
        prompt_id = str(uuid.uuid4())
        await execute(
            engine, compiled(ours_in), {}, prompt_id=prompt_id, emit=lambda _: None, sink=sink, folder=prompt_id
        )

    try:
        async with bare_client(url) as bare:
            first, second = await alternate(ours, lambda: bare.run(graph(theirs_in), "save"), rounds)
    finally:
        await engine.close()
    ours_p50, bare_p50 = median(first), median(second)
    row(name, ms(ours_p50), ms(bare_p50), f"{ours_p50 / bare_p50:.2f}×")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--url", action="append", default=[])
    asked = parser.parse_args()
    print(f"one no-op prompt from submission to stored file, p50 of {asked.rounds} in turns")
    row("engine", "comfyc", "bare client", "ratio")
    with tempfile.TemporaryDirectory() as folder, sandboxes(1, Path(folder)) as (sandbox,):
        for name, url in (("sandbox", sandbox), *((url, url) for url in asked.url)):
            await measure(name, url, asked.rounds, Path(folder))


if __name__ == "__main__":
    asyncio.run(main())
