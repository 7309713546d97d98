"""The real server as a process, on the sandbox: what clients see, and what survives."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from live_server import ROOT, SECRET, LiveServer, live_server

EXAMPLES = os.environ.get("COMFYC_TEST_EXAMPLES", "")
"""How many requests schemathesis makes of each operation; empty for a few."""
PHASES = "examples,coverage,fuzzing,stateful" if EXAMPLES else "fuzzing"
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,missing_required_header,unsupported_method,"
    "use_after_free,ensure_resource_availability,ignored_auth"
)
"""All but positive_data_acceptance: a request may fit the schema and yet name a file that nobody uploaded."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("live")) as found:
        yield found


def test_an_ext_client_is_served(server: LiveServer, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tests/acceptance/ext_client.py"), "--base", server.base]
    command += ["--key", server.keys["t0"], "--secret", SECRET, "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr + server.log.read_text()[-3000:]
    assert done.stdout.count("webhook received") == 5
    assert len(list(tmp_path.iterdir())) == 5


def test_schemathesis_finds_nothing(server: LiveServer) -> None:
    """`COMFYC_TEST_EXAMPLES=400` makes thousands of requests."""
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"{server.base}/openapi.json", "--no-color"]
    command += ["--header", f"Authorization: Bearer {server.keys['t1']}", "--checks", CHECKS, "--phases", PHASES]
    command += ["--max-examples", EXAMPLES or "4", "--seed", "1", "--generation-database", "none"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT / "tests/data")
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def test_metrics_and_log_after_all_that(server: LiveServer) -> None:
    text = httpx2.get(f"{server.base}/metrics").text
    assert 'comfyc_jobs_total{dialect="ext",provider="wan22-t2i",state="succeeded"}' in text
    assert 'comfyc_webhooks_total{outcome="delivered"}' in text
    assert "comfyc_engine_up{engine=" in text
    log = server.log.read_text()
    assert '"job_id"' in log
    for leak in (*server.keys.values(), "a lighthouse", "callback-token", SECRET, "Traceback"):
        assert leak not in log
