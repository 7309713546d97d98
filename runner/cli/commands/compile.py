"""Compile requests into ComfyUI graphs, without running them.

One request goes to stdout, several need --out. What the graph cannot honour is told on stderr.
Every medium that a request names must be there, since its size decides the graph."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from compiler.errors import Fault
from runner.cli.faults import InputError
from runner.cli.options import add_catalog, add_out, add_requests, settings_of


def configure(parser: argparse.ArgumentParser) -> None:
    add_requests(parser, several=True)
    add_catalog(parser)
    add_out(parser, None, "write DIR/NAME.json for each request, in place of stdout")


def run(args: argparse.Namespace) -> int:
    from compiler import compile_request
    from runner.assemble import library_of
    from runner.cli.catalogs import load_catalog
    from runner.cli.graphs import read_request

    if len(args.request) > 1 and args.out is None:
        raise InputError(Fault("--out", "is missing", "Several graphs need a folder: --out DIR"))
    settings = settings_of(args)
    library, catalog = library_of(settings), load_catalog(args.catalog)
    for source in args.request:
        file, media = read_request(args, source, settings)
        compiled = compile_request(file.provider, file.request, media, library, catalog, prefix=f"comfyc/{file.name}")
        for line in compiled.unsupported:
            print(f"{source}: not honoured: {line}", file=sys.stderr)
        write(compiled.api, args.out and args.out / f"{file.name}.json")
    return 0


def write(api: object, path: Path | None) -> None:
    """The JSON of POST /prompt's `prompt`, to a file or to stdout."""
    text = json.dumps(api, indent=2, ensure_ascii=False)
    if path is None:
        print(text)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(Fault(str(path), error.strerror or str(error))) from error
    print(path)
