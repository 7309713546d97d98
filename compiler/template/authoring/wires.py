"""Where fragments may attach to an imported graph: the values that LoRA, references and tails tap or replace."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.graph.ir import Ref
from compiler.template.authoring import names
from compiler.template.authoring.roles import Roles, medium_of
from compiler.template.manifest import LoraPoint, LoraRule, Wire


def find_wires(roles: Roles) -> dict[str, Wire]:
    """Wires by name, no two from one output: where models come from, what samplers are fed, pictures in and out."""
    found: dict[str, Wire] = {}
    sources: set[Ref] = set()
    for name, ref in _candidates(roles):
        if ref in sources or ref not in roles.consumers:
            continue
        sources.add(ref)
        found[names.unique(name, found)] = Wire(source=(ref.node, ref.output), type=roles.type_of(ref))
    return found


def _candidates(roles: Roles) -> Iterator[tuple[str, Ref]]:
    for name in ("MODEL", "CLIP", "VAE"):
        sources = [ref for ref in roles.outputs_of(name) if name not in roles.linked_types(ref.node)]
        for ref in sources:
            expert = _expert(roles, ref) if len(sources) > 1 else ""
            yield f"{name.lower()}_{expert}" if expert else name.lower(), ref
    for node_id, node in roles.graph.nodes.items():  # uploaded pictures
        schema = roles.schemas[node_id]
        for slot, (kind, _) in enumerate(schema.outputs):
            takes = {medium_of(schema, spec) for spec in roles.specs[node_id].values()}
            if kind == "IMAGE" and takes & {"image"} and not list(node.links()):
                yield "input_image", Ref(node_id, slot)
    yield from _conditioning(roles)
    samplers = {node_id for node_id, _ in roles.samplers()}
    for _, node in roles.samplers():
        for _, ref in node.links():
            if roles.type_of(ref) == "LATENT" and ref.node not in samplers:
                yield "latent", ref
    for output in roles.graph.outputs:
        yield from (("image", ref) for ref in _nearest_pictures(roles, output))


def _conditioning(roles: Roles) -> Iterator[tuple[str, Ref]]:
    """What samplers and guiders are given; a single conditioning counts as positive."""
    for node_id, node in roles.graph.nodes.items():
        makes = {kind for kind, _ in roles.schemas[node_id].outputs}
        if not makes & {"LATENT", "GUIDER"} or not roles.linked_types(node_id) & {"MODEL", "GUIDER"}:
            continue
        for name, ref in node.links():
            if roles.type_of(ref) == "CONDITIONING":
                yield "negative" if "negative" in name or "uncond" in name else "positive", ref


def _expert(roles: Roles, ref: Ref) -> str:
    node = roles.graph[ref.node]
    return names.expert(" ".join([ref.node, node.title, *(str(value) for value in node.inputs.values())]))


def _nearest_pictures(roles: Roles, node_id: str) -> Iterator[Ref]:
    """The IMAGE outputs next upstream of an output node."""
    for _, ref in roles.graph[node_id].links():
        if roles.type_of(ref) == "IMAGE":
            yield ref
        elif roles.type_of(ref) == "VIDEO":
            yield from _nearest_pictures(roles, ref.node)


def find_lora_rule(wires: dict[str, Wire], roles: Roles) -> LoraRule | None:
    """How LoRA go on: through the text encoders too where each model's file holds its own; otherwise on the models.

    Models that only make a hint (a depth map for a ControlNet) are left alone.
    """
    models = {name: wire.source for name, wire in wires.items() if wire.type == "MODEL"}
    painting = set(_painting(roles))
    models = {name: source for name, source in models.items() if source[0] in painting} or models
    if not models:
        return None
    clips = {wire.source[0]: name for name, wire in wires.items() if wire.type == "CLIP"}
    both = all(node_id in clips for node_id, _ in models.values())
    points = [_point(name, clips[source[0]] if both else "") for name, source in models.items()]
    return LoraRule(fragment="lora_model_clip" if both else "lora_model", points=tuple(points), families=())


def _point(model: str, clip: str) -> LoraPoint:
    expert = names.expert(model)
    suffix = f"_{expert}_noise" if expert else ""
    return LoraPoint(wires={"model": model, **({"clip": clip} if clip else {})}, expert=expert or "*", suffix=suffix)


def _painting(roles: Roles) -> Iterator[str]:
    """The nodes that the models of the result come from: upstream of the outputs, but not by way of a conditioning."""
    waiting, met = list(roles.graph.outputs), set[str]()
    while waiting:
        node_id = waiting.pop()
        if node_id in met:
            continue
        met.add(node_id)
        yield node_id
        waiting += [ref.node for _, ref in roles.graph[node_id].links() if roles.type_of(ref) != "CONDITIONING"]
