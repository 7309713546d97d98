"""Check API-format graphs against a catalog: what ComfyUI would answer, and what it would not notice.

A graph is valid if ComfyUI's POST /prompt would accept it. Findings are ours: unknown inputs, values outside a combo,
numbers that would be cut; ComfyUI runs such a graph, but not as it is meant. Exit code 0 if all are valid, else 1."""

from __future__ import annotations

import argparse
import json
from typing import Any, cast

from runner.cli.options import add_catalog


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("graph", metavar="GRAPH.json", nargs="+", help="API-format graphs; `-` reads stdin")
    add_catalog(parser)
    parser.add_argument("--json", dest="as_json", action="store_true", help="one JSON object a line for each file")
    parser.add_argument("--strict", action="store_true", help="a finding makes a graph invalid too")


def run(args: argparse.Namespace) -> int:
    from compiler.check import check_graph
    from runner.cli.catalogs import load_catalog
    from runner.cli.request_file import read_json

    catalog = load_catalog(args.catalog)
    all_valid = True
    for source in args.graph:
        graph, targets = unwrapped(read_json(source, "an API-format graph"))
        result = check_graph(graph, catalog, targets=targets)
        valid = result.valid and not (args.strict and result.findings)
        all_valid = all_valid and valid
        if args.as_json:
            print(json.dumps({"file": source, **result.to_json(), "valid": valid}, ensure_ascii=False))
        else:
            print(f"{source}: {'valid' if valid else 'invalid'}", *(f"  {line}" for line in result.to_text()), sep="\n")
    return 0 if all_valid else 1


def unwrapped(data: Any) -> tuple[Any, Any]:
    """(graph, partial_execution_targets): those of the body, if the file is the whole body of POST /prompt."""
    body = cast("dict[str, Any]", data) if isinstance(data, dict) else dict[str, Any]()
    inner: Any = body.get("prompt")
    if "prompt" not in body or (isinstance(inner, dict) and "class_type" in inner):  # a node of that name
        return cast("Any", data), None
    return cast("Any", inner), body.get("partial_execution_targets")
