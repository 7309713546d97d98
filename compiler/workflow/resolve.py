"""Follows links to the node that is sent: through reroutes, bypassed nodes and the borders of subgraphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from compiler.graph.ir import Ref
from compiler.workflow.faults import Broken, at
from compiler.workflow.model import BYPASSED, FROM_OUTSIDE, VIRTUAL, Knot, Link, Role, Scope
from compiler.workflow.types import fits

_FEW: Final = 16
"""Steps of a link before circles are looked for."""
_BROKEN: Final = "Open the workflow in ComfyUI, link it anew and save it"


@dataclass(frozen=True, slots=True)
class Inherited:
    """A promoted widget's value stands in the place of a link."""

    value: Any
    multiline: bool


@dataclass(slots=True, eq=False)
class Place:
    """One node as it is sent: a node of a definition is at one place for each instance."""

    id: str
    """Ids of the instances around it and its own: `7:6:2`."""
    knot: Knot
    scope: Scope
    owner: Place | None
    """The instance that it is inside of."""

    @property
    def where(self) -> str:
        return at(self.id, self.knot.title, self.knot.kind)


def places(root: Scope) -> dict[str, Place]:
    """All places by id, instances included, in the order in which the page visits them."""
    found: dict[str, Place] = {}

    def visit(knots: Iterable[Knot], scope: Scope, owner: Place | None) -> None:
        prefix = f"{owner.id}:" if owner else ""
        for knot in knots:
            place_id = prefix + knot.id
            found[place_id] = place = Place(place_id, knot, scope, owner)
            if knot.inner is not None:
                visit(knot.inner.nodes.values(), knot.inner, place)

    visit(_in_order(root), root, None)
    return found


def _in_order(root: Scope) -> Iterator[Knot]:
    """Nodes of the root, sources first, then those in cycles; ties in the order in which they become ready."""
    missing = {knot.id: len([1 for slot in knot.slots if slot.link is not None]) for knot in root.nodes.values()}
    ready = [knot for knot in root.nodes.values() if not missing[knot.id]]
    seen: set[int | str] = set()
    for knot in ready:
        yield knot
        for number in chain.from_iterable(knot.out_links):
            link = root.links.get(number)
            if link is None or number in seen or link.target not in missing:
                continue
            seen.add(number)
            missing[link.target] -= 1
            if not missing[link.target]:
                ready.append(root.nodes[link.target])
    done = {knot.id for knot in ready}
    yield from (knot for knot in root.nodes.values() if knot.id not in done)


def resolve(start: Place, index: int, known: dict[str, Place]) -> Ref | Inherited | None:
    """What input slot number `index` of a place gets: an output, a promoted value, or nothing.

    Errors: Broken for a link that leads nowhere or in a circle.
    """
    place, slot, wanted, outward = start, index, None, False
    seen: set[tuple[int, int, bool]] = set()
    steps = 0
    while True:
        steps += 1
        if steps > _FEW:
            if (id(place), slot, outward) in seen:
                raise Broken(f"its link runs in a circle through {place.where}", "Break the circle", "cycle")
            seen.add((id(place), slot, outward))
        step = _through(place, slot, wanted or "*", known) if outward else _upstream(place, slot, wanted, known)
        if step is None or isinstance(step, (Ref, Inherited)):
            return step
        place, slot, wanted, outward = step


_Step = tuple[Place, int, "str | None", bool]
"""Where to look next: place, slot, type of the final input, whether the slot is an output."""


def _upstream(place: Place, index: int, wanted: str | None, known: dict[str, Place]) -> _Step | Ref | Inherited | None:
    """One step from an input slot to what is linked to it."""
    slot = place.knot.slots[index]
    if slot.link is None:
        return None
    link = _link(place, slot.link, slot.name)
    if place.scope.group and place.owner is not None:
        return _into_group(place.owner, link, place.scope)
    if place.owner is not None and link.origin == FROM_OUTSIDE:
        return _out_of_subgraph(place.owner, link)
    if link.origin not in place.scope.nodes:
        raise Broken(f"input {slot.name!r} is linked to node {link.origin}, which is not in the file", _BROKEN)
    origin = known[f"{place.owner.id}:{link.origin}" if place.owner else link.origin]
    return origin, link.origin_slot, wanted or slot.type, True


def _into_group(owner: Place, link: Link, inner: Scope) -> Ref | None:
    """What an inner node of a group gets: nothing from nodes that are not sent themselves, reroutes among them."""
    if link.origin != FROM_OUTSIDE:
        if inner.nodes[link.origin].role is Role.PRIMITIVE:
            return None
        return Ref(f"{owner.id}:{link.origin}", link.origin_slot)
    slots = owner.knot.slots
    if link.origin_slot >= len(slots) or slots[link.origin_slot].link is None:
        return None
    slot = slots[link.origin_slot]
    outer = _link(owner, slot.link or "", slot.name)
    if outer.origin not in owner.scope.nodes:
        raise Broken(f"input {slot.name!r} is linked to node {outer.origin}, which is not in the file", _BROKEN)
    return Ref(outer.origin, outer.origin_slot)


def _out_of_group(place: Place, inner: Scope, index: int) -> Ref:
    """The inner node that an output of a group stands for, through the group's reroutes."""
    link = inner.links[inner.outputs[index].links[0]]
    for _ in inner.nodes:
        knot = inner.nodes.get(link.origin)
        if knot is None or knot.role is not Role.REROUTE or knot.slots[0].link is None:
            break
        link = inner.links[knot.slots[0].link]
    if link.origin not in inner.nodes or inner.nodes[link.origin].role is Role.REROUTE:
        what = f"output {inner.outputs[index].name!r} of the group {place.where} comes from no node of it"
        raise Broken(what, "Convert the group node to a subgraph: ComfyUI's page fails on it", "unsupported")
    return Ref(f"{place.id}:{link.origin}", link.origin_slot)


def _link(place: Place, number: int | str, name: str) -> Link:
    link = place.scope.links.get(number)
    if link is None:
        raise Broken(f"input {name!r} names link {number}, which is not in the file", _BROKEN)
    return link


def _out_of_subgraph(owner: Place, link: Link) -> _Step | Inherited | None:
    if link.origin_slot >= len(owner.knot.slots):
        raise Broken(f"it uses input number {link.origin_slot} of its subgraph, which has fewer", _BROKEN)
    slot = owner.knot.slots[link.origin_slot]
    if slot.link is not None:
        _link(owner, slot.link, slot.name)
        return owner, link.origin_slot, None, False
    widget = owner.knot.behind(slot)
    if widget is None:
        return None
    spec = widget.spec.spec
    return Inherited(widget.value, bool(spec and spec.options.get("multiline")))


def _through(place: Place, index: int, wanted: str, known: dict[str, Place]) -> _Step | Ref | None:
    """One step from an output slot: it is sent itself, or stands for one of its inputs or of its inner nodes."""
    knot = place.knot
    if knot.mode == BYPASSED:
        taken = _bypass(place, index, wanted)
        return None if taken is None else (place, taken, None, False)
    if knot.inner is not None:
        return _into_subgraph(place, knot.inner, index, wanted, known)
    if knot.role in VIRTUAL:
        through = knot.role is Role.REROUTE and index < len(knot.slots)
        return (place, index, wanted, False) if through else None
    return Ref(place.id, index)


def _into_subgraph(place: Place, inner: Scope, index: int, wanted: str, known: dict[str, Place]) -> _Step | Ref | None:
    if index >= len(inner.outputs):
        raise Broken(f"output number {index} of {place.where} is used, which has fewer", _BROKEN)
    if inner.group:
        return _out_of_group(place, inner, index)
    link = next((inner.links[number] for number in inner.outputs[index].links if number in inner.links), None)
    if link is None:
        return None
    if link.origin not in inner.nodes:
        what = f"in {place.where}, output {inner.outputs[index].name!r} is wired straight to an input"
        raise Broken(what, "Link around the subgraph instead: ComfyUI's page fails on it", "unsupported")
    return known[f"{place.id}:{link.origin}"], link.origin_slot, wanted, True


def _bypass(place: Place, index: int, wanted: str) -> int | None:
    """The input slot that a bypassed node passes on as output `index`, for a consumer of type `wanted`."""
    slots, outputs = place.knot.slots, place.knot.outputs
    if index >= len(outputs):
        raise Broken(f"output number {index} of {place.where} is used, which has fewer", _BROKEN)
    if place.knot.inner is not None and place.knot.inner.group:
        order = [index, *range(len(slots))]
        return next((one for one in order if one < len(slots) and slots[one].type == wanted), None)
    if wanted in {"*", ""}:
        if not slots:
            what = f"{place.where} is bypassed and has no input to pass on"
            raise Broken(what, "Mute it, or take it out: ComfyUI's page fails on it", "unsupported")
        return index if index < len(slots) else 0
    kind = outputs[index]
    if index < len(slots) and fits(slots[index].type, kind) and fits(slots[index].type, wanted):
        return index
    exact = next((number for number, slot in enumerate(slots) if slot.type == wanted), None)
    if exact is not None:
        return exact
    return next((n for n, slot in enumerate(slots) if fits(slot.type, kind) and fits(slot.type, wanted)), None)
