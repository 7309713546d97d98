"""Draw a graph as an SVG picture.

Takes an API-format graph, a workflow as ComfyUI's page saves it (also inside a PNG), or a request, which is compiled
first; the nodes of a fragment or subgraph are framed. The picture is light or dark, as the reader's system prefers."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compiler.errors import Fault
from runner.cli.faults import InputError
from runner.cli.options import add_catalog, add_data, settings_of

if TYPE_CHECKING:
    from compiler.catalog import Catalog
    from compiler.graph.ir import Graph


def configure(parser: argparse.ArgumentParser) -> None:
    text = "an API-format graph, a workflow, or a request, as JSON or inside a PNG; `-` reads stdin"
    parser.add_argument("graph", metavar="GRAPH.json", help=text)
    parser.add_argument("-o", "--out", metavar="OUT.svg", type=Path, help="the file to write, in place of stdout")
    parser.add_argument("--dialect", metavar="D", help="for a request: the API it is written for")
    add_catalog(parser)
    add_data(parser)


def run(args: argparse.Namespace) -> int:
    from compiler.draw import draw
    from runner.cli.catalogs import load_catalog
    from runner.cli.commands.convert import read_document

    catalog = load_catalog(args.catalog)
    graph, groups = read_graph(read_document(args.graph), args, catalog)
    text = draw(graph, catalog, groups=groups)
    if args.out is None:
        print(text, end="")
        return 0
    try:
        args.out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(Fault(str(args.out), error.strerror or str(error))) from error
    print(args.out)
    return 0


def read_graph(document: Any, args: argparse.Namespace, catalog: Catalog) -> tuple[Graph, Mapping[str, str]]:
    """The graph of a document of any of the three kinds, and what its nodes belong to.

    Errors: InputError, GraphError, WorkflowError; RequestError for a request that does not compile.
    """
    from compiler import recognise
    from compiler.draw import subgraph_groups, subgraph_titles
    from compiler.graph.api_json import parse
    from compiler.workflow import convert, kind_of

    kind = kind_of(document)
    if kind == "ui":
        graph = parse(convert(document, catalog).api, where=args.graph)
        return graph, subgraph_groups(graph, subgraph_titles(document))
    if not kind and (args.dialect or recognise(document)):
        return _compiled(args, catalog)
    graph = parse(document, where=args.graph)
    return graph, subgraph_groups(graph, {})


def _compiled(args: argparse.Namespace, catalog: Catalog) -> tuple[Graph, Mapping[str, str]]:
    from compiler import compile_request
    from compiler.draw import fragment_groups
    from runner.assemble import library_of
    from runner.cli.graphs import read_request

    settings = settings_of(args)
    library = library_of(settings)
    file, media = read_request(args, args.graph, settings)
    made = compile_request(file.provider, file.request, media, library, catalog, prefix=f"comfyc/{file.name}")
    return made.graph, fragment_groups(made, library)
