"""Install a ComfyUI, and start, watch and stop managed ones.

`start` leaves the processes running; `comfyc serve --engine managed` with the same data folder adopts them."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.errors import Fault
from runner.cli.faults import InputError
from runner.cli.options import add_data, settings_of

if TYPE_CHECKING:
    from runner.engine.process import ProcessState


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    configure_install(
        actions.add_parser("install", help="install a pinned ComfyUI, with comfyc's nodes and a lock file")
    )
    starting = actions.add_parser("start", help="start the ComfyUI in COMFYUI_HOME and leave it running")
    starting.set_defaults(act=start)
    asking = actions.add_parser("status", help="print each managed engine: address, process, whether it answers")
    asking.set_defaults(act=status)
    reading = actions.add_parser("logs", help="print the end of each log")
    reading.add_argument("--lines", metavar="N", type=int, default=50, help="how many lines (default: 50)")
    reading.set_defaults(act=logs)
    stopping = actions.add_parser("stop", help="stop the managed engines")
    stopping.set_defaults(act=stop)
    for action in (starting, asking, reading, stopping):
        add_data(action)


def configure_install(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="DIR", type=Path, nargs="?", default=Path("comfyui"), help="folder to make")
    parser.add_argument("--version", metavar="V", default="", help="release; with --from a tag, branch or commit")
    parser.add_argument("--from", dest="source", metavar="CLONE", type=Path, help="a local clone instead of a download")
    parser.add_argument("--python", metavar="P", type=Path, help="a Python that has ComfyUI's requirements already")
    parser.add_argument("--constraints", metavar="FILE", type=Path, help="pip constraints, with --from")
    parser.add_argument(
        "--no-check", dest="check", action="store_false", help="do not start it once to see that it works"
    )
    parser.set_defaults(act=install)


def run(args: argparse.Namespace) -> int:
    return asyncio.run(args.act(args))


async def install(args: argparse.Namespace) -> int:
    from runner.engine.install import Install
    from runner.engine.install import install as install_comfyui

    wanted = Install(
        args.target,
        version=args.version,
        source=args.source,
        python=args.python,
        constraints=args.constraints,
        check=args.check,
    )
    home = await install_comfyui(wanted)
    print(f"ComfyUI {home.version} is installed. Use it:\n")
    print(f"export COMFYUI_HOME={home.folder}\ncomfyc serve --engine managed")
    return 0


async def start(args: argparse.Namespace) -> int:
    from runner.assemble import engine_options, library_of
    from runner.engine.managed import open_managed

    settings = settings_of(args)
    for engine in await open_managed(engine_options(settings, library_of(settings)), keep=True):
        print(f"{engine.name}  {engine.base_url}  running")
        await engine.close()
    return 0


async def status(args: argparse.Namespace) -> int:
    """Exit code 1 if one of them does not answer."""
    from runner.engine.base import Health
    from runner.engine.client import ComfyClient

    healthy = True
    for state in states(args):
        process = state.process()
        client = ComfyClient(state.url, name=state.name)
        health = await client.health() if process else Health.REFUSED
        await client.close()
        healthy = healthy and health is Health.ALIVE
        print(f"{state.name}  {state.url}  {f'pid {state.pid}, {health.value}' if process else 'not running'}")
    return 0 if healthy else 1


async def logs(args: argparse.Namespace) -> int:
    from runner.engine.process import tail

    for state in states(args):
        print(f"── {state.name}: {state.log}\n{tail(Path(state.log), args.lines)}")
    return 0


async def stop(args: argparse.Namespace) -> int:
    from runner.engine.process import end

    for state in states(args):
        process = state.process()
        if process:
            await end(process)
        print(f"{state.name}  {'stopped' if process else 'was not running'}")
    return 0


def states(args: argparse.Namespace) -> tuple[ProcessState, ...]:
    """The managed engines of the data folder. Errors: InputError if it has none."""
    from runner.engine.process import read_states

    folder = settings_of(args).data / "engines"
    found = read_states(folder)
    if not found:
        cure = "Start one with `comfyc engine start`, or name another folder with --data"
        raise InputError(Fault(str(folder), "knows no managed engine", cure))
    return found
