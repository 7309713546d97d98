"""What can be chosen, and the form of each: a template's from its manifest, a provider's from its request model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from compiler import Dialect as Requests
from compiler import Library, Provider, dialects
from compiler.errors import Fault, RequestError, nearest
from compiler.template.library import Template
from runner.api.dialect import Dialect
from runner.api.dialects import dialects as served
from runner.api.v1.body import CALLBACK, split
from runner.api.v1.describe import example_request, request_schema
from runner.work import TEMPLATES

SAMPLE_TEXT: Final = "a lighthouse at dawn"
"""What a text that must be given is to begin with."""
SENTINEL: Final = "studio:which-field-is-this"
CONTROL: Final = re.compile(r"callback|webhook", re.IGNORECASE)
"""Fields that say where to tell the end; a page looks on anyway."""
DEEPEST: Final = 8
WORDS: Final = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}
"""What pydantic writes for limits behind a validator of its own → JSON Schema."""
KEPT: Final = frozenset(
    {"type", "description", "default", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    | {"multipleOf", "minLength", "maxLength", "minItems", "maxItems", "media"}
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A row of the list. `target` is `<dialect>:<provider>`; for a template `comfyc:<id>`."""

    target: str
    title: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A target with values, as the service takes it."""

    dialect: str
    body: dict[str, Any]
    operation: str = ""


def choices(library: Library) -> dict[str, list[Choice]]:
    """Group → what it has: the templates, then every dialect's providers."""
    found = {"Templates": [_choice(template) for template in library.templates.values()]}
    for name, dialect in dialects().items():
        found[name] = [Choice(f"{name}:{key}", f"{one.name}") for key, one in dialect.providers.items()]
    return found


def first_target(library: Library) -> str:
    """What a page shows at first: a template that makes a picture and needs none."""
    for template in library.templates.values():
        kinds = {output.kind for output in template.manifest.outputs.values()}
        needs = [param for param in template.manifest.params.values() if param.media]
        if kinds == {"image"} and not needs and "prompt" in template.manifest.params:
            return _choice(template).target
    return next((choice.target for group in choices(library).values() for choice in group), "")


def _choice(template: Template) -> Choice:
    return Choice(f"{TEMPLATES}:{template.id}", template.manifest.title)


def form_of(target: str, library: Library) -> dict[str, Any]:
    """Schema, first values, and how a program would send it. Errors: RequestError for an unknown target."""
    found = _find(target, library)
    if isinstance(found, Template):
        return _template_form(found, library)
    dialect, key, provider = found
    schema = _provider_schema(dialect, provider)
    method, path = _operation(dialect, provider)
    return {
        "target": target,
        "id": provider.name,
        "title": provider.name,
        "description": _first_line(provider),
        "schema": schema,
        "values": _first_values(schema),
        "call": _call(dialect.name, method, path, {dialect.key: _key_value(dialect, provider, key)}),
    }


def asked_of(target: str, values: Mapping[str, Any], library: Library) -> Asked:
    """The request behind a form. Errors: RequestError for an unknown target."""
    found = _find(target, library)
    if isinstance(found, Template):
        body, _ = split({name: value for name, value in values.items() if name not in CALLBACK}, found)
        return Asked(TEMPLATES, body)
    dialect, key, provider = found
    return Asked(dialect.name, {**values, dialect.key: _key_value(dialect, provider, key)}, provider.operation)


def target_of(dialect: str, request: Mapping[str, Any]) -> str:
    """The target that a job's request was made for; empty if it is gone."""
    if dialect == TEMPLATES:
        return f"{TEMPLATES}:{request.get('template', '')}"
    known = dialects().get(dialect)
    return f"{dialect}:{request.get(known.key, '')}" if known else ""


def _find(target: str, library: Library) -> Template | tuple[Requests, str, Provider]:
    name, _, key = target.partition(":")
    if name == TEMPLATES and key in library.templates:
        return library.templates[key]
    dialect = dialects().get(name)
    if dialect is not None and key in dialect.providers:
        return dialect, key, dialect.providers[key]
    known = [choice.target for group in choices(library).values() for choice in group]
    raise RequestError(Fault("target", f"{target[:100]!r} is not known", nearest(target, known), "unknown"))


def _template_form(template: Template, library: Library) -> dict[str, Any]:
    schema = request_schema(template, library)
    rows = {name: row for name, row in schema["properties"].items() if name not in CALLBACK}
    for name, param in template.manifest.params.items():
        if param.media:
            rows[name] = {**rows[name], "media": param.media}
    schema = {**schema, "properties": rows}
    example = next(iter(template.manifest.examples), None)
    values = example_request(example, template) if example else {}
    return {
        "target": f"{TEMPLATES}:{template.id}",
        "id": template.id,
        "title": template.manifest.title,
        "description": template.manifest.description,
        "schema": schema,
        "values": {**_first_values(schema), **values},
        "stand_ins": [name for name, row in rows.items() if "media" in row and example and name in example.params],
        "call": _call(TEMPLATES, "POST", f"/v1/templates/{template.id}/jobs", {}),
    }


def _call(dialect: str, method: str, path: str, fixed: Mapping[str, Any]) -> dict[str, Any]:
    """How a program sends the form: `fixed` goes beside its values, the key into `header`."""
    known = served().get(dialect)
    header = known.key_header if known else Dialect.key_header
    return {"method": method, "path": path, "fixed": dict(fixed), "header": header}


# --- a provider's schema -----------------------------------------------------------------------------------------


def _provider_schema(dialect: Requests, provider: Provider) -> dict[str, Any]:
    model = provider.Request
    whole = model.model_json_schema(by_alias=True)
    media = _media_fields(provider)
    hidden = {dialect.key, *provider.REFUSED}
    rows: dict[str, Any] = {}
    for name, row in whole["properties"].items():
        if name in hidden or CONTROL.search(name):
            continue
        rows[name] = _plain(row, whole.get("$defs", {}), 0)
        if name in media:
            place = rows[name]["items"] if rows[name].get("type") == "array" else rows[name]
            if place.get("type") == "string":  # others take ids that an upload does not give
                place["media"] = media[name]
        if name in provider.IGNORED:
            told = f"{rows[name].get('description', '')} Not used: {provider.IGNORED[name]}.".strip()
            rows[name] |= {"description": told, "unused": True}
    required = [name for name in (*whole.get("required", ()), *provider.REQUIRED) if name in rows]
    return {"type": "object", "properties": rows, "required": list(dict.fromkeys(required))}


def _plain(row: Mapping[str, Any], defs: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """One schema without references and without the null that stands for a field left out."""
    if depth > DEEPEST:
        return {}
    if "$ref" in row:
        row = {**defs[row["$ref"].rpartition("/")[2]], **{name: row[name] for name in row if name != "$ref"}}
    branches = [one for one in (*row.get("anyOf", ()), *row.get("oneOf", ())) if one.get("type") != "null"]
    if len(branches) == 1:
        return _plain({**branches[0], **{k: v for k, v in row.items() if k not in ("anyOf", "oneOf")}}, defs, depth + 1)
    found = {WORDS.get(name, name): value for name, value in row.items()}
    plain = {name: value for name, value in found.items() if name in KEPT and not (name == "default" and value is None)}
    if branches:
        plain["anyOf"] = [_plain(one, defs, depth + 1) for one in branches]
    if "items" in row:
        plain["items"] = _plain(row["items"], defs, depth + 1)
    if "properties" in row:
        inner = cast("Mapping[str, Any]", row["properties"])
        plain["properties"] = {name: _plain(one, defs, depth + 1) for name, one in inner.items()}
        plain["required"] = row.get("required", [])
    return plain


def _media_fields(provider: Provider) -> dict[str, str]:
    """Field → kind of medium, found by asking the provider what a request with only that field refers to."""
    found: dict[str, str] = {}
    for name, field in provider.Request.model_fields.items():
        for value in (SENTINEL, [SENTINEL]):
            for ref in _refs(provider, name, value):
                if ref.value == SENTINEL:
                    found[field.alias or name] = ref.kind
    return found


def _refs(provider: Provider, name: str, value: Any) -> Iterator[Any]:
    defaults = {one: None for one, field in provider.Request.model_fields.items() if field.is_required()}
    request = provider.Request.model_construct(_fields_set={name}, **{**defaults, name: value})
    try:
        yield from provider.media_refs(request)
    except (AttributeError, TypeError, ValueError, KeyError, IndexError):
        return  # not a field for a medium: the provider cannot read such a value


def _key_value(dialect: Requests, provider: Provider, key: str) -> Any:
    """What the key field holds, in its own type: Fusara's are numbers."""
    row = provider.Request.model_json_schema(by_alias=True)["properties"].get(dialect.key, {})
    allowed = [row["const"]] if "const" in row else row.get("enum", ())
    return next((value for value in allowed if str(value) == key), key)


def _operation(dialect: Requests, provider: Provider) -> tuple[str, str]:
    """`POST /api/v1/img` → its method and path."""
    method, _, path = dialect.operations.get(provider.operation, "").partition(" ")
    return (method, path) if path.startswith("/") else ("", "")


def _first_line(provider: Provider) -> str:
    return (type(provider).__doc__ or "").strip().partition("\n")[0]


def _first_values(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Values for what must be given, so that there is a graph to look at; media are chosen by the user."""
    rows: Mapping[str, Any] = schema["properties"]
    found = {name: _first_value(rows[name]) for name in schema.get("required", ()) if name in rows}
    return {name: value for name, value in found.items() if value is not None}


def _first_value(row: Mapping[str, Any]) -> Any:
    if "media" in row or "default" in row:
        return None
    if row.get("enum"):
        return row["enum"][0]
    match row.get("type"):
        case "string":
            return SAMPLE_TEXT
        case "integer" | "number":
            return max(row.get("minimum", 1), 1)
        case _:
            return None
