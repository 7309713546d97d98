"""The parameters of a template to be, and which inputs of the graph each sets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import lcm
from typing import Any, Final

from compiler.catalog import InputSpec
from compiler.graph.ir import Ref
from compiler.template.authoring import names
from compiler.template.authoring.meanings import Meaning, meaning_of
from compiler.template.authoring.roles import Roles, medium_of, model_folder
from compiler.template.manifest import Param
from compiler.template.params import PREFIX, check_value

JSON_TYPES: Final[Mapping[str, str]] = {"INT": "integer", "FLOAT": "number", "STRING": "string", "BOOLEAN": "boolean"}
LONGEST_ENUM: Final = 60
"""Choices that are listed in a manifest; longer lists are the target's business."""
SIZES: Final = frozenset(
    {"width", "height", "length", "fps", "aspect_ratio", "resolution", "size", "duration", "batch_size"}
)
"""What says how large the result is."""
NUMBERS: Final = frozenset({"integer", "number"})


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


def find_choices(roles: Roles, wanted: Mapping[str, tuple[str, str]]) -> Iterator[Choice]:
    """The parameters that were asked for, then those proposed; equal values of one name are one parameter."""
    taken = set(wanted.values())
    found: dict[str, Choice] = {}
    for name, (node_id, widget) in wanted.items():
        found[name] = _choice(roles, node_id, widget, name)
    for node_id, node in roles.graph.nodes.items():
        for widget, value in node.inputs.items():
            spec = roles.specs[node_id].get(widget)
            if isinstance(value, Ref) or spec is None or (node_id, widget) in taken:
                continue
            meaning = meaning_of(roles, node_id, widget, spec)
            if meaning:
                _add(found, _choice(roles, node_id, widget, meaning.name, meaning), wanted)
    yield from sorted(found.values(), key=lambda choice: choice.name not in wanted and _rank(choice))


def _rank(choice: Choice) -> int:
    """Parameters stand as in a form that somebody fills in: texts, media, sizes, the rest, model files."""
    base = re.sub(r"_\d+$", "", choice.name)
    text = choice.param.type == "string" and "prompt" in base
    groups = (base == "prompt", text, bool(choice.param.media), base in SIZES, bool(choice.folder), base == PREFIX)
    ranks = (1, 2, 3, 4, 6, 7)
    return next((rank for rank, yes in zip(ranks, groups, strict=True) if yes), 5)


def _add(found: dict[str, Choice], new: Choice, wanted: Mapping[str, Any]) -> None:
    for one in found.values():
        both = _merged(one, new) if one.name not in wanted else None
        if both:
            found[one.name] = both
            return
    name = names.unique(new.name, found)
    found[name] = replace(new, name=name)


def _merged(one: Choice, two: Choice) -> Choice | None:
    """Both places as one parameter, if they have one name and value: not two uploads, nor two empty prompts."""
    if one.name != two.name and one.name.rpartition("_")[0] != two.name:
        return None
    if two.name == PREFIX:
        return replace(one, places=(*one.places, *two.places))
    numbers = {one.param.type, two.param.type} <= NUMBERS
    alike = one.value == two.value and (numbers or one.param.type == two.param.type)
    if not alike or two.param.media or (two.name == "prompt" and not two.value):
        return None
    param = _narrower(one.param, two.param)
    if any(check_value("", param.default, param)):
        return None
    return replace(one, param=param, places=(*one.places, *two.places), value=param.default)


def _narrower(one: Param, two: Param) -> Param:
    """What both take."""
    first, second = sorted((one, two), key=lambda param: param.type != "integer")
    low = [param.minimum for param in (one, two) if param.minimum is not None]
    high = [param.maximum for param in (one, two) if param.maximum is not None]
    steps = [param.multiple_of for param in (one, two) if param.multiple_of]
    facts: dict[str, Any] = {
        "minimum": max(low, default=None),
        "maximum": min(high, default=None),
        "multiple_of": lcm(*steps) if steps else None,
        "enum": tuple(x for x in first.enum if x in second.enum) if one.enum and two.enum else one.enum or two.enum,
    }
    return first.model_copy(update=facts)


def _choice(roles: Roles, node_id: str, widget: str, name: str, meaning: Meaning | None = None) -> Choice:
    value, schema = roles.graph[node_id].inputs[widget], roles.schemas[node_id]
    own = roles.specs[node_id].get(widget)
    medium = medium_of(schema, own) if own else ""
    folder = model_folder(schema.name, own) if own and own.type == "COMBO" else ""
    facts: dict[str, Any] = {
        "type": _type(own, value),
        "description": meaning.words if meaning else f"{widget} of {schema.display_name or schema.name}",
        "media": medium,
    }
    if not medium:
        facts["default"] = value
    for spec in (meaning and meaning.spec, own):  # what a source feeds is stricter than the source
        param = Param(**facts, **(_limits(spec, value, fixed=bool(medium or folder)) if spec else {}))
        if medium or not any(check_value("", value, param)):
            break
    return Choice(name, param, ((node_id, widget),), value, folder)


def _type(spec: InputSpec | None, value: Any) -> str:
    """By the class's word; a list of choices may be one of numbers."""
    if spec and spec.type in JSON_TYPES:
        return JSON_TYPES[spec.type]
    if spec and spec.type == "COMBO" and value not in (spec.values or ()):
        return "string"
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (list, "array"), (dict, "object")):
        if isinstance(value, kind):
            return name
    return "string"


def _limits(spec: InputSpec, value: Any, *, fixed: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if spec.type in ("INT", "FLOAT"):
        facts = {
            key: spec.options[name] for key, name in (("minimum", "min"), ("maximum", "max")) if name in spec.options
        }
        step = spec.options.get("step") if spec.type == "INT" and spec.name in ("width", "height") else 1
        if isinstance(step, int) and step > 1 and isinstance(value, int) and value % step == 0:
            facts["multiple_of"] = step  # unless the workflow itself does otherwise: the server does not insist on it
    choices = spec.values or ()
    plain = all(isinstance(one, (str, int, float)) for one in choices)
    if spec.type == "COMBO" and not fixed and plain and 0 < len(choices) <= LONGEST_ENUM:
        facts["enum"] = tuple(choices)
    return facts
