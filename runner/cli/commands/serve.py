"""Serve the API: every dialect at its own paths, jobs that survive a crash, media links that expire.

Prints the address, a key and a curl line to paste. Ctrl-C ends it gracefully: what runs is taken up again by the next
start, or at once by another process on the same PostgreSQL."""

from __future__ import annotations

import argparse

from runner.cli.options import add_data, add_engine, add_templates, settings_of


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", metavar="H", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", metavar="P", type=int, help="port to listen on; 0 takes a free one (default: 8600)")
    add_engine(parser)
    add_data(parser)
    add_templates(parser)


def run(args: argparse.Namespace) -> int:
    from runner.cli.serving import run_loop, serve

    run_loop(serve(settings_of(args)))
    return 0
