"""What a template of a workflow could be: parameters, wires, outputs and needs, proposed from the catalog's facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from compiler.catalog import Catalog, InputSpec, NodeSchema
from compiler.errors import Fault, TemplateError, nearest
from compiler.graph.ir import Graph, Node, Ref
from compiler.graph.verify import verify_structure
from compiler.shipped import own_nodes
from compiler.template.authoring import names
from compiler.template.authoring.roles import Roles, medium_of, model_folder, output_kind
from compiler.template.authoring.wires import find_lora_rule, find_wires
from compiler.template.manifest import LoraRule, Param, TemplateOutput, Wire

JSON_TYPES: Final[Mapping[str, str]] = {
    "INT": "integer",
    "FLOAT": "number",
    "STRING": "string",
    "BOOLEAN": "boolean",
    "COMBO": "string",
}
OWN_PACK: Final = "comfyc"
LAST_STEP: Final = 1000
"""More steps than anybody takes: `end_at_step` of a sampler that goes to the end."""
LONGEST_ENUM: Final = 60
"""Choices that are listed in a manifest; longer lists are the target's business."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A parameter and the inputs that it sets."""

    name: str
    param: Param
    places: tuple[tuple[str, str], ...]
    """(node id, input)"""
    value: Any
    """What the workflow has there; the default, or for a medium the example."""
    folder: str = ""
    """For a model file: its folder."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A template to be."""

    graph: Graph
    choices: tuple[Choice, ...]
    wires: Mapping[str, Wire]
    outputs: Mapping[str, TemplateOutput]
    packs: tuple[str, ...] = ()
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
        tuple(_choices(roles, wanted)),
        wires,
        outputs,
        tuple(sorted({pack for schema in roles.schemas.values() if (pack := _pack(schema))})),
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


# --- parameters ------------------------------------------------------------------------------------------------


def _choices(roles: Roles, wanted: Mapping[str, tuple[str, str]]) -> Iterator[Choice]:
    """The parameters that were asked for, then those proposed; equal values of one name are one parameter."""
    taken = {place: name for name, place in wanted.items()}
    found: dict[str, Choice] = {}
    for name, (node_id, widget) in wanted.items():
        spec = roles.specs[node_id].get(widget)
        found[name] = _choice(name, "", roles, node_id, widget, spec)
    for node_id, node in roles.graph.nodes.items():
        for widget, value in node.inputs.items():
            spec = roles.specs[node_id].get(widget)
            if isinstance(value, Ref) or spec is None or (node_id, widget) in taken:
                continue
            proposed = _proposed(roles, node_id, widget, spec)
            if proposed:
                _add(found, _choice(*proposed, roles, node_id, widget, spec), wanted)
    yield from found.values()


def _add(found: dict[str, Choice], new: Choice, wanted: Mapping[str, Any]) -> None:
    twin = next((one for one in found.values() if _same(one, new) and one.name not in wanted), None)
    if twin:
        found[twin.name] = Choice(twin.name, twin.param, (*twin.places, *new.places), twin.value, twin.folder)
        return
    name = names.unique(new.name, found)
    found[name] = Choice(name, new.param, new.places, new.value, new.folder)


def _same(one: Choice, two: Choice) -> bool:
    """Whether two places of one name are one parameter: prefixes of files, and equal values but texts and files."""
    base = one.name == two.name or one.name.rpartition("_")[0] == two.name
    if two.name == "filename_prefix":
        return base
    alone = two.folder or two.param.media or two.name in ("prompt", "negative_prompt")
    return base and not alone and repr(one.value) == repr(two.value) and one.param.type == two.param.type


def _proposed(roles: Roles, node_id: str, widget: str, spec: InputSpec) -> tuple[str, str] | None:
    """(name, meaning) of the parameter that an input is most likely meant to be; None for a fixed value."""
    schema = roles.schemas[node_id]
    medium = medium_of(schema, spec)
    if medium:
        return medium, f"The {medium} to work on" if medium != "audio" else "The sound to work on"
    folder = model_folder(schema.name, spec) if spec.type == "COMBO" else ""
    if folder:
        return names.FOLDERS.get(folder, names.slug(folder)), f"File in the {folder} folder"
    if spec.type == "STRING" and (spec.options.get("multiline") or spec.options.get("dynamicPrompts")):
        if not roles.encodes_text(node_id):
            return None
        if roles.is_negative(node_id) or "negative" in roles.graph[node_id].title.lower() or "negative" in widget:
            return "negative_prompt", "What to keep out"
        return "prompt", "Text of the picture or video"
    if spec.type == "INT" and spec.options.get("control_after_generate"):
        return names.PARAMS["seed"]
    if widget in ("start_at_step", "end_at_step"):
        value: Any = roles.graph[node_id].inputs[widget]
        return ("split", "Step at which one sampler hands over to the next") if 0 < value < LAST_STEP else None
    sized = widget in ("width", "height", "length", "batch_size")
    if sized and "LATENT" not in {kind for kind, _ in schema.outputs}:
        return None
    return names.PARAMS.get(widget)


def _choice(name: str, meaning: str, roles: Roles, node_id: str, widget: str, spec: InputSpec | None) -> Choice:
    value = roles.graph[node_id].inputs[widget]
    schema = roles.schemas[node_id]
    medium = medium_of(schema, spec) if spec else ""
    folder = model_folder(schema.name, spec) if spec and spec.type == "COMBO" else ""
    facts: dict[str, Any] = {
        "type": JSON_TYPES.get(spec.type, _json_type(value)) if spec else _json_type(value),
        "description": meaning or f"{widget} of {schema.display_name or schema.name}",
        "media": medium,
    }
    if not medium:
        facts["default"] = value
    if spec:
        facts |= _limits(widget, spec, fixed=bool(medium or folder))
    return Choice(name, Param(**facts), ((node_id, widget),), value, folder)


def _json_type(value: Any) -> str:
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (list, "array"), (dict, "object")):
        if isinstance(value, kind):
            return name
    return "string"


def _limits(widget: str, spec: InputSpec, *, fixed: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if spec.type in ("INT", "FLOAT"):
        facts = {
            key: spec.options[name] for key, name in (("minimum", "min"), ("maximum", "max")) if name in spec.options
        }
        step = spec.options.get("step")
        if spec.type == "INT" and widget in ("width", "height") and isinstance(step, int) and step > 1:
            facts["multiple_of"] = step
    texts = spec.values or ()
    if (
        spec.type == "COMBO"
        and not fixed
        and 0 < len(texts) <= LONGEST_ENUM
        and all(isinstance(one, str) for one in texts)
    ):
        facts["enum"] = tuple(texts)
    return facts
