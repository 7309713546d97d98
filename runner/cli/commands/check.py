"""Check API-format graphs against a catalog: what ComfyUI would answer, and what it would not notice.

A graph is valid if ComfyUI's POST /prompt would accept it. Findings are ours: unknown inputs, values outside a combo,
numbers that would be cut; ComfyUI runs such a graph, but not as it is meant. Exit code 0 if all are valid, else 1."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from runner.cli.options import add_catalog

if TYPE_CHECKING:
    from compiler.catalog import Catalog
    from compiler.errors import Fault


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("graph", metavar="GRAPH.json", nargs="+", help="API-format graphs; `-` reads stdin")
    add_catalog(parser)
    parser.add_argument("--json", dest="as_json", action="store_true", help="one JSON object a line for each file")
    parser.add_argument("--strict", action="store_true", help="a finding makes a graph invalid too")


def run(args: argparse.Namespace) -> int:
    from runner.cli.catalogs import load_catalog
    from runner.cli.request_file import read_json

    catalog = load_catalog(args.catalog)
    reports = [judge(source, read_json(source, "an API-format graph"), catalog) for source in args.graph]
    for report in reports:
        report["valid"] = report["valid"] and not (args.strict and report["findings"])
        print(json.dumps(report, ensure_ascii=False) if args.as_json else "\n".join(describe(report)))
    return 0 if all(report["valid"] for report in reports) else 1


def judge(source: str, data: Any, catalog: Catalog) -> dict[str, Any]:
    """The line of `--json`."""
    from compiler.check.verdict import verdict

    prompt = unwrapped(data)
    said = verdict(prompt, catalog)
    error: Mapping[str, Any] | None = said.error
    if said.crash or said.deadly:
        kind = "server_error" if said.crash else "deadly"
        error = {"type": kind, "message": said.crash or said.deadly, "details": "", "extra_info": {}}
    return {
        "file": source,
        "valid": said.accepted and error is None,
        "error": error,
        "node_errors": said.node_errors,
        "findings": [
            {"where": one.where, "what": one.what, "cure": one.cure, "code": one.code} for one in own(prompt, catalog)
        ],
    }


def unwrapped(data: Any) -> Any:
    """The graph itself, if the file is the whole body of POST /prompt."""
    inner: Any = cast("dict[str, Any]", data).get("prompt") if isinstance(data, dict) else None
    whole = isinstance(inner, dict) and "class_type" not in inner
    return cast("Any", inner if whole else data)


def own(prompt: Any, catalog: Catalog) -> list[Fault]:
    """What our stricter check finds."""
    from compiler.errors import GraphError
    from compiler.graph.api_json import parse
    from compiler.graph.verify import findings, verify_structure

    try:
        graph = parse(prompt)
        verify_structure(graph)
    except GraphError as error:
        return list(error.faults)
    return list(findings(graph, catalog))


def describe(report: dict[str, Any]) -> list[str]:
    """Lines for people."""
    lines = [f"{report['file']}: {'valid' if report['valid'] else 'invalid'}"]
    error = report["error"]
    if error:
        lines.append(f"  {error['type']}: {error['message']}")
    for node_id, found in report["node_errors"].items():
        lines += [f"  {node_id} ({found['class_type']}): {one['message']}: {one['details']}" for one in found["errors"]]
    lines += [f"  finding: {one['where']}: {one['what']}. {one['cure']}".rstrip(" .") for one in report["findings"]]
    return lines
