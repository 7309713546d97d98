"""Whether JSON has the shape that a JSON schema asks for.

As much of it as language models are asked for: type, properties, required, additionalProperties false, items, enum,
const, anyOf, oneOf, allOf and references within the schema. Everything else is let pass.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
DEEPEST: Final = 100
"""References that lead in a circle end here."""


def misfit(value: Any, schema: Any) -> str:
    """What is wrong with a value and where, such as `people[0].age is no integer`; empty if it fits."""
    return next(_faults(value, schema, schema, "", 0), "")


def _faults(value: Any, schema: Any, root: Any, where: str, depth: int) -> Iterator[str]:
    if depth > DEEPEST:
        return
    schema = _resolved(schema, root)
    if not isinstance(schema, Mapping):
        return
    name = where or "the answer"
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield f"{name} is no {' or '.join(map(str, kinds))}"
    allowed = schema["enum"] if "enum" in schema else [schema["const"]] if "const" in schema else None
    if isinstance(allowed, list) and json.dumps(value) not in map(json.dumps, allowed):
        yield f"{name} is none of {', '.join(map(str, allowed))}"
    for one in schema.get("allOf", ()):
        yield from _faults(value, one, root, where, depth + 1)
    for choices in (schema.get("anyOf"), schema.get("oneOf")):
        if choices and all(any(_faults(value, one, root, where, depth + 1)) for one in choices):
            yield f"{name} fits none of its choices"
    if isinstance(value, dict):
        yield from _members(value, schema, root, where, depth)
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from _faults(one, schema.get("items"), root, f"{where}[{number}]", depth + 1)


def _members(value: dict[str, Any], schema: Mapping[str, Any], root: Any, where: str, depth: int) -> Iterator[str]:
    known = schema.get("properties", {})
    below = f"{where}." if where else ""
    for key in schema.get("required", ()):
        if key not in value:
            yield f"{below}{key} is missing"
    for key, one in value.items():
        if key in known:
            yield from _faults(one, known[key], root, f"{below}{key}", depth + 1)
        elif schema.get("additionalProperties") is False:
            yield f"{below}{key} is not wanted"


def _is(value: Any, kind: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return kind not in TYPES or isinstance(value, TYPES[kind])


def _resolved(schema: Any, root: Any) -> Any:
    """What a reference such as `#/$defs/pet` names; nothing if it leads elsewhere."""
    for _ in range(DEEPEST):
        reference = schema.get("$ref") if isinstance(schema, Mapping) else None
        if not isinstance(reference, str):
            return schema
        schema = root if reference.startswith("#") else None
        for step in reference.removeprefix("#").split("/")[1:]:
            schema = schema.get(step) if isinstance(schema, Mapping) else None
    return None
