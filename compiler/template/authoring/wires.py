"""Where fragments may attach to an imported graph: the values that LoRA, references and tails tap or replace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from compiler.graph.ir import Ref
from compiler.template.authoring import names
from compiler.template.authoring.roles import Roles, medium_of
from compiler.template.manifest import LoraPoint, LoraRule, Wire

EXPERTS: Final = ("high", "low")
"""Words in a title or file name that tell the models of one graph apart."""


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
    told = " ".join([ref.node, node.title, *(str(value) for value in node.inputs.values())]).lower()
    said = [word for word in EXPERTS if word in told]
    return said[0] if len(said) == 1 else ""


def _nearest_pictures(roles: Roles, node_id: str) -> Iterator[Ref]:
    """The IMAGE outputs next upstream of an output node."""
    for _, ref in roles.graph[node_id].links():
        if roles.type_of(ref) == "IMAGE":
            yield ref
        elif roles.type_of(ref) == "VIDEO":
            yield from _nearest_pictures(roles, ref.node)


def find_lora_rule(wires: dict[str, Wire], roles: Roles) -> LoraRule | None:
    """How LoRA go on: through the text encoder too where one file holds both; otherwise on every model."""
    models = {name: wire for name, wire in wires.items() if wire.type == "MODEL"}
    if not models:
        return None
    first, clip = next(iter(models.values())), wires.get("clip")
    if len(models) == 1 and clip and clip.source[0] == first.source[0]:
        point = LoraPoint(wires={"model": next(iter(models)), "clip": "clip"})
        return LoraRule(fragment="lora_model_clip", points=(point,), families=())
    points = [
        LoraPoint(
            wires={"model": name},
            expert=expert if (expert := name.removeprefix("model_")) in EXPERTS else "*",
            suffix=f"_{expert}_noise" if expert in EXPERTS else "",
        )
        for name in models
    ]
    return LoraRule(fragment="lora_model", points=tuple(points), families=())
