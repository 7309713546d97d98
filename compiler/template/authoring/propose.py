"""What a template of a workflow could be: parameters, wires, outputs and needs, proposed from the catalog's facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from compiler.catalog import Catalog, NodeSchema
from compiler.errors import Fault, TemplateError, nearest
from compiler.graph.ir import Graph, Node, Ref
from compiler.graph.verify import verify_structure
from compiler.shipped import own_nodes
from compiler.template.authoring import names
from compiler.template.authoring.choices import Choice, find_choices
from compiler.template.authoring.roles import Roles, model_folder, output_kind
from compiler.template.authoring.wires import find_lora_rule, find_wires
from compiler.template.manifest import LoraRule, TemplateOutput, Wire

OWN_PACK: Final = "comfyc"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A template to be."""

    graph: Graph
    choices: tuple[Choice, ...]
    wires: Mapping[str, Wire]
    outputs: Mapping[str, TemplateOutput]
    packs: tuple[str, ...] = ()
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, "tuple[str, ...]"])
    """Model folder → the files that the graph names there."""
    lora: LoraRule | None = None
    dropped: tuple[str, ...] = ()
    """What the template leaves out, for the person who imports."""
    unknown: tuple[tuple[str, str, str], ...] = ()
    """(node id, input, class) of inputs that are left out because the class has none of that name: ComfyUI's page sends
    a few of its own, which the server passes over."""


def propose(
    graph: Graph, catalog: Catalog, *, reserved: Iterable[str] = (), asked: Mapping[str, str] | None = None
) -> Proposal:
    """Reads the parts of an API-format graph.

    `reserved` are node ids that attachments may bring; `asked` is parameter → `node.input` (the workflow's own node
    ids), which come beside what is proposed, or in its place. Errors: TemplateError, GraphError.
    """
    verify_structure(graph)
    places = _asked_places(graph, catalog, asked or {})
    _check_classes(graph, catalog)
    graph, unknown = _known_inputs(graph, catalog, places.values())
    named = names.readable(graph, catalog, reserved)
    new_ids = dict(zip(graph.nodes, named.nodes, strict=True))
    outputs, dropped = _outputs(Roles(named, catalog))
    kept = _upstream(named, [one.node for one in outputs.values()])
    dropped += [node_id for node_id in named.nodes if node_id not in kept.nodes]
    roles = Roles(kept, catalog)
    wanted = {name: (new_ids[node_id], field) for name, (node_id, field) in places.items()}
    for name, (node_id, _) in wanted.items():
        if node_id not in kept.nodes:
            raise TemplateError(Fault(f"--param {name}", "belongs to a node that leads to no output", "Leave it out"))
    wires = find_wires(roles)
    return Proposal(
        kept,
        tuple(find_choices(roles, wanted)),
        wires,
        outputs,
        tuple(sorted({pack for schema in roles.schemas.values() if (pack := _pack(schema))})),
        _files(roles),
        find_lora_rule(wires, roles),
        tuple(dropped),
        tuple((new_ids[node_id], name, kind) for node_id, name, kind in unknown if new_ids[node_id] in kept.nodes),
    )


def _known_inputs(
    graph: Graph, catalog: Catalog, asked: Iterable[tuple[str, str]]
) -> tuple[Graph, list[tuple[str, str, str]]]:
    """The graph without inputs that its classes do not take, but for those `asked`; and these: (node, input, class)."""
    nodes, kept = dict(graph.nodes), set(asked)
    unknown: list[tuple[str, str, str]] = []
    for node_id, node in graph.nodes.items():
        taken = catalog.nodes[node.kind].active(node.inputs)
        strange = [name for name in node.inputs if name not in taken and (node_id, name) not in kept]
        if strange:
            inputs = {name: value for name, value in node.inputs.items() if name not in strange}
            nodes[node_id] = Node(node.kind, inputs, node.title)
            unknown += [(node_id, name, node.kind) for name in strange]
    return Graph(nodes, graph.wires, graph.outputs), unknown


def _files(roles: Roles) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for node_id, node in roles.graph.nodes.items():
        for name, value in node.inputs.items():
            spec = roles.specs[node_id].get(name)
            folder = model_folder(node.kind, spec) if spec and spec.type == "COMBO" else ""
            if spec and folder and isinstance(value, str) and value not in spec.options.get("beside_files", ()):
                found.setdefault(folder, {})[value] = None
    return {folder: tuple(files) for folder, files in found.items()}


def _pack(schema: NodeSchema) -> str:
    return schema.pack or (OWN_PACK if schema.name in own_nodes() else "")


def _check_classes(graph: Graph, catalog: Catalog) -> None:
    unknown = {node.kind: node_id for node_id, node in graph.nodes.items() if node.kind not in catalog}
    if unknown:
        cure = "Name a ComfyUI that has it: --catalog URL"
        raise TemplateError(
            *(
                Fault(
                    f"node {node_id}",
                    f"{catalog.label} has no node class {kind!r}",
                    catalog.did_you_mean(kind) or cure,
                    "missing_node_type",
                )
                for kind, node_id in unknown.items()
            )
        )


def _asked_places(graph: Graph, catalog: Catalog, asked: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for name, place in asked.items():
        node_id = next((one for one in graph.nodes if place.startswith(f"{one}.")), None)
        if node_id is None:
            cure = (
                nearest(place.rpartition(".")[0], graph.nodes) or "Write it as NODE.INPUT, with the workflow's node id"
            )
            raise TemplateError(Fault(f"--param {name}", f"{place!r} names no node of the graph", cure))
        given = graph[node_id].inputs
        widget = place[len(node_id) + 1 :]
        if not isinstance(given.get(widget, Ref("")), (str, int, float, bool)):
            settable = [one for one, value in given.items() if isinstance(value, (str, int, float, bool))]
            cure = nearest(widget, settable) or f"It has {', '.join(settable) or 'no values'}"
            raise TemplateError(Fault(f"--param {name}", f"{widget!r} is not a value of node {node_id!r}", cure))
        found[name] = (node_id, widget)
    return found


def _outputs(roles: Roles) -> tuple[dict[str, TemplateOutput], list[str]]:
    """The nodes whose files are the result; previews only where nothing is saved."""
    found = [
        (node_id, kind, "filename_prefix" in roles.schemas[node_id].by_name)
        for node_id in roles.graph.nodes
        if roles.schemas[node_id].output_node
        and (kind := output_kind(roles.schemas[node_id], roles.linked_types(node_id)))
    ]
    saves = any(saved for _, _, saved in found)
    outputs: dict[str, TemplateOutput] = {}
    for node_id, kind, saved in found:
        if saved or not saves:
            facts: Any = {"node": node_id, "kind": kind}
            outputs[names.unique(kind, outputs)] = TemplateOutput(**facts)
    if not outputs:
        raise TemplateError(
            Fault("workflow", "has no node that saves pictures, video, sound or text", "Add one, e.g. SaveImage")
        )
    return outputs, []


def _upstream(graph: Graph, wanted: list[str]) -> Graph:
    needed: set[str] = set()
    waiting = list(wanted)
    while waiting:
        node_id = waiting.pop()
        if node_id not in needed:
            needed.add(node_id)
            waiting += [ref.node for _, ref in graph[node_id].links()]
    return Graph({node_id: node for node_id, node in graph.nodes.items() if node_id in needed}, {}, tuple(wanted))
