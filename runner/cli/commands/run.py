"""Compile one request, run it, and store the result.

Shows the node being run, its steps, percent and ETA. Writes the media, a poster picture for a video, and the compiled
graph to DIR/NAME/, and prints where they are and what was not honoured. Ctrl-C cancels this prompt, and only it."""

from __future__ import annotations

import argparse
import asyncio
import signal

from runner.cli.options import add_data, add_engine, add_out, add_requests, settings_of


def configure(parser: argparse.ArgumentParser) -> None:
    add_requests(parser)
    add_engine(parser)
    add_out(parser, "out", "folder for the results (default: ./out)")
    add_data(parser)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from runner.cli.perform import perform
    from runner.cli.request_file import load_request

    settings = settings_of(args)
    file = load_request(args.request, args.dialect)

    async def work() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
        await perform(file, settings, args.out, Console(highlight=False), stop)

    asyncio.run(work())
    return 0
