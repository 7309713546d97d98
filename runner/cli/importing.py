"""`comfyc template import`: from a workflow to the folder of a template, with questions where somebody can answer."""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

from compiler.catalog import Catalog
from compiler.errors import Fault, nearest
from compiler.graph.api_json import parse
from compiler.graph.ir import Graph
from compiler.template.authoring import Choice, Proposal, documents, lint_folder, propose
from compiler.template.library import Library
from runner.cli.faults import InputError

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*/[a-z0-9][a-z0-9_-]*")


def import_template(args: argparse.Namespace, library: Library, catalog: Catalog, out: Path) -> int:
    """Writes the template and says what it is. Exit code 1 if lint finds something in it.

    Errors: InputError, WorkflowError, GraphError, TemplateError.
    """
    stem = "workflow" if args.workflow == "-" else Path(args.workflow).stem
    graph = read_graph(args.workflow, catalog)
    asked = dict(_pair(text) for text in args.param)
    reserved = {node_id for fragment in library.fragments.values() for node_id in fragment.skeleton.nodes}
    proposal = propose(graph, catalog, reserved=reserved, asked=asked)
    proposal = without(proposal, args.fix)
    name = args.id or f"own/{re.sub(r'[^a-z0-9]+', '_', stem.lower()).strip('_') or 'workflow'}"
    if not args.yes and args.workflow != "-" and sys.stdin.isatty():
        name, proposal = ask(name, proposal)
    if not NAME.fullmatch(name):
        raise InputError(Fault("--id", f"{name!r} is no name for a template", "Write family/name in a-z, 0-9, _ and -"))
    folder = write(proposal, out / name, args.title or stem.replace("_", " ").strip().capitalize(), force=args.force)
    tell(proposal, folder)
    faults = lint_folder(folder, library, catalog)
    print(*(f"  lint: {fault}" for fault in faults), sep="\n", end="\n" if faults else "")
    return 1 if faults else 0


def read_graph(source: str, catalog: Catalog) -> Graph:
    """Errors: InputError, WorkflowError, GraphError."""
    from compiler.workflow import convert, kind_of
    from runner.cli.commands.convert import read_document

    document = read_document(source)
    if kind_of(document) != "ui":
        return parse(document, where=source)
    made = convert(document, catalog)
    for finding in made.findings:
        print(f"{source}: finding: {finding}", file=sys.stderr)
    return parse(made.api, where=source)


def _pair(text: str) -> tuple[str, str]:
    name, _, place = text.partition("=")
    if not (re.fullmatch(r"[A-Za-z_]\w*", name) and "." in place):
        raise InputError(Fault(f"--param {text}", "is no parameter", "Write NAME=NODE.INPUT, e.g. cfg=3.cfg"))
    return name, place


def without(proposal: Proposal, names: list[str]) -> Proposal:
    """Without these parameters: their values stay as they are."""
    known = [choice.name for choice in proposal.choices]
    for name in names:
        if name not in known:
            cure = nearest(name, known) or f"Proposed: {', '.join(known)}"
            raise InputError(Fault(f"--fix {name}", "is not among the parameters", cure))
    return replace(proposal, choices=tuple(one for one in proposal.choices if one.name not in names))


def ask(name: str, proposal: Proposal) -> tuple[str, Proposal]:
    """Asks for the id, and for each parameter: Enter takes it, `-` leaves it out, anything else renames it."""
    name = input(f"id [{name}]: ").strip() or name
    print("parameters: Enter takes one, - leaves its value as it is, a word renames it")
    kept: list[Choice] = []
    for choice in proposal.choices:
        answer = input(f"  {line_of(choice)}: ").strip()
        if answer == "-":
            continue
        taken = {one.name for one in kept}
        while answer and (not re.fullmatch(r"[A-Za-z_]\w*", answer) or answer in taken):
            answer = input(f"  {answer!r} is taken or no name; another, or Enter for {choice.name}: ").strip()
        kept.append(replace(choice, name=answer or choice.name))
    return name, replace(proposal, choices=tuple(kept))


def line_of(choice: Choice) -> str:
    """`steps (integer) = 20, sets ksampler.steps`."""
    shown = json.dumps(choice.value, ensure_ascii=False)
    places = ", ".join(f"{node}.{widget}" for node, widget in choice.places)
    kind = choice.param.media or choice.param.type
    return f"{choice.name} ({kind}) = {shown if len(shown) <= 50 else shown[:49] + '…'}, sets {places}"


def write(proposal: Proposal, folder: Path, title: str, *, force: bool) -> Path:
    """Errors: InputError if a template is there already, or the folder cannot be written."""
    if not force and (folder / "manifest.json").exists():
        raise InputError(Fault(str(folder), "is there already", "Choose another --id, or --force"))
    graph, manifest = documents(proposal, title)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in (("graph.json", graph), ("manifest.json", manifest)):
            text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
            (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")  # half a pair of surrogates
    except OSError as error:
        raise InputError(Fault(str(folder), error.strerror or str(error))) from error
    return folder


def tell(proposal: Proposal, folder: Path) -> None:
    """What was made, for people."""
    lines = [
        *(f"parameter {line_of(choice)}" for choice in proposal.choices),
        *(f"wire {name} ({wire.type}) from {wire.source[0]}" for name, wire in proposal.wires.items()),
        *(f"output {name} from {output.node}" for name, output in proposal.outputs.items()),
        *([f"needs the packs {', '.join(proposal.packs)}"] if proposal.packs else []),
        *(f"needs in {kind}: {', '.join(files)}" for kind, files in proposal.files.items()),
        *(f"left out: {node_id}, which leads to no output" for node_id in proposal.dropped),
        *(f"left out: {node_id}.{name}, which {kind} does not take" for node_id, name, kind in proposal.unknown),
    ]
    print(folder, *lines, sep="\n  ")
