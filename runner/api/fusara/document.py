"""The Fusara part of /openapi.json, made from the request models: nothing is written down twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, cast

import compiler
from compiler.provider import Provider
from compiler.provider import Request as Body
from runner.api.fusara.assistant import EnhanceRequest
from runner.api.fusara.models import LARGEST, PAGE, ModelRequest
from runner.api.fusara.subscriptions import SubscriptionRequest

PREFIX: Final = "Fusara"
REF: Final = "#/components/schemas/"
SECURITY: Final = "FusaraKey"
KEYWORDS: Final = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}
"""Pydantic's words behind a validator of ours → JSON Schema's."""
NULLABLE_TEXT: Final = {"type": ["string", "null"]}
REFUSALS: Final = {
    "400": "The request is wrong; the description names each field, its fault and the cure",
    "403": "No key, or not one of ours",
    "404": "Nothing of the caller's is at this address",
    "429": "Too many tasks are unfinished",
    "502": "An engine, a provider or the service failed",
    "503": "No engine, no language model, or a store is away",
}


@cache
def document(root: str, creates: tuple[tuple[str, str], ...]) -> Mapping[str, Any]:
    """`paths` and `components`. `creates`: path under imaging/ and the compiler's operation, where tasks are made."""
    schemas: dict[str, Any] = dict(_answers())
    paths = {f"{root}/imaging/{path}": _create(path, operation, schemas) for path, operation in creates}
    paths |= {f"{root}{path}": operations for path, operations in _others(schemas).items()}
    security = {SECURITY: {"type": "apiKey", "in": "header", "name": "X-API-Key"}}
    return {"paths": paths, "components": {"schemas": schemas, "securitySchemes": security}}


# --- requests --------------------------------------------------------------------------------------------------------


def _create(path: str, operation: str, schemas: dict[str, Any]) -> dict[str, Any]:
    """POST imaging/…: one of the operation's providers, told apart by `__type`."""
    known = compiler.dialects()["fusara"].providers.values()
    mapping = {
        one.discriminator: _provider(one, schemas)
        for one in sorted(known, key=lambda one: int(one.discriminator))
        if one.operation == operation
    }
    union = {
        "oneOf": [{"$ref": ref} for ref in mapping.values()],
        "x-discriminator": {"propertyName": "__type", "mapping": mapping},  # OpenAPI's own is for texts alone
    }
    schemas[f"{PREFIX}{operation.capitalize()}Request"] = union
    body = {"$ref": f"{REF}{PREFIX}{operation.capitalize()}Request"}
    return {"post": _operation(f"Create a task: {path}", _ref("TaskResponse"), ("400", "429", "502", "503"), body)}


def _provider(provider: Provider, schemas: dict[str, Any]) -> str:
    """The reference of a provider's request schema, which is added to `schemas`."""
    row = _schema(provider.Request, schemas)
    properties = {"__type": {"const": int(provider.discriminator)}, **row["properties"]}
    required = ["__type", *row.get("required", ()), *provider.REQUIRED]
    name = f"{PREFIX}{provider.name}"
    schemas[name] = {
        **row,
        "title": provider.name,
        "properties": {field: schema for field, schema in properties.items() if field not in provider.REFUSED},
        "required": list(dict.fromkeys(required)),
    }
    return REF + name


def _schema(model: type[Body], schemas: dict[str, Any]) -> dict[str, Any]:
    """A model's schema; the models inside it go to `schemas`."""
    row = _in_json_words(model.model_json_schema(by_alias=True, ref_template=f"{REF}{PREFIX}{{model}}"))
    for name, inner in row.pop("$defs", {}).items():
        schemas[PREFIX + name] = inner
    return row


def _in_json_words(value: Any) -> Any:
    if isinstance(value, dict):
        rows = cast("Mapping[str, Any]", value).items()
        return {KEYWORDS.get(name, name): _in_json_words(row) for name, row in rows}
    return [_in_json_words(row) for row in cast("list[Any]", value)] if isinstance(value, list) else value


# --- operations ------------------------------------------------------------------------------------------------------


def _others(schemas: dict[str, Any]) -> dict[str, Any]:
    """Every path beside those that make tasks."""
    for model in (ModelRequest, EnhanceRequest, SubscriptionRequest):
        schemas[PREFIX + model.__name__] = _schema(model, schemas)
    ident = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
    pages = [
        {"name": name, "in": "query", "schema": {"type": "integer", "minimum": 1, "default": default, **more}}
        for name, default, more in (("PageNumber", 1, {"maximum": 1_000_000}), ("PageSize", PAGE, {"maximum": LARGEST}))
    ]
    away = ("400", "502", "503")
    return {
        "/imaging/tasks/{id}": {"get": _operation("A task", _ref("TaskResponse"), ("404",), parameters=[ident])},
        "/imaging/tasks/{id}/status": {
            "get": _operation("Where a task stands", _ref("StatusResponse"), ("404",), parameters=[ident])
        },
        "/models": {
            "post": _operation("Import a LoRA", _ref("ModelResponse"), away, _ref("ModelRequest")),
            "get": _operation("Imported models, newest first", _ref("ModelPage"), ("400",), parameters=pages),
        },
        "/assistants/enhance-prompt": {
            "post": _operation("Make a prompt richer", _ref("TextResponse"), (*away, "429"), _ref("EnhanceRequest"))
        },
        "/billing/subscriptions": {
            "post": _operation(
                "Record a subscription", _ref("SubscriptionResponse"), ("400", "503"), _ref("SubscriptionRequest")
            )
        },
    }


def _operation(
    summary: str,
    answer: Mapping[str, Any],
    refusals: Iterable[str],
    body: Mapping[str, Any] | None = None,
    parameters: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    found: dict[str, Any] = {"summary": summary, "tags": ["fusara"], "security": [{SECURITY: []}]}
    if parameters:
        found["parameters"] = parameters
    if body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    error = {"application/json": {"schema": _ref("ErrorResponse")}}
    answers = {"200": {"description": "Done", "content": {"application/json": {"schema": answer}}}}
    refused = {code: {"description": REFUSALS[code], "content": error} for code in sorted({"403", *refusals})}
    return {**found, "responses": answers | refused}


# --- answers ---------------------------------------------------------------------------------------------------------


def _answers() -> dict[str, Any]:
    """The contract's §3, and what its endpoints give as data."""
    uint = {"type": "integer", "minimum": 0}
    text = {"type": "string"}
    image = _object({"id": uint, "url": {"type": "string", "format": "uri"}})
    task = {
        "taskId": uint,
        "images": {"type": "array", "items": _ref("Image")},
        "workflowStatusId": _ref("Status"),
        "errorCategoryId": {"type": ["integer", "null"], "minimum": 0, "maximum": 5},
        "errorCode": NULLABLE_TEXT,
        "userStandardMessage": NULLABLE_TEXT,
        "userDetailedMessage": NULLABLE_TEXT,
    }
    file = _object({"name": text, "sizeKB": {"type": "number"}, "sha256": text})
    model = {
        "id": uint,
        "name": text,
        "baseModel": text,
        "modelType": text,
        "trainedWords": {"type": "array", "items": text},
        "files": {"type": "array", "items": file},
        "state": {"enum": ["importing", "ready", "failed"]},
        "progress": {"type": "number", "minimum": 0, "maximum": 100},
    }
    period = {"billingPeriodId": {"enum": [0, 1]}, "status": {"const": "active"}}
    subscription = {"subscriptionId": uint, "email": text, "planId": text, **period}
    pages: dict[str, Any] = dict.fromkeys(("pageNumber", "pageSize", "totalPages", "totalRecords"), uint)
    error = _object({"code": NULLABLE_TEXT, "description": text})
    warnings = {"warnings": {"type": "array", "items": text, "description": "What was asked and is not honoured"}}
    status = "10 Initial, 20 Processing, 100 Succeeded, 200 Failed"
    rows = {
        "Image": image,
        "Status": {"enum": [10, 20, 100, 200], "description": status},
        "Task": _object(task, warnings),
        "Model": _object(model),
        "Subscription": _object(subscription),
        "TaskResponse": _envelope(_ref("Task")),
        "StatusResponse": _envelope(_ref("Status")),
        "ModelResponse": _envelope(_ref("Model")),
        "ModelPage": _envelope({"type": "array", "items": _ref("Model")}, pages),
        "TextResponse": _envelope(text),
        "SubscriptionResponse": _envelope(_ref("Subscription")),
        "ErrorResponse": _object(_head(succeeded=False) | {"error": error}),
    }
    return {PREFIX + name: row for name, row in rows.items()}


def _head(*, succeeded: bool) -> dict[str, Any]:
    code = {"type": "integer", "minimum": 100, "maximum": 599}
    return {"statusCode": code, "succeeded": {"const": succeeded}, "statusCodeInt": code}


def _envelope(data: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return _object({**_head(succeeded=True), **(more or {}), "data": data})


def _object(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"{REF}{PREFIX}{name}"}
