"""Show how a request becomes a graph: the binding, the graph after each pass, what is not honoured.

The graph is printed as text, a line for each node, sources first. A pass that changes nothing says so."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from compiler.errors import Fault, nearest
from runner.cli.faults import InputError
from runner.cli.options import add_catalog, add_requests, settings_of

if TYPE_CHECKING:
    from compiler.binding import Binding
    from compiler.graph.ir import Graph


def configure(parser: argparse.ArgumentParser) -> None:
    add_requests(parser)
    add_catalog(parser)
    parser.add_argument(
        "--after", metavar="PASS", help="print only the graph as this pass left it (`expand` is the first)"
    )


def run(args: argparse.Namespace) -> int:
    from compiler import compile_request
    from runner.assemble import library_of
    from runner.cli.catalogs import load_catalog
    from runner.cli.graphs import read_request

    check_pass(args.after)
    settings = settings_of(args)
    library, catalog = library_of(settings), load_catalog(args.catalog)
    file, media = read_request(args, args.request, settings)
    seen: list[tuple[str, Graph]] = []
    if args.after is None:
        print_binding(file.provider.binding(file.request, media, library, catalog), catalog.label)
    try:
        compiled = compile_request(
            file.provider,
            file.request,
            media,
            library,
            catalog,
            prefix=f"comfyc/{file.name}",
            watch=lambda name, graph: seen.append((name, graph)),
        )
    finally:  # the passes that went well are what one wants to see of one that did not
        print_passes(seen, args.after)
    if args.after is None:
        print_lines("not honoured", [str(line) for line in compiled.unsupported] or ["everything is honoured"])
    return 0


def check_pass(name: str | None) -> None:
    """Errors: InputError with the nearest name."""
    from compiler.passes import PASSES

    known = ["expand", *(one.__name__ for one in PASSES)]
    if name is not None and name not in known:
        raise InputError(
            Fault("--after", f"{name!r} is no pass", nearest(name, known) or f"One of: {', '.join(known)}")
        )


def print_binding(binding: Binding, target: str) -> None:
    lines = [f"template {binding.template}, for {target}"]
    lines += [
        f"{name} = {json.dumps(value, ensure_ascii=False, default=str)}" for name, value in binding.params.items()
    ]
    lines += [f"attach {one.fragment} {json.dumps(dict(one.params), default=str)}" for one in binding.attachments]
    lines += [f"upload {one.name} ({one.width} × {one.height})" for one in binding.uploads]
    print_lines("binding", lines)


def print_passes(seen: list[tuple[str, Graph]], only: str | None) -> None:
    from compiler.graph.text import print_text

    before = ""
    for name, graph in seen:
        text = print_text(graph)
        if only is None:
            print_lines(f"after {name}", text.splitlines() if text != before else ["no change"])
        elif only == name:
            print(text, end="")
        before = text


def print_lines(title: str, lines: list[str]) -> None:
    print(f"── {title}", *(f"  {line}" for line in lines), "", sep="\n")


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
