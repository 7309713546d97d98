"""`python -m runner.engine.sandbox --port P --data DIR --catalog 0.8.0`: the sandbox as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path

from compiler import load_library
from compiler.catalog import Catalog
from runner.engine.sandbox.faults import BadFault, Fault, parse_fault
from runner.engine.sandbox.server import Sandbox, exit_process
from runner.engine.sandbox.stock import stock

_BANNER = """\
comfyc sandbox {name}: speaks ComfyUI {version}'s protocol, draws placeholders, has no models
  {url}
  files in {data}"""


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m runner.engine.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8188, help="0: any free port (default %(default)s)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--data", type=Path, default=Path("data/sandbox"), help="input, output and temp lie here")
    parser.add_argument("--catalog", default="0.8.0", help="version of a shipped catalog (default %(default)s)")
    parser.add_argument("--name", default="sandbox")
    parser.add_argument("--step-seconds", type=float, default=0.02, help="time that one sampler step takes")
    parser.add_argument("--fault", action="append", default=[], metavar="JSON", help="a fault, may be repeated")
    parser.add_argument("--seed", type=int, default=0, help="seed of the faults' chances")
    return parser.parse_args(argv)


def _faults(texts: list[str]) -> list[Fault]:
    return [parse_fault(json.loads(text)) for text in texts]


def _catalog(version: str) -> Catalog:
    return stock(load_library(), version)


async def _serve(asked: argparse.Namespace, catalog: Catalog, faults: list[Fault]) -> None:
    sandbox = Sandbox(
        catalog,
        asked.data,
        name=asked.name,
        faults=faults,
        seed=asked.seed,
        step_seconds=asked.step_seconds,
        host=asked.host,
        port=asked.port,
        exit_on_crash=exit_process,
    )
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers on its loops
            loop.add_signal_handler(number, over.set)
    async with sandbox:
        facts = {"name": asked.name, "version": catalog.version, "url": sandbox.url, "data": asked.data.resolve()}
        print(_BANNER.format(**facts), flush=True)
        await over.wait()


def main(argv: list[str]) -> int:
    """Serves until interrupted. Returns the exit code: 0, or 2 where an argument is wrong."""
    asked = _arguments(argv)
    try:
        faults = _faults(asked.fault)
    except (BadFault, ValueError) as error:
        print(f"--fault: {error}", file=sys.stderr)
        return 2
    asyncio.run(_serve(asked, _catalog(asked.catalog), faults))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
