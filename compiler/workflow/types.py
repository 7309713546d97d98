"""Slot types that follow from what is linked, when ComfyUI's page loads a file.

Match-type inputs (V3) take the common type of what is linked to their group, and so do the outputs that belong to it.
A Reroute has the type of its source; links from it into inputs of another type are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, cast

from compiler.catalog import MATCH_TYPE, InputSpec
from compiler.errors import Fault
from compiler.workflow.build import Loader
from compiler.workflow.model import FROM_OUTSIDE, Knot, Role, Scope, Slot

_ANY: Final = "*"
_ROUNDS: Final = 64
"""Match-type nodes in a row whose types are followed."""


def settle_types(scope: Scope, loader: Loader) -> None:
    """Gives reroutes and match-type slots of one scope their types, and drops links that do not fit them."""
    matching = [(knot, groups) for knot in scope.nodes.values() if (groups := _groups(knot))]
    for _ in range(_ROUNDS):
        if not sum(_match(knot, group, scope) for knot, groups in matching for group in groups):
            break
    if scope.id and loader.rules.root_reroutes:
        return
    for knot in scope.nodes.values():
        if knot.role is Role.REROUTE:
            _reroute(knot, scope, loader)


def _groups(knot: Knot) -> list[dict[str, str]]:
    """The groups of match-type inputs of a node: name → types that are allowed."""
    if knot.schema is None or not any(kind == MATCH_TYPE for kind, _ in knot.schema.outputs):
        return []
    found: dict[str, dict[str, str]] = {}
    for spec in knot.schema.by_name.values():
        if spec.type == MATCH_TYPE:
            template = _template(spec)
            found.setdefault(str(template.get("template_id")), {})[spec.name] = str(template.get("allowed_types", _ANY))
    return list(found.values())


def _template(spec: InputSpec) -> dict[str, Any]:
    return cast("dict[str, Any]", spec.options.get("template") or {})


def _match(knot: Knot, group: dict[str, str], scope: Scope) -> bool:
    """Types of one group of inputs, and of the outputs if it is the only one; returns whether an output changed."""
    slots = [slot for slot in knot.slots if slot.name in group]
    linked = [_ANY if slot.link is None else _source_type(slot.link, scope) for slot in slots]
    for index, slot in enumerate(slots):
        kind = common([*linked[:index], *linked[index + 1 :], group[slot.name]])
        if kind is None:
            return False
        slot.type = kind
    made = common(linked)
    if made is None or len(_groups(knot)) > 1:
        return False
    changed = False
    for index, (kind, _) in enumerate(knot.schema.outputs if knot.schema else ()):
        if kind == MATCH_TYPE and knot.outputs[index] != made:
            knot.outputs[index], changed = made, True
    return changed


def common(kinds: Iterable[str]) -> str | None:
    """The types that all lists of types share; any fits all; None if there is none."""
    lists = [kind.split(",") for kind in kinds if kind != _ANY]
    if not lists:
        return _ANY
    shared = [kind for kind in dict.fromkeys(lists[0]) if all(kind in other for other in lists)]
    return ",".join(shared) or None


def _source_type(number: int | str, scope: Scope, steps: int = 0) -> str:
    """The type of what a link comes from, through reroutes."""
    link = scope.links.get(number)
    if link is None:
        return _ANY
    if link.origin == FROM_OUTSIDE:
        return scope.inputs[link.origin_slot].type if link.origin_slot < len(scope.inputs) else _ANY
    origin = scope.nodes.get(link.origin)
    if origin is None:
        return _ANY
    if origin.role is Role.REROUTE:
        above = origin.slots[0].link
        return _ANY if above is None or steps > _ROUNDS else _source_type(above, scope, steps + 1)
    return origin.outputs[link.origin_slot] if link.origin_slot < len(origin.outputs) else _ANY


def _reroute(knot: Knot, scope: Scope, loader: Loader) -> None:
    above = knot.slots[0].link
    kind = _ANY if above is None else _source_type(above, scope)
    for target, slot in _consumers(knot, scope) if kind != _ANY else ():
        if target.role is not Role.REROUTE and not fits(kind, slot.type):
            slot.link = None
            what = f"the link into {slot.name!r} is dropped: {kind} is not {slot.type}"
            cure = "Link it to an output of that type"
            loader.findings.append(Fault(loader.where(target), what, cure, "dropped_link"))


def _consumers(knot: Knot, scope: Scope) -> Iterator[tuple[Knot, Slot]]:
    for number in knot.out_links[0] if knot.out_links else ():
        link = scope.links.get(number)
        target = scope.nodes.get(link.target) if link else None
        for slot in target.slots if target else ():
            if target and slot.link == number:
                yield target, slot


def fits(left: str, right: str) -> bool:
    """Whether the page links two types: equal, either of them any, or lists that share one; in any case."""
    if left == right or left in {"*", "", "0"} or right in {"*", "", "0"}:
        return True
    left, right = left.lower(), right.lower()
    if "," not in left and "," not in right:
        return left == right
    return any(fits(one, other) for one in left.split(",") for other in right.split(","))
