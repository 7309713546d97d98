"""Runs the tables in `ext/*.yaml`: a request, and what must be answered. Every answer also fits our OpenAPI document.

An entry: `name`; `jobs` that are there before (fields of Job, plus `request`); `request` (method, path, key, json or
raw or files, headers); `status`; `body`: what the answer must hold; `says`: parts of its message; `absent`: fields
that it must not have. `$file` in a JSON body stands for the id of a picture that the tenant has uploaded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from api_double import ADMIN, KEYS, START, Api, make_api
from pictures import SAMPLES, picture

from runner.api.openapi import document
from runner.job import Cause, Job, JobError, OutputFile, State

TABLES = sorted((Path(__file__).parent / "ext").glob("*.yaml"))
DOCUMENT = document("http://api.test")
ENTRIES = [
    pytest.param(entry, id=f"{table.stem}: {entry['name']}")
    for table in TABLES
    for entry in yaml.safe_load(table.read_text("utf-8"))
]
MODELS = {
    "wan22-t2i": ("image", "job/out.png", "image/png"),
    "wan22-t2v": ("video", "job/out.mp4", "video/mp4"),
}


@pytest.mark.parametrize("entry", ENTRIES)
async def test_exchange(entry: Mapping[str, Any], tmp_path: Path) -> None:
    api = make_api(tmp_path)
    for number, row in enumerate(entry.get("jobs", ()), 1):
        api.service.jobs[number] = _job(number, row)
    response = await _send(api, entry["request"])
    assert response.status_code == entry["status"], response.text
    answer = response.json()
    _fits_document(entry["request"], response.status_code, answer)
    _holds(answer, entry.get("body", {}), "body")
    for part in entry.get("says", ()):
        assert part in answer["message"]
    for name in entry.get("absent", ()):
        assert name not in answer
    assert response.headers["x-request-id"]


async def _send(api: Api, request: Mapping[str, Any]) -> Any:
    headers = {name: str(value).encode("latin-1") for name, value in request.get("headers", {}).items()}
    key = request.get("key", "alice")
    if key:
        headers.setdefault("Authorization", f"Bearer {KEYS.get(key, key)}".encode())
    options: dict[str, Any] = {}
    if "json" in request:
        body = json.dumps(request["json"])
        if "$file" in body:
            tenant = request.get("file_of", "alice")
            body = body.replace("$file", await api.media.add(tenant, picture(), "cat.png"))
        options["content"] = body
        headers.setdefault("Content-Type", b"application/json")
    if "raw" in request:
        options["content"] = request["raw"].encode("utf-8").decode("unicode_escape").encode("latin-1")
        headers.setdefault("Content-Type", b"application/json")
    if "repeat" in request:
        options["content"] = request["repeat"][0].encode() * request["repeat"][1]
        headers.setdefault("Content-Type", b"application/json")
    if "files" in request:
        options["files"] = {
            field: (row.get("name", "x.png"), SAMPLES[row["sample"]](), row.get("type", "image/png"))
            for field, row in request["files"].items()
        }
    return await api.client.request(request["method"], request["path"], headers=headers, **options)


def _job(number: int, row: Mapping[str, Any]) -> Job:
    model = row.get("model", "wan22-t2i")
    state = State(row.get("state", "queued"))
    kind, key, content = MODELS[model]
    return Job(
        f"job{number}",
        number,
        row.get("tenant", "alice"),
        row.get("dialect", "ext"),
        model,
        {"model": model, "prompt": "a cat"} | ({"duration": 2} if kind == "video" else {}),
        START,
        state,
        progress=row.get("progress", 0.0),
        outputs=(OutputFile(key, kind, content, 10),) if state is State.SUCCEEDED else (),
        error=JobError(Cause.NODE_ERROR, "KSampler: it broke") if state is State.FAILED else None,
        unsupported=tuple(row.get("unsupported", ())),
        started_at=None if state is State.QUEUED else START,
        finished_at=START if state.terminal else None,
    )


def _fits_document(request: Mapping[str, Any], status: int, answer: Any) -> None:
    """The answer's schema, found by path, method and status; undocumented refusals must be an ErrorResponse."""
    path = re.sub(r"/(img|video)/[^/]+$", r"/\1/{generationId}", request["path"].partition("?")[0])
    operation = DOCUMENT["paths"].get(path, {}).get(request["method"].lower(), {})
    documented = operation.get("responses", {}).get(str(status))
    if documented is None and not request["path"].startswith("/api/"):
        return
    schema = documented["content"]["application/json"]["schema"] if documented else ERROR
    jsonschema_rs.validate({**schema, "components": DOCUMENT["components"]}, answer)


ERROR = {"$ref": "#/components/schemas/ErrorResponse"}


def _holds(answer: Any, wanted: Any, where: str) -> None:
    """Every wanted value is there; a text written as /…/ is a pattern."""
    if isinstance(wanted, Mapping):
        for name, value in wanted.items():
            assert name in answer, f"{where}.{name} is missing in {answer}"
            _holds(answer[name], value, f"{where}.{name}")
    elif isinstance(wanted, str) and len(wanted) > 2 and wanted[0] == wanted[-1] == "/":
        assert re.search(wanted[1:-1], answer), f"{where} is {answer!r}"
    else:
        assert answer == wanted, where


def test_every_table_has_entries() -> None:
    assert len(ENTRIES) >= 60
    assert ADMIN not in KEYS.values()
