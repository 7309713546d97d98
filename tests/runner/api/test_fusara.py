"""The Fusara API: the tables in `fusara/*.yaml`, and what fits no table. Every answer fits our OpenAPI document.

An entry: `name`; `jobs` that are there before (fields of Job); `request` (path under /api/integration/imaging; json,
raw or repeat; key, headers); `status`; `whole`, the exact answer, or `body`, what it must hold; `says`: parts of the
error's description; `job`: what the new job must hold. In a body `$image` is the id of a picture of the tenant, `$data`
a picture as data URI.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from api_double import KEYS, START, Api, make_api
from jobs_support import until
from pictures import picture

import compiler
from compiler.media import MediaRef
from runner.api.dialects import dialects, webhook_encoder
from runner.api.fusara.tasks import CATEGORIES
from runner.api.links import Links
from runner.api.openapi import document
from runner.job import Cause, Job, JobError, OutputFile, State
from runner.models.rows import Model, ModelState
from runner.models.source import ModelFacts, ModelFile

ROOT = "/api/integration/imaging/"
TABLES = sorted((Path(__file__).parent / "fusara").glob("*.yaml"))
DOCUMENT = document("http://api.test")
ENTRIES = [
    pytest.param(entry, id=f"{table.stem}: {entry['name']}")
    for table in TABLES
    for entry in yaml.safe_load(table.read_text("utf-8"))
]
FACTS = ModelFacts(
    12345, "Anime style", "SDXL 1.0", "LORA", ("anime_style",), (ModelFile("style.safetensors", "", "ab", 8192),)
)


class DoubleModels:
    """Has every model, and 25 in its list."""

    async def bring(
        self, tenant: str, version: int | None, url: str | None, sha256: str = "", field: str = ""
    ) -> Model:
        return Model(999, tenant, ModelState.READY, 0, FACTS)

    async def page(self, tenant: str, number: int, size: int) -> tuple[list[Model], int]:
        numbers = range(25)[(number - 1) * size : number * size]
        return [Model(one, tenant, ModelState.READY, 0, FACTS) for one in numbers], 25


def fusara(folder: Path, **config: Any) -> Api:
    return make_api(folder, models=DoubleModels(), **config)


def headers(tenant: str = "alice") -> dict[str, str]:
    return {"X-API-Key": KEYS[tenant]}


@pytest.mark.parametrize("entry", ENTRIES)
async def test_exchange(entry: Mapping[str, Any], tmp_path: Path) -> None:
    api = fusara(tmp_path)
    for number, row in enumerate(entry.get("jobs", ()), 1):
        api.service.jobs[number] = job_of(number, row)
    response = await send(api, entry["request"])
    assert response.status_code == entry["status"], response.text
    answer = response.json()
    fits_document(response)
    if "whole" in entry:
        assert answer == entry["whole"]
    holds(answer, entry.get("body", {}), "body")
    for part in entry.get("says", ()):
        assert part in answer["error"]["description"]
    if "job" in entry:
        holds(asdict(api.service.jobs[1]), entry["job"], "job")


async def send(api: Api, request: Mapping[str, Any]) -> Any:
    given = {name: str(value).encode("latin-1") for name, value in request.get("headers", {}).items()}
    if key := request.get("key", "alice"):
        given["X-API-Key"] = KEYS.get(key, key).encode()
    options: dict[str, Any] = {}
    if "json" in request:
        options["content"] = await filled(api, json.dumps(request["json"]), request.get("image_of", "alice"))
    if "raw" in request:
        options["content"] = request["raw"].encode("utf-8").decode("unicode_escape").encode("latin-1")
    if "repeat" in request:
        options["content"] = request["repeat"][0].encode() * request["repeat"][1]
    if options:
        given.setdefault("Content-Type", b"application/json")
    path = f"{ROOT}{request['path']}".replace("imaging/../", "")
    return await api.client.request(request.get("method", "POST"), path, headers=given, **options)


async def filled(api: Api, body: str, tenant: str) -> str:
    if '"$image"' in body:
        body = body.replace('"$image"', str(await image(api, tenant)))
    return body.replace("$data", f"data:image/png;base64,{base64.b64encode(picture()).decode()}")


async def image(api: Api, tenant: str = "alice") -> int:
    """The number of a picture that the tenant has."""
    ident = await api.media.add(tenant, picture())
    return (await api.media.resolve(tenant, MediaRef("x", ident))).number


def job_of(number: int, row: Mapping[str, Any]) -> Job:
    state = State(row.get("state", "queued"))
    done = (OutputFile(f"job{number}/image-1.png", "image", "image/png", 10, number=71, expires_at=2_000_000_000.0),)
    beside = (OutputFile(f"job{number}/text-1.txt", "text", "text/plain", 10, number=72),)
    return Job(
        f"job{number}",
        number,
        row.get("tenant", "alice"),
        row.get("dialect", "fusara"),
        "Flux1Dev",
        {"__type": 5, "Prompt": "x"},
        START,
        state,
        progress=row.get("progress", 0.0),
        outputs=done + beside,
        error=JobError(Cause(row.get("cause", "node_error")), row.get("message", "")) if state == "failed" else None,
        unsupported=tuple(row.get("unsupported", ())),
        started_at=None if state is State.QUEUED else START,
        finished_at=START if state.terminal else None,
    )


def fits_document(response: Any) -> None:
    """The answer's schema by path, method and status; what is not documented is an error in the envelope."""
    path = re.sub(r"/tasks/[^/]+", "/tasks/{id}", response.request.url.path)
    operation = DOCUMENT["paths"].get(path, {}).get(response.request.method.lower(), {})
    found = operation.get("responses", {}).get(str(response.status_code))
    schema = found["content"]["application/json"]["schema"] if found else ERROR
    jsonschema_rs.validate({**schema, "components": DOCUMENT["components"]}, response.json())


ERROR = {"$ref": "#/components/schemas/FusaraErrorResponse"}


def holds(answer: Any, wanted: Any, where: str) -> None:
    """Every wanted value is there; a text written as /…/ is a pattern."""
    if isinstance(wanted, Mapping):
        for name, value in wanted.items():
            assert name in answer, f"{where}.{name} is missing in {answer}"
            holds(answer[name], value, f"{where}.{name}")
    elif isinstance(wanted, list):
        assert len(answer) == len(wanted), f"{where} is {answer!r}"
        for index, pair in enumerate(zip(answer, wanted, strict=True)):
            holds(*pair, f"{where}[{index}]")
    elif isinstance(wanted, str) and len(wanted) > 2 and wanted[0] == wanted[-1] == "/":
        assert re.search(wanted[1:-1], answer), f"{where} is {answer!r}"
    else:
        assert answer == wanted, where


def test_every_cause_has_a_category() -> None:
    assert set(CATEGORIES) == set(Cause)
    assert set(CATEGORIES.values()) == set(range(6))


async def test_thirty_run_and_two_hundred_wait(tmp_path: Path) -> None:
    api = fusara(tmp_path, running_jobs=3, queued_jobs=4)
    body = {"__type": 5, "Prompt": "x"}
    given = [await api.client.post(f"{ROOT}generate", json=body, headers=headers()) for _ in range(8)]
    assert [answer.status_code for answer in given] == [200] * 7 + [429]
    refused = given[-1]
    assert refused.headers["retry-after"] == "5"
    assert refused.json()["error"]["code"] == "TOO_MANY_JOBS"
    fits_document(refused)
    other = await api.client.post(f"{ROOT}generate", json=body, headers=headers("bob"))
    assert other.status_code == 200
    assert (api.config.running_jobs, api.config.queued_jobs) == (3, 4)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({f"Widt{number}": 1 for number in range(2000)}, "body: holds more than 2000 values"),
        ({"TaskPresets": [{"__type": 4}] * 1000}, "body: holds more than 2000 values"),
        ({"TaskModels": [{}] * 500}, "TaskModels[19]: needs ModelId or ModelUrl; and 480 more"),
    ],
)
async def test_a_body_of_very_many_things(more: Mapping[str, Any], says: str, tmp_path: Path) -> None:
    """Nobody may keep the process busy, or have his megabyte sent back, by one request."""
    answer = await fusara(tmp_path).client.post(
        f"{ROOT}generate", json={"__type": 5, "Prompt": "x", **more}, headers=headers()
    )
    assert answer.status_code == 400
    assert says in answer.json()["error"]["description"]


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (
            {"state": "succeeded"},
            {"statusId": 100, "statusCode": "COMPLETION_SUCCESS", "statusMessage": "Task completed successfully"},
        ),
        (
            {"state": "failed", "cause": "quota", "message": "no credits left"},
            {"statusId": 200, "statusCode": "COMPLETION_FAILED", "statusMessage": "no credits left"},
        ),
        (
            {"state": "failed", "cause": "internal", "message": ""},
            {"statusId": 200, "statusCode": "COMPLETION_FAILED", "statusMessage": "The task failed."},
        ),
        (
            {"state": "cancelled"},
            {"statusId": 200, "statusCode": "COMPLETION_FAILED", "statusMessage": "The task was cancelled."},
        ),
    ],
)
def test_callbacks(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    body = webhook_encoder(Links(b"s", "https://x"))(job_of(12345, row))
    assert body == {"taskId": 12345, **wanted}


async def test_a_result_is_the_input_of_the_next_task(tmp_path: Path) -> None:
    api = fusara(tmp_path)
    number = await image(api)
    body = {"__type": 3, "Prompt": "x", "ScaleFactor": 2, "InputMediaIds": [number]}
    assert (await api.client.post(f"{ROOT}upscale", json=body, headers=headers())).status_code == 200
    assert list(api.service.jobs[1].media) == [str(number)]


async def test_links_open_until_the_medium_ends(tmp_path: Path) -> None:
    api = fusara(tmp_path)
    api.service.jobs[1] = job_of(1, {"state": "succeeded"})
    await api.storage.put("job1/image-1.png", picture())
    answer = await api.client.get(f"{ROOT}tasks/1", headers=headers())
    url = answer.json()["data"]["images"][0]["url"]
    assert "expires=2000000000" in url
    assert (await api.client.get(url)).content == picture()
    late = Links(b"secret", "http://api.test", clock=lambda: 2_000_000_000.0)
    assert not late.opens("job1/image-1.png", "2000000000", url.partition("signature=")[2])


# --- the assistant ---------------------------------------------------------------------------------------------------


async def ask(api: Api, ends: Mapping[str, Any] | None, style: int = 1) -> Any:
    """The answer to enhance-prompt while its job comes to this end; None: never."""
    asked = asyncio.create_task(
        api.client.post(
            "/api/integration/assistants/enhance-prompt",
            json={"Prompt": "mountain", "TargetStyleId": style},
            headers=headers(),
        )
    )
    await until(lambda: api.service.jobs or asked.done())
    if ends is not None and api.service.jobs:
        await api.service.change(1, **ends)
    return await asked


async def test_an_enhanced_prompt(tmp_path: Path) -> None:
    api = fusara(tmp_path, llm_backend="openai", llm_model="tiny")
    await api.storage.put("job1/text-1.txt", b' "A mountain at dawn, \xe2\x98\x83" \n')
    done = (OutputFile("job1/text-1.txt", "text", "text/plain", 10),)
    response = await ask(api, {"state": State.SUCCEEDED, "outputs": done})
    assert response.status_code == 200, response.text
    assert response.json() == {
        "statusCode": 200,
        "succeeded": True,
        "statusCodeInt": 200,
        "data": "A mountain at dawn, ☃",
    }
    fits_document(response)
    assert api.service.jobs[1].priority > 0  # somebody waits for it on the line
    params = api.service.jobs[1].request["params"]
    assert (params["backend"], params["model"], params["prompt"]) == ("openai", "tiny", "mountain")
    assert "photograph" in params["system"]
    assert (await api.client.get(f"{ROOT}tasks/1", headers=headers())).status_code == 404  # it is no imaging task


@pytest.mark.parametrize(
    ("cause", "status", "code"),
    [("moderation", 400, "MODERATION"), ("provider", 502, "PROVIDER"), ("quota", 503, "QUOTA")],
)
async def test_a_prompt_that_cannot_be_enhanced(cause: str, status: int, code: str, tmp_path: Path) -> None:
    api = fusara(tmp_path, llm_backend="openai", llm_model="tiny")
    response = await ask(api, {"state": State.FAILED, "error": JobError(Cause(cause), "it said no")})
    assert response.status_code == status
    assert response.json()["error"] == {
        "code": code,
        "description": "The prompt could not be enhanced: it said no",
    }


async def test_a_language_model_that_takes_too_long(tmp_path: Path) -> None:
    api = fusara(tmp_path, llm_backend="openai", llm_model="tiny", request_seconds=5.2)
    response = await ask(api, None)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "TIMEOUT")
    assert api.service.jobs[1].state is State.CANCELLED


# --- the document ----------------------------------------------------------------------------------------------------


def test_every_provider_is_in_the_document() -> None:
    known = compiler.dialects()["fusara"].providers
    found: dict[str, str] = {}
    for path, operation in (
        ("generate", "generate"),
        ("upscale", "upscale"),
        ("outpaint", "outpaint"),
        ("hyperlora", "hyperlora"),
    ):
        body = DOCUMENT["paths"][ROOT + path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        union = DOCUMENT["components"]["schemas"][body["$ref"].rpartition("/")[2]]
        mapping = union["x-discriminator"]["mapping"]
        assert [{"$ref": ref} for ref in mapping.values()] == union["oneOf"]
        assert {known[number].operation for number in mapping} == {operation}
        found |= mapping
    assert set(found) == set(known)
    for number, ref in found.items():
        schema = DOCUMENT["components"]["schemas"][ref.rpartition("/")[2]]
        assert schema["properties"]["__type"]["const"] == int(number)
        assert "__type" in schema["required"]
        fields = set(known[number].Request.field_names()) - set(known[number].REFUSED)
        assert set(schema["properties"]) == {"__type", *fields}
        missing = [
            name for name, row in schema["properties"].items() if name != "__type" and not row.get("description")
        ]
        assert missing == [], f"{schema['title']}: fields without a description"


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ({"__type": 5, "Prompt": "x", "Width": 1024}, True),
        ({"__type": 5, "Prompt": "x", "Width": 100}, False),
        ({"__type": 5}, False),
        ({"__type": 99, "Prompt": "x"}, False),
        ({"__type": 3, "Prompt": "x"}, False),
        ({"__type": 5, "Prompt": "x", "TaskPresets": [{"__type": 99}]}, False),
        ({"__type": 5, "Prompt": "x", "TaskPresets": [{"__type": 9, "ImageId": 1, "Weight": 0.5}]}, True),
    ],
)
def test_the_document_judges_bodies_as_the_server_does(body: Mapping[str, Any], fits: bool) -> None:
    schema = {"$ref": "#/components/schemas/FusaraGenerateRequest", "components": DOCUMENT["components"]}
    assert jsonschema_rs.is_valid(schema, body) is fits


def test_the_dialect_is_told_by_its_type() -> None:
    assert compiler.recognise({"__type": 5, "Prompt": "x"}) == (("fusara", "generate"),)
    assert dialects()["fusara"].states[State.CANCELLED] == 200
