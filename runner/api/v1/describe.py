"""Templates for people and for programs: what `GET /v1/templates` tells, and each one's part of /openapi.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from compiler import Catalog, Library
from compiler.binding import Bench
from compiler.template.library import Template
from compiler.template.manifest import Example, Param
from compiler.template.params import PREFIX
from runner.api.v1.body import CALLBACK, WORDS

DOCUMENT: Final[Mapping[str, Any]] = json.loads(Path(__file__).with_name("openapi.json").read_bytes())
"""What is the same whichever templates there are."""
TEMPLATE_PATH: Final = "/v1/templates/{family}/{name}"
MEDIUM: Final = "an uploaded file's id, an http or https URL, or a data URI"
KINDS: Final[Mapping[str, str]] = {"image": "image/*", "mask": "image/*", "video": "video/*", "audio": "audio/*"}
"""What a parameter's medium is → the content type of its part in a form."""
JOBS_PATH: Final = f"{TEMPLATE_PATH}/jobs"


def summary(template: Template) -> dict[str, Any]:
    """A row of the list."""
    manifest = template.manifest
    outputs = [{"name": name, "kind": output.kind} for name, output in manifest.outputs.items()]
    return {"id": template.id, "title": manifest.title, "description": manifest.description, "outputs": outputs}


def description(template: Template, library: Library) -> dict[str, Any]:
    """Everything that a caller needs to run it."""
    manifest = template.manifest
    return {
        **summary(template),
        "schema": request_schema(template, library),
        "examples": [{"title": one.title, "request": example_request(one, template)} for one in manifest.examples],
        "needs": {"packs": list(manifest.needs.packs), "comfyui": manifest.needs.comfyui},
    }


def example_request(example: Example, template: Template) -> dict[str, Any]:
    """The body that asks for an example; media are the caller's to give."""
    words = {"stack": example.stack, "profile": example.profile, "outputs": list(example.outputs)}
    declared = template.manifest.params
    given = {name: value for name, value in example.params.items() if not (name in declared and declared[name].media)}
    return {**given, **{name: value for name, value in words.items() if value}}


def request_schema(template: Template, library: Library) -> dict[str, Any]:
    """JSON Schema of the body: the template's parameters, and our words that it leaves free."""
    own = {name: param for name, param in template.manifest.params.items() if name != PREFIX}
    filled = _filled_by_stack(template, library)
    required = [
        name for name, param in own.items() if param.default is None and not param.optional and name not in filled
    ]
    shared = {name: row for name, row in _shared(template, library).items() if name not in own}
    return {
        "type": "object",
        "title": template.manifest.title,
        "properties": {**{name: _property(param) for name, param in own.items()}, **shared},
        "required": required,
        "additionalProperties": False,
    }


def _property(param: Param) -> dict[str, Any]:
    schema = param.json_schema()
    if param.media:
        schema["description"] = ": ".join(filter(None, (param.description, MEDIUM)))
    return schema


def _filled_by_stack(template: Template, library: Library) -> frozenset[str]:
    """Parameters that the stack gives where the caller does not."""
    name = next((example.stack for example in template.manifest.examples if example.stack), "")
    stack = library.stacks.get(name)
    if stack is None:
        return frozenset()
    profile = stack.profiles.get(stack.default_profile)
    if profile is None:  # a stack of files alone
        return frozenset({"files"})
    bench = Bench({}, library, Catalog("", {}), template.id)
    bench.sample(stack, profile)
    return frozenset(name for name, value in bench.params.items() if value is not None)


def _shared(template: Template, library: Library) -> dict[str, Any]:
    """The fields beside the parameters: LoRA and stacks only where the template has a use for them."""
    rows = {name: dict(DOCUMENT["components"]["schemas"]["TemplateWords"]["properties"][name]) for name in WORDS}
    rows["stack"]["enum"] = sorted(library.stacks)
    if not any(example.stack for example in template.manifest.examples):
        del rows["stack"], rows["profile"]
        if template.manifest.lora is None:
            del rows["loras"]
    rows["outputs"]["items"] = {"type": "string", "enum": list(template.manifest.outputs)}
    callback = {name: DOCUMENT["components"]["schemas"]["TemplateWords"]["properties"][name] for name in CALLBACK}
    return {**rows, **callback}


def with_templates(templates: Iterable[Template], library: Library) -> dict[str, Any]:
    """The document with each template's own path and schema in place of the path for all of them."""
    pattern: Mapping[str, Any] = DOCUMENT["paths"][JOBS_PATH]
    paths = {path: row for path, row in DOCUMENT["paths"].items() if path != JOBS_PATH}
    schemas = {name: row for name, row in DOCUMENT["components"]["schemas"].items() if name != "TemplateWords"}
    for template in templates:
        name = f"Template_{template.id.replace('/', '_')}"
        schemas[name] = request_schema(template, library)
        paths[f"/v1/templates/{template.id}/jobs"] = {"post": _operation(pattern["post"], template, name)}
    return {"paths": paths, "components": {**DOCUMENT["components"], "schemas": schemas}}


def _operation(pattern: Mapping[str, Any], template: Template, schema: str) -> dict[str, Any]:
    manifest = template.manifest
    reference = {"$ref": f"#/components/schemas/{schema}"}
    media = {name: KINDS[param.media] for name, param in manifest.params.items() if param.media}
    content: dict[str, Any] = {"application/json": {"schema": reference}}
    if media:
        encoding = {name: {"contentType": kind} for name, kind in media.items()}
        content["multipart/form-data"] = {"schema": reference, "encoding": encoding}
    return {
        **pattern,
        "operationId": f"create_{template.id.replace('/', '_')}",
        "summary": manifest.title,
        "description": manifest.description,
        "parameters": [],
        "requestBody": {"required": True, "content": content},
    }
