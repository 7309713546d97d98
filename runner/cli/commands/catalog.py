"""Fetch the catalog of a ComfyUI, or look up a node in one.

A catalog is what one ComfyUI offers: its node classes with their inputs, and its model files.
`pull` writes a file that every --catalog takes; `show` prints one node class."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from compiler.catalog import InputSpec, NodeSchema
from compiler.errors import Fault
from runner.cli.faults import InputError
from runner.cli.options import add_catalog


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    pulling = actions.add_parser("pull", help="write the catalog of a running ComfyUI to a file")
    pulling.add_argument("url", metavar="URL", help="address of the ComfyUI, e.g. http://127.0.0.1:8188")
    pulling.add_argument("-o", dest="output", metavar="FILE", type=Path, required=True, help="file to write")
    pulling.set_defaults(act=pull)
    showing = actions.add_parser("show", help="print one node class: inputs, types, defaults, ranges, outputs")
    showing.add_argument("node", metavar="NODE", help="class name, e.g. KSampler")
    add_catalog(showing)
    showing.set_defaults(act=show)


def run(args: argparse.Namespace) -> int:
    return args.act(args)


def pull(args: argparse.Namespace) -> int:
    from runner.cli.catalogs import fetch_object_info

    info, version = fetch_object_info(args.url)
    text = json.dumps({"comfyui_version": version, "object_info": info}, separators=(",", ":"))
    try:
        args.output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(Fault(str(args.output), error.strerror or str(error))) from error
    print(f"{args.output}: ComfyUI {version or '(version unknown)'}, {len(info)} node classes")
    return 0


def show(args: argparse.Namespace) -> int:
    from runner.cli.catalogs import load_catalog

    catalog = load_catalog(args.catalog)
    schema = catalog.get(args.node)
    if schema is None:
        raise InputError(Fault(args.node, f"is no node class of {catalog.label}", catalog.did_you_mean(args.node)))
    print("\n".join(describe(schema)))
    return 0


def describe(schema: NodeSchema) -> list[str]:
    """Lines for people: the class, its inputs, its outputs."""
    lines = [schema.name + (f"  ({schema.category})" if schema.category else "")]
    lines += [f"  {describe_input(spec)}" for spec in schema.inputs if spec.group != "hidden"]
    outputs = ", ".join(f"{name}: {kind}" for kind, name in schema.outputs)
    return [*lines, f"  → {outputs}" if outputs else "  → no output"]


def describe_input(spec: InputSpec, longest: int = 8) -> str:
    """`steps: INT = 20 (min 1, max 10000)`; a combo lists its first `longest` values."""
    text = f"{spec.name}{'' if spec.required else '?'}: {spec.type}"
    if "default" in spec.options:
        text += f" = {spec.options['default']!r}"
    facts = [f"{name} {spec.options[name]}" for name in ("min", "max", "step") if name in spec.options]
    if spec.values is not None:
        more = [f"… {len(spec.values)} values"] if len(spec.values) > longest else []
        facts += [" | ".join([*(str(value) for value in spec.values[:longest]), *more])]
    if spec.folder:
        facts.append(f"files of {spec.folder}")
    return f"{text} ({', '.join(facts)})" if facts else text
