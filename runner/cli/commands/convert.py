"""Convert workflows: what ComfyUI's page saves into the API-format graph that it would send, and back.

A file is a workflow, an API-format graph, or a PNG that ComfyUI made. Without --to, it becomes the other of the two
formats. One goes to stdout, several need --out. What cannot be converted is named node by node, with exit code 2;
what ComfyUI's page does to a workflow unasked is told on stderr."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from compiler.catalog import Catalog
from compiler.errors import ComfycError, Fault
from runner.cli.commands.compile import write
from runner.cli.faults import InputError
from runner.cli.options import add_catalog, add_out


def configure(parser: argparse.ArgumentParser) -> None:
    text = "workflows or API-format graphs, as JSON or inside a PNG; `-` reads stdin"
    parser.add_argument("workflow", metavar="WORKFLOW.json", nargs="+", help=text)
    add_catalog(parser)
    parser.add_argument("--to", choices=("api", "ui"), help="the format to make (default: the one that it is not in)")
    parser.add_argument("--partial", action="store_true", help="write what ComfyUI's page sends in spite of faults")
    add_out(parser, None, "write DIR/NAME.json for each workflow, in place of stdout")


def run(args: argparse.Namespace) -> int:
    from runner.cli.catalogs import load_catalog

    targets = _targets(args.workflow, args.out)
    catalog = load_catalog(args.catalog)
    faults: list[Fault] = []
    for source in args.workflow:
        try:
            made = _converted(args, source, catalog, faults)
            if made is not None:
                write(made, targets.get(source))
        except ComfycError as error:
            faults += [_in_file(source, fault) for fault in error.faults]
    if faults:
        raise InputError(*faults)
    return 0


def _targets(sources: list[str], out: Path | None) -> dict[str, Path]:
    """Where each file's result goes; none of them over another or over a source.

    Errors: InputError.
    """
    if out is None:
        if len(sources) > 1:
            raise InputError(Fault("--out", "is missing", "Several workflows need a folder: --out DIR"))
        return {}
    found = {source: out / f"{'workflow' if source == '-' else Path(source).stem}.json" for source in sources}
    taken = Counter(found.values())
    for source, path in found.items():
        if taken[path] > 1 or (path.exists() and source != "-" and path.samefile(source)):
            raise InputError(Fault(source, f"would be written over another file, {path}", "Choose another --out"))
    return found


def _converted(args: argparse.Namespace, source: str, catalog: Catalog, faults: list[Fault]) -> Any:
    """The other format, or None where there is nothing to write; findings go to stderr."""
    from compiler.workflow import WorkflowError, convert, kind_of, to_ui

    document = read_document(source)
    kind = kind_of(document)
    if not kind:
        cure = "Give a workflow as ComfyUI saves it, or the graph of Export (API)"
        raise InputError(Fault("", "is neither a workflow nor an API-format graph", cure))
    wanted = args.to or ("api" if kind == "ui" else "ui")
    if wanted == kind:
        return document
    if wanted == "ui":
        return to_ui(document, catalog)
    try:
        made = convert(document, catalog, now=datetime.now())
    except WorkflowError as error:
        _tell(source, error.findings)
        faults += [_in_file(source, fault) for fault in error.faults]
        return error.api if args.partial else None
    _tell(source, made.findings)
    return made.api


def _tell(source: str, findings: tuple[Fault, ...]) -> None:
    for finding in findings:
        print(f"{source}: finding: {finding}", file=sys.stderr)


def _in_file(source: str, fault: Fault) -> Fault:
    where = fault.where if fault.where == source else f"{source}: {fault.where}" if fault.where else source
    return Fault(where, fault.what, fault.cure, fault.code)


def read_document(source: str) -> Any:
    """The workflow or graph in a file: JSON, the body of POST /prompt, or a PNG's text.

    Errors: InputError, WorkflowError.
    """
    from compiler.workflow import is_png, read_json, read_png, unwrapped

    data = _read(source)
    if not is_png(data):
        return unwrapped(read_json(data, source))
    document = read_png(data)
    if document is None:
        cure = "Give a picture that ComfyUI saved, with its metadata"
        raise InputError(Fault(source, "is a PNG without a workflow in it", cure))
    return document


def _read(source: str) -> bytes:
    """Errors: InputError for a file that cannot be read or is too large for a picture."""
    from compiler.workflow.png import MAX_PICTURE

    try:
        if source == "-":
            data = sys.stdin.buffer.read(MAX_PICTURE + 1)
        else:
            with Path(source).open("rb") as file:
                data = file.read(MAX_PICTURE + 1)
    except OSError as error:
        raise InputError(Fault(source, error.strerror or str(error))) from error
    if len(data) > MAX_PICTURE:
        raise InputError(Fault(source, f"is larger than {MAX_PICTURE >> 20} MB", "Give the workflow alone"))
    return data
