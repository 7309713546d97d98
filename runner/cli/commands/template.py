"""List, show, make, check and render templates: graphs with parameters.

`import` makes one of a workflow or an API-format graph: it proposes parameters, wires for LoRA and presets, outputs and
needs, asks where it is run in a terminal, and writes FAMILY/NAME/{graph.json,manifest.json} into --out. `lint` names
what is wrong with a template and how to cure it. `render` prints the graph of a template with parameters set.
Your own templates are those in the folders of --templates and of COMFYC_TEMPLATES."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compiler.errors import Fault
from runner.cli.faults import InputError
from runner.cli.options import add_catalog, add_templates, settings_of

if TYPE_CHECKING:
    from compiler.catalog import Catalog
    from compiler.template.library import Library, Template


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="print every template: id, what it makes, its title")
    listing.set_defaults(act=show_list)
    showing = actions.add_parser("show", help="print a template's parameters, wires, outputs, needs and examples")
    showing.add_argument("id", metavar="ID", help="FAMILY/NAME")
    showing.set_defaults(act=show_one)
    importing = actions.add_parser("import", help="make a template of a workflow")
    text = "a workflow as ComfyUI saves it, or an API-format graph, as JSON or inside a PNG; `-` reads stdin"
    importing.add_argument("workflow", metavar="WORKFLOW.json", help=text)
    importing.add_argument("--id", metavar="FAMILY/NAME", help="what to call it (default: own/ and the file's name)")
    importing.add_argument("--title", metavar="TEXT", help="its title (default: from the file's name)")
    text = "a parameter of your own: sets an input of a node, by the workflow's node id; may be repeated"
    importing.add_argument("--param", metavar="NAME=NODE.INPUT", action="append", default=[], help=text)
    text = "leave out a proposed parameter: its value stays as in the workflow; may be repeated"
    importing.add_argument("--fix", metavar="NAME", action="append", default=[], help=text)
    importing.add_argument("--yes", action="store_true", help="take what is proposed, without questions")
    importing.add_argument("--force", action="store_true", help="write over a template that is there")
    text = "folder of templates (default: the first of --templates or COMFYC_TEMPLATES, else ./templates)"
    importing.add_argument("--out", metavar="DIR", type=Path, help=text)
    importing.set_defaults(act=import_one)
    linting = actions.add_parser("lint", help="name what is wrong with templates, with the place and the cure")
    text = "a template's folder, or a folder of templates (default: every template)"
    linting.add_argument("path", metavar="PATH", type=Path, nargs="?", help=text)
    linting.set_defaults(act=lint_all)
    rendering = actions.add_parser("render", help="print the API-format graph of a template")
    rendering.add_argument("id", metavar="ID", help="FAMILY/NAME")
    text = "a parameter; text as it is, everything else as JSON; a medium by its name on the target; may be repeated"
    rendering.add_argument("--set", metavar="NAME=VALUE", dest="values", action="append", default=[], help=text)
    rendering.add_argument("--lora", metavar="ID[=STRENGTH]", action="append", default=[], help="a LoRA to apply")
    text = "stack for the files and sampling that are not set (default: that of the template's first example)"
    rendering.add_argument("--stack", metavar="S", default="", help=text)
    rendering.add_argument("--output", metavar="NAME", action="append", default=[], help="only these outputs")
    rendering.set_defaults(act=render)
    for action in (listing, showing, importing, linting, rendering):
        add_templates(action)
    for action in (importing, linting, rendering):
        add_catalog(action)


def run(args: argparse.Namespace) -> int:
    return args.act(args)


def library(args: argparse.Namespace) -> Library:
    from runner.assemble import library_of

    return library_of(settings_of(args))


def catalog_of(args: argparse.Namespace, packs: tuple[str, ...] = ()) -> Catalog:
    """The catalog that was named, else the newest shipped; a shipped one has our own nodes, and packs where needed."""
    from compiler.shipped import CATALOGS, pack_nodes
    from runner.cli.catalogs import load_catalog

    catalog = load_catalog(args.catalog)
    if catalog.source != "shipped":
        return catalog
    others = sorted(path.stem for path in (CATALOGS / "packs").glob("*.json")) if packs else ()
    for pack in ("comfyc", *others):
        catalog = catalog.extended(pack_nodes(pack).nodes)
    return catalog


# --- list, show ------------------------------------------------------------------------------------------------


def show_list(args: argparse.Namespace) -> int:
    templates = library(args).templates
    width = max(map(len, templates))
    for name, one in templates.items():
        kinds = ", ".join(dict.fromkeys(output.kind for output in one.manifest.outputs.values()))
        print(f"{name:<{width}}  {kinds:<13}  {one.manifest.title}")
    return 0


def show_one(args: argparse.Namespace) -> int:
    manifest = library(args).template(args.id).manifest
    print(f"{args.id}: {manifest.title}", *filter(None, [manifest.description]), sep="\n")
    print("\nparameters")
    for name, param in manifest.params.items():
        facts = [f"{key} {value}" for key, value in param.json_schema().items() if key not in ("type", "description")]
        kind = param.media or param.type
        given = "" if param.default is not None or param.optional else ", required"
        print(f"  {name}: {kind}{given}{f' ({_short(facts)})' if facts else ''}  {param.description}".rstrip())
    print("\nwires", *(f"  {name}: {one.type}" for name, one in manifest.wires.items()), sep="\n")
    print("\noutputs", *(f"  {name}: {one.kind}" for name, one in manifest.outputs.items()), sep="\n")
    for folder, files in manifest.needs.files.items():
        print(f"\nneeds, in {folder}", *(f"  {name}" for name in files), sep="\n")
    if manifest.needs.packs:
        print("\nneeds the packs", ", ".join(manifest.needs.packs))
    for example in manifest.examples:
        words = " ".join(f"--set {name}={value!r}" for name, value in example.params.items())
        stack = f" --stack {example.stack}" if example.stack else ""
        print(f"\nexample: {example.title}\n  comfyc template render {args.id}{stack} {words}".rstrip())
    return 0


def _short(facts: list[str]) -> str:
    text = ", ".join(facts)
    return text if len(text) <= 100 else text[:99] + "…"


# --- import, lint, render --------------------------------------------------------------------------------------


def import_one(args: argparse.Namespace) -> int:
    from runner.cli.importing import import_template

    settings = settings_of(args)
    out = args.out or (settings.templates[0] if settings.templates else Path("templates"))
    return import_template(args, library(args), catalog_of(args), out)


def lint_all(args: argparse.Namespace) -> int:
    from compiler.template.authoring import lint, lint_folder

    known = library(args)
    found: list[tuple[str, list[Fault]]] = []
    if args.path is None:
        for name, one in known.templates.items():
            found.append((name, lint(one, known, catalog_of(args, one.manifest.needs.packs))))
    else:
        catalog = catalog_of(args)
        found += [(str(folder), lint_folder(folder, known, catalog)) for folder in template_folders(args.path)]
    bad = [report(name, faults) for name, faults in found]
    return 1 if any(bad) else 0


def template_folders(path: Path) -> list[Path]:
    """The folder itself if it is a template, else every FAMILY/NAME below it. Errors: InputError if there is none."""
    if (path / "manifest.json").is_file() or (path / "graph.json").is_file():
        return [path.resolve()]
    root = path / "templates" if (path / "templates").is_dir() else path
    found = sorted({file.parent for file in root.glob("*/*/*.json") if file.name in ("manifest.json", "graph.json")})
    if not found:
        cure = "Give FAMILY/NAME with graph.json and manifest.json, or a folder of such"
        raise InputError(Fault(str(path), "holds no template", cure))
    return found


def report(name: str, faults: list[Fault]) -> bool:
    print(f"{name}: {'fine' if not faults else f'{len(faults)} to mend'}", *(f"  {one}" for one in faults), sep="\n")
    return bool(faults)


def render(args: argparse.Namespace) -> int:
    import json
    import sys

    from compiler import LoraUse, Media, compile_template, template_media

    known = library(args)
    params = read_params(known.template(args.id), args.values)
    refs = template_media(args.id, params, known)
    compiled = compile_template(
        args.id,
        params,
        {ref.value: Media(ref.value, "image" if ref.kind == "mask" else ref.kind) for ref in refs},
        known,
        catalog_of(args, known.template(args.id).manifest.needs.packs),
        loras=[LoraUse(*read_lora(text), field=f"--lora {text}") for text in args.lora],
        stack=args.stack,
        outputs=args.output,
    )
    for line in compiled.unsupported:
        print(f"not honoured: {line}", file=sys.stderr)
    print(json.dumps(compiled.api, indent=2, ensure_ascii=False))
    return 0


def read_params(template: Template, pairs: list[str]) -> dict[str, Any]:
    from compiler.template.params import read_value

    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise InputError(Fault(f"--set {pair}", "has no value", "Write NAME=VALUE"))
        param = template.manifest.params.get(name)
        values[name] = text if param is None else read_value(text, param)
    return values


def read_lora(text: str) -> tuple[str, float]:
    name, _, strength = text.partition("=")
    try:
        return name, float(strength or 1)
    except ValueError:
        raise InputError(Fault(f"--lora {text}", f"{strength!r} is not a number", "Write ID=0.8")) from None
