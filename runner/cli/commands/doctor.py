"""Check that everything comfyc needs is there: each fault with its cure.

Looks at Python, the dependencies, the video codecs, the data folder, the disk, the database, the port and the engine.
Exit code 1 if something that is needed is missing."""

from __future__ import annotations

import argparse
import asyncio

from runner.cli.options import add_data, add_engine, settings_of


def configure(parser: argparse.ArgumentParser) -> None:
    add_engine(parser)
    add_data(parser)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.text import Text

    from runner.cli.checkup import examine

    console = Console(highlight=False)
    healthy = True
    for finding in asyncio.run(examine(settings_of(args))):
        healthy = healthy and finding.ok
        mark = Text("ok  ", style="green") if finding.ok else Text("BAD ", style="bold red")
        console.print(mark.append(f"{finding.what}: {finding.found}", style="default"), soft_wrap=True)
        if finding.cure and not finding.ok:
            console.print(f"    → {finding.cure}", soft_wrap=True)
    return 0 if healthy else 1
