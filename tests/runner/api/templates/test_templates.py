"""The house's own API: the table in exchanges.yaml, its document, events, and a job on a real engine."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from api_double import KEYS, START, Api, make_api
from jobs_support import end, setup
from pictures import picture
from PIL import Image

from compiler import load_library
from runner.api.dialects import dialects
from runner.api.links import Links
from runner.api.openapi import document
from runner.engine.base import Began, Cached, NodeBegan, NodeProgress, Preview
from runner.job import Cause, Job, JobError, OutputFile, State

ENTRIES = yaml.safe_load(Path(__file__).with_name("exchanges.yaml").read_text("utf-8"))
DOCUMENT = document("http://api.test")
FILES = {"png": ("x.png", picture()), "text": ("x.png", b"no picture")}
DEEP = "[" * 3000 + "]" * 3000
DATA_URI = "data:image/png;base64," + base64.b64encode(picture()).decode()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
async def test_exchange(entry: Mapping[str, Any], tmp_path: Path) -> None:
    api = make_api(tmp_path)
    for number, row in enumerate(entry.get("jobs", ()), 1):
        api.service.jobs[number] = _job(number, row)
    file_id = await api.media.add(entry["request"].get("file_of", "alice"), picture(), "x.png")
    response = await _send(api, entry["request"], file_id)
    assert response.status_code == entry["status"], response.text
    answer = response.json()
    _fits_document(entry["request"], response.status_code, answer)
    _holds(answer, _filled(entry.get("body", {}), file_id), "body")
    found = {fault["field"]: f"{fault['fault']}. {fault['cure']}" for fault in answer.get("faults", ())}
    assert found.keys() == entry.get("faults", {}).keys()
    for field, part in entry.get("faults", {}).items():
        assert part in found[field]
        assert field in answer["message"]
    for name, value in entry.get("header", {}).items():
        assert response.headers[name] == value
    if "lists" in entry:
        _lists(answer[entry["lists"]["key"]], entry["lists"])


async def _send(api: Api, request: Mapping[str, Any], file_id: str) -> Any:
    key = KEYS.get(request.get("key", "alice"), "")
    options: dict[str, Any] = {"headers": {"Authorization": f"Bearer {key}"} if key else {}}
    if "json" in request:
        options["json"] = _filled(request["json"], file_id)
    if "files" in request:
        options["files"] = {field: FILES[name] for field, name in request["files"].items()}
        options["data"] = {name: DEEP if text == "$deep" else text for name, text in request.get("form", {}).items()}
    return await api.client.request(request["method"], request["path"], **options)


def _filled(value: Any, file_id: str) -> Any:
    text = json.dumps(value).replace("$file", file_id).replace("$data", DATA_URI)
    return json.loads(text)


def _job(number: int, row: Mapping[str, Any]) -> Job:
    state, dialect = State(row.get("state", "queued")), row.get("dialect", "comfyc")
    template = {"template": "wan2x/video", "params": {"prompt": "a cat"}}
    output = OutputFile("job/a.mp4", "video", "video/mp4", 10, 8, 6, "job/a-poster.png")
    return Job(
        f"job{number}",
        number,
        row.get("tenant", "alice"),
        dialect,
        "wan2x/video" if dialect == "comfyc" else "wan22-t2v",
        template if dialect == "comfyc" else {"model": "wan22-t2v", "prompt": "a cat", "duration": 1},
        START,
        state,
        progress=100.0 if state is State.SUCCEEDED else row.get("progress", 0.0),
        node=row.get("node", ""),
        template="wan2x/video",
        outputs=(output,) if state is State.SUCCEEDED else (),
        error=JobError(Cause.NODE_ERROR, "it broke", "sampler") if state is State.FAILED else None,
    )


def _fits_document(request: Mapping[str, Any], status: int, answer: Any) -> None:
    path = request["path"].partition("?")[0]
    if not path.endswith("/jobs"):
        path = re.sub(r"^/v1/templates/.+", "/v1/templates/{family}/{name}", path)
    path = re.sub(r"^/v1/jobs/[^/]+", "/v1/jobs/{id}", path)
    operation = DOCUMENT["paths"].get(path, {}).get(request["method"].lower())
    schema: dict[str, Any] = {"$ref": "#/components/schemas/ComfycProblem"}
    if operation is not None:
        schema = operation["responses"][str(status)]["content"]["application/json"]["schema"]
    jsonschema_rs.validate({**schema, "components": DOCUMENT["components"]}, answer)


def _holds(answer: Any, wanted: Any, where: str) -> None:
    if isinstance(wanted, Mapping):
        for name, value in wanted.items():
            assert name in answer, f"{where}.{name} is missing in {answer}"
            _holds(answer[name], value, f"{where}.{name}")
    elif isinstance(wanted, list) and wanted and isinstance(wanted[0], Mapping):
        assert len(answer) == len(wanted), where
        for index, row in enumerate(wanted):
            _holds(answer[index], row, f"{where}[{index}]")
    else:
        assert answer == wanted, where


def _lists(rows: list[dict[str, Any]], wanted: Mapping[str, Any]) -> None:
    if "ids" in wanted:
        assert [row["id"] for row in rows] == wanted["ids"]
    if "holds" in wanted:
        _holds(next(row for row in rows if row["id"] == wanted["holds"]["id"]), wanted["holds"], "row")


# --- the document ------------------------------------------------------------------------------------------------


def test_every_route_is_described_and_every_path_has_a_route(tmp_path: Path) -> None:
    routes = {
        (route.path, method.lower())
        for route in make_api(tmp_path).app.router.routes
        for method in route.methods - {"HEAD"}
        if route.path.startswith("/v1/")
    }
    templates = {f"/v1/templates/{name}/jobs" for name in load_library().templates}
    written = {
        ("/v1/templates/{family}/{name}/jobs" if path in templates else path, method)
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
        if path.startswith("/v1/")
    }
    assert routes == written
    assert templates <= DOCUMENT["paths"].keys()


def test_every_schema_of_a_template_is_one_and_takes_its_examples() -> None:
    library = load_library()
    for template in library.templates.values():
        schema = DOCUMENT["components"]["schemas"][f"Template_{template.id.replace('/', '_')}"]
        jsonschema_rs.meta.validate(schema)
        assert "filename_prefix" not in schema["properties"]
        names = {name for name, param in template.manifest.params.items() if param.media}
        for example in template.manifest.examples:
            jsonschema_rs.validate(schema, {**example.params, **dict.fromkeys(names, "id.png")})


def test_a_medium_says_how_it_may_be_given() -> None:
    content = DOCUMENT["paths"]["/v1/templates/fill/image/jobs"]["post"]["requestBody"]["content"]
    assert content["multipart/form-data"]["encoding"]["image"] == {"contentType": "image/*"}
    described = DOCUMENT["components"]["schemas"]["Template_fill_image"]["properties"]["image"]["description"]
    assert described.endswith("an uploaded file's id, an http or https URL, or a data URI")


# --- events ------------------------------------------------------------------------------------------------------


def events_of(text: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith(":")]
        if lines:
            kind, data = lines
            found.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


async def test_events_of_a_job(tmp_path: Path) -> None:
    api = make_api(tmp_path)
    job = await api.service.submit(
        "alice", "comfyc", {"template": "checkpoint/text_to_image", "params": {"prompt": "x"}}
    )
    for event in (
        Began("p"),
        Cached("p", ("clip",)),
        NodeBegan("p", "sampler"),
        NodeProgress("p", "sampler", 3, 20),
        Preview("p", "sampler", "image/jpeg", b"\xff\xd8"),
    ):
        api.service.feed.take(job.id, event)
    await api.service.change(job.number, state=State.FAILED, error=JobError(Cause.NODE_ERROR, "it broke", "sampler"))
    response = await api.client.get(f"/v1/jobs/{job.id}/events", headers=api.bearer())
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    *before, last = events_of(response.text)
    assert before == [
        ("restarted", {}),
        ("node", {"node": "clip", "state": "cached", "value": 0, "max": 0}),
        ("node", {"node": "sampler", "state": "running", "value": 3, "max": 20}),
        ("preview", {"node": "sampler", "content_type": "image/jpeg", "data": "/9g="}),
    ]
    assert last[0] == "job"
    assert (last[1]["status"], last[1]["error"]["node"]) == ("failed", "sampler")
    assert (await api.client.get(f"/v1/jobs/{job.id}/events", headers=api.bearer("bob"))).status_code == 404
    assert (await api.client.get(f"/v1/jobs/{job.id}/events")).status_code == 401


async def test_events_end_when_the_server_does(tmp_path: Path) -> None:
    api = make_api(tmp_path)
    body = {"template": "checkpoint/text_to_image", "params": {"prompt": "x"}}
    job = await api.service.submit("alice", "comfyc", body)
    asyncio.get_running_loop().call_later(0.05, api.app.state.closing.set)
    async with asyncio.timeout(60):
        response = await api.client.get(f"/v1/jobs/{job.id}/events", headers=api.bearer())
    assert [(kind, data["status"]) for kind, data in events_of(response.text)] == [("job", "queued")]


def test_a_webhook_is_the_status() -> None:
    links, job = Links(b"s", "https://x", clock=lambda: 0.0), _job(4, {"state": "succeeded"})
    dialect = dialects()["comfyc"]
    assert dialect.encode_webhook(job, links) == dialect.encode_job(job, links)
    assert dialect.encode_job(job, links)["outputs"][0]["poster_url"].startswith("https://x/media/job/a-poster.png?")


# --- on an engine ------------------------------------------------------------------------------------------------


async def test_a_template_runs_to_its_files_and_again_with_the_same_seed(tmp_path: Path) -> None:
    async with setup(f"sqlite:///{tmp_path}/comfyc.db", tmp_path) as running:
        service = running.backend.service
        body = {"template": "checkpoint/text_to_image", "params": {"prompt": "a lake", "width": 256, "height": 256}}
        first = await end(running.backend, await service.submit("acme", "comfyc", body))
        again = await end(running.backend, await service.submit("acme", "comfyc", dict(first.request)))
        assert (first.state, first.template, first.provider) == (State.SUCCEEDED, *["checkpoint/text_to_image"] * 2)
        assert first.request["params"]["seed"] == again.request["params"]["seed"]
        made = [
            Image.open(io.BytesIO(b"".join([part async for part in running.storage.open(job.outputs[0].key)])))
            for job in (first, again)
        ]
        assert made[0].tobytes() == made[1].tobytes()
        assert (first.outputs[0].width, first.outputs[0].height) == (256, 256)
