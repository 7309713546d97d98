"""Commands from the outside: what they print, where they write, how they end."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from rich.console import Console

from runner.cli import main
from runner.cli.faults import WorkFailed
from runner.cli.perform import perform
from runner.cli.request_file import load_request
from runner.settings import load_settings

ROOT = Path(__file__).parents[3]
VIDEO = str(ROOT / "examples/ext/wan22-i2v.json")
IMAGE = str(ROOT / "examples/ext/wan22-t2i.json")
SAVE = {"class_type": "SaveImage", "inputs": {"images": ["empty", 0], "filename_prefix": "a"}}


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COMFYC_SANDBOX_STEP_SECONDS", "0")
    monkeypatch.chdir(tmp_path)


# --- explain, check --------------------------------------------------------------------------------------------


def test_explain_shows_the_binding_each_pass_and_what_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(ROOT / "examples/ext/qwen-edit-advanced.json")]) == 0
    told = capsys.readouterr().out
    titles = [line.removeprefix("── ") for line in told.splitlines() if line.startswith("── ")]
    assert titles[0] == "binding"
    assert titles[-1] == "not honoured"
    assert titles[1:3] == ["after expand", "after attach_fragments"]
    assert "  instruction: " in told


def test_explain_after_a_pass_prints_only_that_graph(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", VIDEO, "--after", "expand"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith(("%", "output ")) for line in lines)
    assert not any("WanFirstLastFrameToVideo" in line for line in lines), "fragments come later"


def test_explain_knows_its_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", VIDEO, "--after", "stable_id"]) == 2
    assert "Did you mean 'stable_ids'?" in capsys.readouterr().err


def test_check_says_what_comfyui_would_and_what_it_would_not(capsys: pytest.CaptureFixture[str]) -> None:
    graph = {
        "empty": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0, "x": 1}},
        "save": {"class_type": "SaveImage", "inputs": {"images": ["empty", 0], "filename_prefix": "a"}},
    }
    Path("good.json").write_text(json.dumps({"prompt": graph}))
    graph["save"]["inputs"] = {"images": ["empty", 0]}
    Path("bad.json").write_text(json.dumps(graph))
    assert main(["check", "good.json", "bad.json", "--json"]) == 1
    good, bad = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (good["file"], good["valid"], good["error"], good["node_errors"]) == ("good.json", True, None, {})
    assert [one["where"] for one in good["findings"]] == ["empty.x"]
    assert (bad["valid"], bad["error"]["type"]) == (False, "prompt_outputs_failed_validation")
    assert bad["node_errors"]["save"]["errors"][0]["type"] == "required_input_missing"
    assert main(["check", "good.json"]) == 0
    assert main(["check", "good.json", "--strict"]) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"prompt": [], "client_id": "x"}, "prompt_no_outputs: "),
        ({"prompt": None}, "server_error: TypeError"),
        ({"1": {"class_type": "\ud800", "inputs": {"\udfff": 1}}}, "node \\ud800 does not exist"),
        ({"prompt": {"save": SAVE}, "partial_execution_targets": ["nowhere"]}, "prompt_no_outputs: "),
        ({"nodes": [], "links": [], "version": 0.4}, "or convert it: comfyc convert"),
    ],
    ids=str,
)
def test_check_takes_what_post_prompt_takes(body: Any, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("body.json").write_text(json.dumps(body))
    assert main(["check", "body.json"]) == 1
    told = capsys.readouterr().out
    assert said in told
    assert "worker" not in told


# --- run -------------------------------------------------------------------------------------------------------


async def test_stop_cancels_the_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYC_SANDBOX_STEP_SECONDS", "30")
    stop, out = asyncio.Event(), io.StringIO()
    work = asyncio.create_task(
        perform(load_request(IMAGE, None), load_settings(), Path("out"), Console(file=out, width=200), stop)
    )
    while "sampler_high" not in out.getvalue():
        await asyncio.sleep(0.01)
        assert not work.done()
    stop.set()
    with pytest.raises(WorkFailed, match="cancelled"):
        await work


def test_a_request_from_stdin_with_its_media_beside_us(monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.loads(Path(VIDEO).read_text()) | {"duration": 1, "width": 256, "height": 256}
    body["file_id"] = body["end_frame_file_id"] = "first.png"
    Path("first.png").write_bytes((ROOT / "examples/media/lake_noon.png").read_bytes())
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(body)))
    assert main(["run", "-", "--out", "made"]) == 0
    assert Path("made/request/video-1.mp4").stat().st_size > 0


@pytest.mark.parametrize(
    ("change", "argv", "code", "message"),
    [
        ({"file_id": "nowhere.png"}, [], 2, "file_id: "),
        ({"loras": [{"id": "nowhere", "strength": 1}]}, [], 2, "loras[0].id: 'nowhere'"),
        ({"model": "wan22-i2w"}, [], 2, "fits no dialect by its shape"),
        ({"model": "wan22-i2w"}, ["--dialect", "ext"], 2, "model: 'wan22-i2w' is not known. Did you mean 'wan22-i2v'?"),
        ({}, ["--engine", "http://127.0.0.1:9"], 1, "127.0.0.1:9: no engine answers"),
        ({}, ["--engine", "nonsense"], 2, "'nonsense' is no engine"),
    ],
)
def test_what_is_wrong_is_told(
    change: dict[str, object], argv: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    body = json.loads(Path(VIDEO).read_text()) | {"file_id": str(ROOT / "examples/media/lake_noon.png")} | change
    body["end_frame_file_id"] = str(ROOT / "examples/media/lake_dawn.png")
    Path("request.json").write_text(json.dumps(body))
    assert main(["run", "request.json", *argv]) == code
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize("command", [["check"], ["compile"], ["compile", "--dialect", "fusara"], ["explain"], ["run"]])
def test_what_is_nested_too_deep_is_told(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("deep.json").write_text('{"a":' * 5000 + "1" + "}" * 5000)
    assert main([*command, "deep.json"]) == 2
    assert "deep.json: is nested too deep" in capsys.readouterr().err


# --- keys, doctor, nodes, engine -------------------------------------------------------------------------------


def test_keys_are_made_listed_and_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", "--tenant", "acme"]) == 0
    key = capsys.readouterr().out.strip()
    assert re.fullmatch(r"ext_[0-9a-f]{64}", key)
    assert main(["keys", "list"]) == 0
    listed = capsys.readouterr().out
    assert key not in listed, "a key is shown once"
    assert " acme " in listed
    assert main(["keys", "revoke", listed.split()[0]]) == 0
    assert main(["keys", "revoke", listed.split()[0]]) == 2


def test_a_database_that_cannot_be_opened_is_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMFYC_DATABASE", "mysql://localhost/comfyc")
    assert main(["keys", "list"]) == 2
    assert capsys.readouterr().err.startswith("comfyc: COMFYC_DATABASE: 'mysql' is not a database")


def test_doctor_names_the_cure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COMFYC_PORT", "0")
    assert main(["doctor", "--engine", "http://127.0.0.1:9"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("ok  Database: sqlite:///") for line in lines)
    bad = next(index for index, line in enumerate(lines) if line.startswith("BAD Engine: "))
    assert lines[bad + 1] == "    → Start ComfyUI there, or correct COMFYC_ENGINE"


def test_nodes_are_linked_into_a_comfyui(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "custom_nodes").mkdir()
    assert main(["nodes", "link", str(tmp_path)]) == 0
    assert (tmp_path / "custom_nodes/comfyc").resolve() == ROOT / "comfy_nodes"
    assert main(["nodes", "link", str(tmp_path / "nowhere")]) == 2
    assert "has no custom_nodes folder" in capsys.readouterr().err


def test_engine_commands_without_an_engine(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("COMFYUI_HOME", raising=False)
    assert main(["engine", "status"]) == 2
    assert main(["engine", "start"]) == 2
    error = capsys.readouterr().err.splitlines()
    assert error[0].endswith(
        "knows no managed engine. Start one with `comfyc engine start`, or name another folder with --data"
    )
    assert error[1].startswith("comfyc: COMFYUI_HOME: is not set")


# --- serve -----------------------------------------------------------------------------------------------------


@contextmanager
def served(*argv: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process and what it printed when it began to serve."""
    command = [sys.executable, "-m", "runner", "serve", "--port", "0", *argv]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COMFYC_LOG_LEVEL": "error"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            printed = ""
            for line in process.stdout:
                printed += line
                if "-d '" in line:
                    break
            yield process, printed
        finally:
            process.kill()


def request_of(printed: str) -> tuple[str, dict[str, str], str]:
    """(address, headers, body) of the curl line."""
    words = shlex.split(printed[printed.index("curl ") :].replace("\\\n", " "))
    headers = dict(words[index + 1].split(": ", 1) for index, word in enumerate(words) if word == "-H")
    return words[2], headers, words[words.index("-d") + 1]


def test_serve_prints_a_line_that_works_and_ends_gracefully() -> None:
    with served() as (process, printed), httpx2.Client(timeout=60) as client:
        assert "the sandbox, like ComfyUI 0.8.0: no models, so its pictures are placeholders" in printed
        url, headers, body = request_of(printed)
        created = client.post(url, headers=headers, content=body)
        assert created.status_code == 201
        job = f"{url}/{created.json()['id']}"
        status: dict[str, str] = {}
        while status.get("status") not in ("COMPLETED", "FAILED"):
            status = client.get(job, headers=headers).json()
            time.sleep(0.05)
        assert status["status"] == "COMPLETED"
        assert client.get(status["image_url"]).content.startswith(b"\x89PNG")
        metrics = client.get(f"{url.removesuffix('/api/v1/img')}/metrics").text
        assert 'comfyc_jobs_total{dialect="ext",provider="wan22-t2i",state="succeeded"} 1.0' in metrics
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    with served() as (process, again), httpx2.Client(timeout=60) as client:
        url, known, _ = request_of(again)
        assert known == headers, "the key of the first start is kept"
        assert client.get(f"{url}/{created.json()['id']}", headers=headers).json()["status"] == "COMPLETED"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    kept = Path("data/secrets")
    assert {path.name for path in kept.iterdir()} == {"first-key", "url-secret", "webhook-secret"}
    assert {path.stat().st_mode & 0o777 for path in kept.iterdir()} == {0o600}


def test_a_sqlite_file_serves_one_process() -> None:
    with served() as (process, _):
        done = subprocess.run(
            [sys.executable, "-m", "runner", "serve", "--port", "0"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert done.returncode == 1
    assert "Stop the other comfyc, take another --data, or set COMFYC_DATABASE" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_webhook_secret(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COMFYC_WEBHOOK_SECRET", "whsec_short")
    assert main(["serve", "--port", "0"]) == 2
    assert "COMFYC_WEBHOOK_SECRET: is not whsec_ and 24 to 64 bytes in base64" in capsys.readouterr().err


def test_serve_on_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 2
    assert "is in use. Take another: --port 0 finds one" in capsys.readouterr().err
