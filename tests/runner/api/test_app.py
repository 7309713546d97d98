"""The operator's pages, limits, request ids, logs, and what happens when something breaks."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from api_double import ADMIN, Api, make_api
from pictures import picture

from compiler.errors import Fault, TargetError
from runner.api.dialects import dialect_at, dialects, webhook_encoder
from runner.api.links import Links
from runner.engine.base import EngineError
from runner.job import Callback, Cause, JobError, OutputFile, State
from runner.service import NoEngine
from runner.store.storage import StorageError
from runner.telemetry import Telemetry, Vitals, configure_logging

BODY = {"model": "wan22-t2i", "prompt": "a secret wish"}


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return make_api(tmp_path)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, as JSON lines."""
    stream, root = io.StringIO(), logging.getLogger()
    before = root.handlers, root.level
    configure_logging("info", "json", stream)
    yield stream
    root.handlers, root.level = before
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_pages(api: Api) -> None:
    index = (await api.client.get("/")).json()
    assert index["name"] == "comfyc"
    assert index["dialects"]["ext"] == ["/api/v1"]
    assert (await api.client.get("/healthz")).json() == {"status": "ok"}
    missing = await api.client.get("/nothing")
    assert (missing.status_code, "success" in missing.json()) == (404, False)


@pytest.mark.parametrize(
    ("vitals", "status"),
    [
        (Vitals(True, {"a": "alive"}), 200),
        (Vitals(True, {"a": "refused", "b": "busy"}), 200),
        (Vitals(True, {"a": "refused"}), 503),
        (Vitals(True, {}), 503),
        (Vitals(False, {"a": "alive"}), 503),
    ],
)
async def test_readiness(api: Api, vitals: Vitals, status: int) -> None:
    api.vitals.append(vitals)
    response = await api.client.get("/readyz")
    assert response.status_code == status
    assert response.json()["engines"] == vitals.engines


async def test_metrics(api: Api) -> None:
    api.vitals.append(Vitals(True, {"sandbox-0": "busy"}, queued=3, running=1))
    await api.client.post("/api/v1/img", json=BODY, headers=api.bearer())
    await api.client.get("/api/v1/img/1", headers=api.bearer())
    assert (await api.client.get("/metrics")).status_code == 401  # an admin key is set
    assert (await api.client.get("/metrics", headers=api.bearer())).status_code == 401
    text = (await api.client.get("/metrics", headers={"Authorization": f"Bearer {ADMIN}"})).text
    assert 'comfyc_http_requests_total{method="GET",route="/api/v1/img/{generationId}",status="200"} 1.0' in text
    assert 'comfyc_http_requests_total{method="POST",route="/api/v1/img",status="201"} 1.0' in text
    assert 'comfyc_engine_up{engine="sandbox-0",health="busy"} 1.0' in text
    assert 'comfyc_queue_depth{state="queued"} 3.0' in text
    assert "comfyc_database_up 1.0" in text


async def test_figures_of_jobs(api: Api) -> None:
    telemetry = Telemetry()
    job = await api.service.submit("alice", "ext", BODY)
    telemetry.job(job)
    telemetry.job(await api.service.change(job.number, state=State.SUCCEEDED))
    telemetry.webhook("delivered")
    text = telemetry.render(Vitals()).decode()
    assert 'comfyc_jobs_total{dialect="ext",provider="wan22-t2i",state="queued"} 1.0' in text
    assert 'comfyc_jobs_total{dialect="ext",provider="wan22-t2i",state="succeeded"} 1.0' in text
    assert 'comfyc_job_run_seconds_sum{dialect="ext",provider="wan22-t2i"} 2.0' in text
    assert 'comfyc_job_wait_seconds_sum{dialect="ext",provider="wan22-t2i"} 1.0' in text
    assert 'comfyc_webhooks_total{outcome="delivered"} 1.0' in text


@pytest.mark.parametrize(
    ("failure", "status", "message"),
    [
        (NoEngine("No engine answers now. Try again later."), 503, "No engine answers now"),
        (EngineError("the engine's answer was no JSON"), 502, "no JSON"),
        (TargetError(Fault("graph", "lacks /srv/models/x")), 503, "No engine offers what this request needs"),
        (StorageError("/srv/data"), 503, "The media store is unavailable"),
        (sa.exc.OperationalError("SELECT secret", {}, OSError("db at 10.0.0.1")), 503, "The job store is unavailable"),
        (TimeoutError("x"), 503, "took too long"),
        (ZeroDivisionError("secret/path"), 502, "Report the X-Request-ID"),
        (RecursionError(), 502, "Report the X-Request-ID"),
    ],
)
async def test_what_breaks_is_told_in_the_dialects_words(
    api: Api, log: io.StringIO, failure: Exception, status: int, message: str
) -> None:
    api.service.failure = failure
    created = await api.client.post("/api/v1/img", json=BODY, headers=api.bearer())
    polled = await api.client.get("/api/v1/img/1", headers=api.bearer())
    for response in (created, polled):
        assert response.status_code == status
        assert response.json()["success"] is False
        assert message in response.json()["message"]
        for leak in ("secret", "/srv", "10.0.0.1", "Traceback"):
            assert leak not in response.text
    for leak in ("secret", "10.0.0.1", "ext_alice"):
        assert leak not in log.getvalue()
    told = [line for line in lines(log) if line["event"] == "request failed"]
    assert len(told) == (2 if status == 502 and "Report" in message else 0)
    for line in told:
        assert line["error"] == type(failure).__name__
        assert any("api_double.py" in place for place in line["at"])
        assert line["request_id"] in (created.headers["x-request-id"], polled.headers["x-request-id"])


async def test_log_lines(api: Api, log: io.StringIO) -> None:
    await api.client.post("/api/v1/img", json=BODY, headers=api.bearer() | {"X-Request-ID": "mine-1"})
    await api.client.get("/api/v1/img/99", headers=api.bearer() | {"X-Request-ID": "bad id\x7f"})
    structlog.get_logger("x").info("told", job_id="j1", prompt="a secret wish", key="ext_k", callback_url="http://x")
    logging.getLogger("some.library").warning("a line of a library")
    created, missing, told, library = lines(log)
    assert (created["request_id"], created["route"], created["status"]) == ("mine-1", "/api/v1/img", 201)
    assert created["job_id"] == "job1"
    assert missing["request_id"] != "bad id\x7f"
    assert "job_id" not in missing
    assert missing["route"] == "/api/v1/img/{generationId}"
    assert (told["job_id"], told["prompt"], told["key"]) == ("j1", "[redacted]", "[redacted]")
    assert library["event"] == "a line of a library"
    assert "secret wish" not in log.getvalue()
    assert "ext_" not in log.getvalue()


async def test_an_announced_length_is_refused_before_the_body(api: Api) -> None:
    async def body() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    headers = api.bearer() | {"Content-Length": "99999999", "Content-Type": "application/json"}
    response = await api.client.post("/api/v1/img", content=body(), headers=headers)
    assert (response.status_code, "larger than" in response.json()["message"]) == (400, True)


async def test_a_body_without_a_length_is_cut_off(api: Api) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b" " * 65536

    headers = api.bearer() | {"Content-Type": "application/json"}
    response = await api.client.post("/api/v1/img", content=body(), headers=headers)
    assert (response.status_code, sent < 30) == (400, True)


async def test_a_request_that_takes_too_long(tmp_path: Path) -> None:
    api = make_api(tmp_path, request_seconds=0.05)

    async def slow(*_args: Any, **_options: Any) -> Any:
        await asyncio.sleep(5)

    api.service.get = slow  # type: ignore[method-assign]
    response = await api.client.get("/api/v1/img/1", headers=api.bearer())
    assert (response.status_code, response.json()["success"]) == (503, False)
    assert response.headers["retry-after"] == "10"


async def test_six_at_once_means_six(api: Api) -> None:
    answers = await asyncio.gather(*(api.client.post("/api/v1/img", json=BODY, headers=api.bearer()) for _ in range(9)))
    assert sorted(answer.status_code for answer in answers) == [201] * 6 + [429] * 3
    assert (await api.client.post("/api/v1/img", json=BODY, headers=api.bearer("bob"))).status_code == 201


async def test_callbacks_stay_out_of_the_request(api: Api) -> None:
    body = BODY | {"callback_url": "https://example.com/h", "callback_api_key": "hush"}
    await api.client.post("/api/v1/img", json=body, headers=api.bearer())
    job = api.service.jobs[1]
    assert job.callback == Callback("https://example.com/h", "hush")
    assert "hush" not in repr(job.request)
    await api.client.post("/api/v1/img", json=BODY | {"callback_url": "https://example.com/h"}, headers=api.bearer())
    assert api.service.jobs[2].callback == Callback("https://example.com/h", "")


async def test_an_upload_is_private(api: Api) -> None:
    answer = await api.client.post("/api/v1/files", files={"file": ("a.png", picture())}, headers=api.bearer())
    body = {"model": "wan22-i2v", "prompt": "x", "duration": 1, "file_id": answer.json()["file_id"]}
    assert (await api.client.post("/api/v1/video", json=body, headers=api.bearer())).status_code == 201
    assert (await api.client.post("/api/v1/video", json=body, headers=api.bearer("bob"))).status_code == 400


@pytest.mark.parametrize(
    ("model", "fields", "wanted"),
    [
        (
            "wan22-t2i",
            {"state": State.SUCCEEDED, "outputs": (OutputFile("job1/a.png", "image", "image/png", 1),)},
            {"status": "COMPLETED", "percentage": 100.0, "image_url": "https://x/media/job1/a.png", "error": None},
        ),
        (
            "wan22-t2v",
            {"state": State.SUCCEEDED, "outputs": (OutputFile("job1/a.mp4", "video", "video/mp4", 1),)},
            {"image_url": "https://x/media/job1/a.mp4", "video_url": "https://x/media/job1/a.mp4"},
        ),
        (
            "wan22-t2i",
            {"state": State.FAILED, "error": JobError(Cause.OUT_OF_MEMORY, "out of memory"), "progress": 30.0},
            {"status": "FAILED", "error": "out of memory", "image_url": None, "percentage": 30.0},
        ),
        ("wan22-t2i", {"state": State.CANCELLED}, {"status": "CANCELLED", "error": None, "image_url": None}),
    ],
)
async def test_webhooks(api: Api, model: str, fields: dict[str, Any], wanted: dict[str, Any]) -> None:
    body = BODY | {"model": model} | ({"duration": 1} if model.endswith("v") else {})
    await api.service.submit("alice", "ext", body)
    payload = webhook_encoder(Links(b"s", "https://x"))(await api.service.change(1, **fields))
    assert payload["id"] == 1
    assert payload["finished_at"] == "2026-03-25T12:00:03Z"
    for name, value in wanted.items():
        given = payload[name]
        assert (given.partition("?")[0] if isinstance(given, str) else given) == value
    assert set(payload) >= set(dialects()["ext"].document["components"]["schemas"]["WebhookPayload"]["required"])


def test_the_longest_prefix_owns_a_path() -> None:
    ext = dialects()["ext"]
    assert dialect_at("/api/v1") is dialect_at("/api/v1/img/1") is ext
    assert dialect_at("/api/v10") is dialect_at("/") is None
