"""What is wrong with a template, with the exact place and a cure: more than loading it would say, and all at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from compiler.catalog import Catalog
from compiler.compile import compile_template
from compiler.errors import ComfycError, Fault, TemplateError, nearest
from compiler.graph.api_json import parse
from compiler.graph.ir import Graph, Node, Ref
from compiler.graph.verify import verify_structure
from compiler.media import Media
from compiler.template.authoring.roles import medium_of, model_folder, output_kind
from compiler.template.expression import Expressions, is_expression
from compiler.template.library import Library, Template, read_json
from compiler.template.manifest import Param, TemplateManifest
from compiler.template.params import PREFIX, check_declared
from compiler.template.skeleton import Skeleton


def lint_folder(folder: Path, library: Library, catalog: Catalog) -> list[Fault]:
    """Checks the template in `<family>/<name>/`, whether it loads or not."""
    name = f"{folder.parent.name}/{folder.name}"
    try:
        manifest, nodes = (
            _manifest(folder),
            parse(read_json(folder / "graph.json", "graph.json"), where="graph.json").nodes,
        )
    except ComfycError as error:
        return list(error.faults)
    broken = [*_expressions(nodes, manifest.params), *_structure(nodes, manifest)]
    if broken:
        return broken
    template = Template(
        name, manifest, Skeleton("graph.json", read_json(folder / "graph.json", "graph.json"), manifest.params)
    )
    return lint(template, library, catalog)


def lint(template: Template, library: Library, catalog: Catalog) -> list[Fault]:
    """Checks a template that loads: unused names, types, the catalog's facts, and that its examples compile."""
    nodes, manifest = template.skeleton.nodes, template.manifest
    return [
        *_unused(template),
        *_defaults(manifest.params),
        *_wires(template, catalog),
        *_outputs(template, catalog),
        *_unreachable(nodes, manifest),
        *_classes(nodes, catalog),
        *_files(template, catalog),
        *_media(template, catalog),
        *_examples(template, library, catalog),
    ]


# --- what keeps a template from loading ------------------------------------------------------------------------


def _manifest(folder: Path) -> TemplateManifest:
    try:
        return TemplateManifest.model_validate(read_json(folder / "manifest.json", "manifest.json"))
    except ValidationError as error:
        known = TemplateManifest.model_fields
        raise TemplateError(
            *(
                Fault(
                    f"manifest.json: {'.'.join(map(str, one['loc']))}",
                    one["msg"],
                    nearest(str(one["loc"][0]), known) if one["type"] == "extra_forbidden" else "",
                )
                for one in error.errors()
            )
        ) from error


def _expressions(nodes: Mapping[str, Node], params: Mapping[str, Param]) -> Iterator[Fault]:
    for node_id, node in nodes.items():
        for name, value in node.inputs.items():
            if isinstance(value, str) and is_expression(value):
                try:
                    Expressions([(f"graph.json: {node_id}.{name}", value)], params)
                except TemplateError as error:
                    yield from error.faults


def _structure(nodes: Mapping[str, Node], manifest: TemplateManifest) -> Iterator[Fault]:
    try:
        verify_structure(Graph(nodes))
    except ComfycError as error:
        yield from (Fault(f"graph.json: {one.where}", one.what, one.cure, one.code) for one in error.faults)
    named = [(f"wires.{name}.source", wire.source[0]) for name, wire in manifest.wires.items()]
    named += [(f"outputs.{name}.node", output.node) for name, output in manifest.outputs.items()]
    for where, node_id in named:
        if node_id not in nodes:
            what = f"names node {node_id!r}, which is not in graph.json"
            yield Fault(f"manifest.json: {where}", what, nearest(node_id, nodes), "unknown_node")


# --- what loads and is wrong all the same ----------------------------------------------------------------------


def _unused(template: Template) -> Iterator[Fault]:
    for name in template.manifest.params:
        if name not in template.skeleton.used_params and name != PREFIX:
            yield Fault(
                f"manifest.json: params.{name}", "is used by no expression", "Drop it, or use it", "unused_param"
            )


def _defaults(params: Mapping[str, Param]) -> Iterator[Fault]:
    for name, param in params.items():
        yield from check_declared(f"manifest.json: params.{name}", param)


def _wires(template: Template, catalog: Catalog) -> Iterator[Fault]:
    nodes, seen = template.skeleton.nodes, dict[tuple[str, int], str]()
    linked = {ref for node in nodes.values() for _, ref in node.links()}
    for name, wire in template.manifest.wires.items():
        where, (node_id, slot) = f"manifest.json: wires.{name}", wire.source
        schema = catalog.get(nodes[node_id].kind)
        if schema and not 0 <= slot < len(schema.outputs):
            what = f"takes output {slot} of {node_id!r}, which has {len(schema.outputs)}"
            yield Fault(where, what, "Count from 0", "no_such_output")
        elif schema and wire.type not in (schema.outputs[slot][0], *schema.outputs[slot][0].split(",")):
            kind = schema.outputs[slot][0]
            yield Fault(
                where, f"is {wire.type}, but output {slot} of {node_id!r} is {kind}", f'Write "{kind}"', "wrong_type"
            )
        if Ref(*wire.source) not in linked:
            yield Fault(where, "feeds no input: what attaches there has no effect", "Drop it", "unreachable_wire")
        if wire.source in seen:
            yield Fault(where, f"has the source of wire {seen[wire.source]!r}", "Drop one", "same_source")
        seen[wire.source] = name


def _outputs(template: Template, catalog: Catalog) -> Iterator[Fault]:
    nodes = template.skeleton.nodes
    for name, output in template.manifest.outputs.items():
        where, node = f"manifest.json: outputs.{name}", nodes[output.node]
        schema = catalog.get(node.kind)
        if schema is None:
            continue
        if not schema.output_node:
            yield Fault(
                where, f"{output.node!r} ({node.kind}) is no output node", "Name a saving node", "no_output_node"
            )
            continue
        linked = {kind for _, ref in node.links() if (kind := _type(nodes, ref, catalog))}
        made = output_kind(schema, linked)
        if made and made != output.kind:
            yield Fault(where, f"is {output.kind}, but {node.kind} writes {made}", f'Write "{made}"', "wrong_kind")


def _type(nodes: Mapping[str, Node], ref: Ref, catalog: Catalog) -> str:
    schema = catalog.get(nodes[ref.node].kind) if ref.node in nodes else None
    return schema.outputs[ref.output][0] if schema and 0 <= ref.output < len(schema.outputs) else ""


def _unreachable(nodes: Mapping[str, Node], manifest: TemplateManifest) -> Iterator[Fault]:
    met: set[str] = set()
    waiting = [output.node for output in manifest.outputs.values()]
    while waiting:
        node_id = waiting.pop()
        if node_id in nodes and node_id not in met:
            met.add(node_id)
            waiting += [ref.node for _, ref in nodes[node_id].links()]
    for node_id in nodes:
        if node_id not in met:
            cure = "Drop it, or name what it feeds in outputs"
            yield Fault(f"graph.json: {node_id}", "leads to no output and will not run", cure, "unreachable")


def _classes(nodes: Mapping[str, Node], catalog: Catalog) -> Iterator[Fault]:
    for node_id, node in nodes.items():
        schema = catalog.get(node.kind)
        where = f"graph.json: {node_id}"
        if schema is None:
            cure = catalog.did_you_mean(node.kind) or "Name a ComfyUI that has it: --catalog URL"
            yield Fault(where, f"{catalog.label} has no node class {node.kind!r}", cure, "missing_node_type")
            continue
        known = schema.active(node.inputs)
        for name in node.inputs:
            if name not in known and not (schema.is_dynamic and "." in name):
                cure = nearest(name, known) or f"It takes {', '.join(known)}"
                yield Fault(f"{where}.{name}", f"{node.kind} has no such input", cure, "unknown_input")


def _files(template: Template, catalog: Catalog) -> Iterator[Fault]:
    """Model files that the graph or a default names, and needs.files does not."""
    manifest = template.manifest
    for node_id, node in template.skeleton.nodes.items():
        schema = catalog.get(node.kind)
        for name, value in node.inputs.items():
            spec = schema.by_name.get(name) if schema else None
            folder = model_folder(node.kind, spec) if spec and spec.type == "COMBO" else ""
            if not folder or not isinstance(value, str):
                continue
            param = manifest.params.get(template.skeleton.param_of(f"{node_id}.{name}"))
            file = param.default if param else None if is_expression(value) else value
            beside = spec.options.get("beside_files", ()) if spec else ()
            if isinstance(file, str) and file not in beside and file not in manifest.needs.files.get(folder, ()):
                cure = f'Write it into manifest.json: needs.files.{folder}: ["{file}"]'
                yield Fault(
                    f"graph.json: {node_id}.{name}", f"{file!r} is not among the files needed", cure, "missing_file"
                )


def _media(template: Template, catalog: Catalog) -> Iterator[Fault]:
    """Parameters that name a medium and do not say so: nobody would upload it."""
    for node_id, node in template.skeleton.nodes.items():
        schema = catalog.get(node.kind)
        for name in node.inputs:
            spec = schema.by_name.get(name) if schema else None
            medium = medium_of(schema, spec) if schema and spec else ""
            param = template.skeleton.param_of(f"{node_id}.{name}")
            if medium and param and not template.manifest.params[param].media:
                what = f"feeds {node_id}.{name}, which takes a file of the caller"
                yield Fault(f"manifest.json: params.{param}", what, f'Write "media": "{medium}"', "no_media")


def _examples(template: Template, library: Library, catalog: Catalog) -> Iterator[Fault]:
    """Each example compiles for the catalog."""
    examples = template.manifest.examples
    if not examples:
        yield Fault(
            "manifest.json: examples", "there is none", "Write one that gives every required parameter", "no_example"
        )
    mine = library.with_templates({template.id: template})
    for number, example in enumerate(examples):
        where = f"manifest.json: examples[{number}]"
        try:
            compile_template(
                template.id,
                example.params,
                dict(_example_media(template, example.params)),
                mine,
                catalog,
                stack=example.stack,
                profile=example.profile,
                outputs=example.outputs,
            )
        except ComfycError as error:
            yield from (Fault(f"{where}: {one.where}", one.what, one.cure, one.code) for one in _first(error.faults))


def _example_media(template: Template, params: Mapping[str, Any]) -> Iterator[tuple[str, Media]]:
    for name, param in template.manifest.params.items():
        if param.media and isinstance(params.get(name), str):
            kind = "image" if param.media == "mask" else param.media
            yield cast("str", params[name]), Media(cast("str", params[name]), kind)


def _first(faults: Iterable[Fault], most: int = 20) -> list[Fault]:
    return list(faults)[:most]
