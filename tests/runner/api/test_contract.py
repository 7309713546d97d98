"""Our OpenAPI document holds the ext contract, and the code holds to the document."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from api_double import make_api

import compiler
from runner.api.dialects import dialects
from runner.api.openapi import document

ROOT = Path(__file__).parents[3]
CONTRACT: dict[str, Any] = json.loads((ROOT / "tests/data/ext.openapi.json").read_bytes())
OURS = document("http://x")
ADDED = {
    "CreateImageResponse.warnings",
    "CreateVideoResponse.warnings",
    "ImageStatusResponse.warnings",
    "VideoStatusResponse.warnings",
    "WebhookPayload.video_url",
}
"""Optional response fields of ours."""


def test_every_operation_is_there_word_for_word() -> None:
    for path, methods in CONTRACT["paths"].items():
        assert OURS["paths"][path] == methods


def test_every_schema_is_there_with_only_optional_fields_added() -> None:
    found: set[str] = set()
    for name, schema in CONTRACT["components"]["schemas"].items():
        ours = OURS["components"]["schemas"][name]
        more = set(ours["properties"]) - set(schema["properties"])
        found |= {f"{name}.{field}" for field in more}
        kept = {field: row for field, row in ours["properties"].items() if field not in more}
        assert {**ours, "properties": kept} == schema
    assert found == ADDED
    assert OURS["components"]["securitySchemes"].items() >= CONTRACT["components"]["securitySchemes"].items()
    assert OURS["security"] == CONTRACT["security"]


async def test_openapi_json_is_served(tmp_path: Path) -> None:
    api = make_api(tmp_path)
    served = (await api.client.get("/openapi.json")).json()
    assert served == document("http://api.test")


def test_every_operation_has_a_route_and_every_route_an_operation(tmp_path: Path) -> None:
    routes = {
        (route.path, method.lower())
        for route in make_api(tmp_path).app.router.routes
        for method in route.methods - {"HEAD"}
        if route.path.startswith("/api/")
    }
    described = {path: methods for path, methods in OURS["paths"].items() if path.startswith("/api/")}
    assert routes == {(path, method) for path, methods in described.items() for method in methods}


@pytest.mark.parametrize(("operation", "name"), [("image", "CreateImageRequest"), ("video", "CreateVideoRequest")])
def test_the_request_models_have_the_contracts_limits(operation: str, name: str) -> None:
    model = compiler.dialects()["ext"].model_of(operation)
    ours, theirs = model.model_json_schema(), CONTRACT["components"]["schemas"][name]
    assert set(ours["required"]) == set(theirs["required"])
    assert set(ours["properties"]) == set(theirs["properties"])
    for field, row in theirs["properties"].items():
        given = _branch(ours["properties"][field])
        for word in ("type", "minimum", "maximum", "minLength", "maxLength", "enum"):
            assert given.get(word) == row.get(word), f"{name}.{field}.{word}"
    lora = ours["$defs"]["Lora"]
    for field, row in CONTRACT["components"]["schemas"]["Lora"]["properties"].items():
        assert all(lora["properties"][field].get(word) == row.get(word) for word in ("type", "minimum", "maximum"))


def _branch(row: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value that is given: a model's null stands for a field left out."""
    found = next((branch for branch in row.get("anyOf", ()) if branch.get("type") != "null"), row)
    names = {"ge": "minimum", "le": "maximum"}  # what pydantic writes behind a validator of its own
    return {names.get(word, word): value for word, value in found.items()}


def test_each_module_here_is_a_dialect() -> None:
    folder = ROOT / "runner/api/dialects"
    names = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert names == set(dialects())
    for name in names:
        tree = ast.parse((folder / f"{name}.py").read_text("utf-8"))
        imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not any(module.startswith("runner.api.dialects") for module in imported), "dialects stand alone"
