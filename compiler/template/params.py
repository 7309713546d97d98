"""Parameters that a caller gives for a template, checked against its manifest."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from compiler.errors import Fault, RequestError, nearest
from compiler.template.manifest import Param

PREFIX: Final = "filename_prefix"
"""The parameter that says where the target saves files: the runner's, never the caller's."""

_WORDS: Final[Mapping[str, tuple[str, tuple[type, ...]]]] = {
    "string": ("text", (str,)),
    "integer": ("a whole number", (int,)),
    "number": ("a finite number", (int, float)),
    "boolean": ("true or false", (bool,)),
    "object": ("an object", (dict,)),
    "array": ("a list", (list,)),
}
"""JSON type → in words, in Python."""


def check_params(params: Mapping[str, Param], given: Mapping[str, Any], where: str = "params") -> dict[str, Any]:
    """The given values, whole numbers made integers where one is wanted (JSON has one number type).

    `where` goes before the names in messages: `params.width`. What is not given and has a default is not in the
    answer. Errors: RequestError with every fault found: unknown name, wrong type, out of range, not given.
    """
    own = {name: param for name, param in params.items() if name != PREFIX}
    values: dict[str, Any] = {}
    faults = [_unknown(f"{where}.{name}", name, own) for name in given if name not in own]
    for name, param in own.items():
        value = given.get(name)
        if value is None:
            if param.default is None and not param.optional:
                faults.append(Fault(f"{where}.{name}", "is required", param.description, code="required"))
            continue
        if param.type == "integer" and isinstance(value, float) and value.is_integer():
            value = int(value)
        values[name] = value
        faults += check_value(f"{where}.{name}", value, param)
    if faults:
        raise RequestError(*faults)
    return values


def read_value(text: str, param: Param) -> Any:
    """The value that a person typed for a parameter: text as it is, everything else as JSON.

    What is no JSON stays text, so that check_params says what is wrong.
    """
    return text if param.type == "string" else json_or_text(text)


def json_or_text(text: str) -> Any:
    """The JSON that a text is; the text itself if it is none, or nested too deep."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _unknown(where: str, name: str, params: Mapping[str, Param]) -> Fault:
    cure = nearest(name, params) or (f"It takes {', '.join(params)}" if params else "It takes no parameters")
    return Fault(where, "is not a parameter of this template", cure, code="unknown_field")


def check_value(where: str, value: Any, param: Param) -> Iterator[Fault]:
    """What is wrong with one value of a parameter; nothing if all is well."""
    words, types = _WORDS[param.type]
    if type(value) not in types:
        yield Fault(where, f"must be {words}, not {_short(value)}", code="wrong_type")
    elif isinstance(value, float) and not math.isfinite(value):
        yield Fault(where, "must be a finite number", code="wrong_type")
    elif not _is_unicode(value):
        yield Fault(where, "must be well-formed Unicode text", code="wrong_type")
    elif param.enum and value not in param.enum:
        choices = [str(choice) for choice in param.enum]
        cure = nearest(str(value), choices) or f"One of: {', '.join(choices[:12])}{', …' if len(choices) > 12 else ''}"
        yield Fault(where, f"{_short(value)} is not among the choices", cure, code="unknown")
    elif isinstance(value, (int, float)):
        yield from _out_of_range(where, value, param)


def check_declared(where: str, param: Param) -> Iterator[Fault]:
    """What is wrong with a parameter by itself: a default, a choice or limits that no value could have."""
    plain = param.model_copy(update={"enum": ()})
    for number, choice in enumerate(param.enum):
        yield from check_value(f"{where}.enum.{number}", choice, plain)
    if param.default is not None:
        yield from check_value(f"{where}.default", param.default, param)
    if param.minimum is not None and param.maximum is not None and param.minimum > param.maximum:
        yield Fault(f"{where}.minimum", f"is above the maximum, {param.maximum}", "Exchange them")
    if param.media and param.type != "string":
        yield Fault(f"{where}.type", f"is {param.type}, but names a medium", 'Write "string"')


def _out_of_range(where: str, value: float, param: Param) -> Iterator[Fault]:
    if param.minimum is not None and value < param.minimum:
        yield Fault(where, f"must be at least {param.minimum}, not {_short(value)}", code="out_of_range")
    elif param.maximum is not None and value > param.maximum:
        yield Fault(where, f"must be at most {param.maximum}, not {_short(value)}", code="out_of_range")
    elif param.multiple_of and value % param.multiple_of:
        low = int(value // param.multiple_of) * param.multiple_of
        cure = f"Try {low} or {low + param.multiple_of}"
        yield Fault(where, f"must be a multiple of {param.multiple_of}, not {_short(value)}", cure, code="out_of_range")


def _is_unicode(value: Any) -> bool:
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        fields = cast("dict[Any, Any]", value)
        return all(_is_unicode(part) for pair in fields.items() for part in pair)
    return not isinstance(value, list) or all(map(_is_unicode, cast("list[Any]", value)))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
