"""Schemathesis with our OpenAPI document, which holds the contracts, against the running server on the sandbox.

COMFYC_TEST_EXAMPLES=250 pytest -s tests/acceptance/test_schemathesis.py       thousands of requests, all phases
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from live_server import live_server

EXAMPLES = os.environ.get("COMFYC_TEST_EXAMPLES", "")
"""Requests that are made up for each operation; empty for a few."""
PHASES = "examples,coverage,fuzzing,stateful" if EXAMPLES else "fuzzing"
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,missing_required_header,unsupported_method,"
    "use_after_free,ensure_resource_availability,ignored_auth"
)
"""All but positive_data_acceptance: a request may fit the schema and yet name a file that nobody uploaded."""
PATHS = "^/v1/templates/.+/jobs$|^/api/integration/(assistants|models)"
LEFT_OUT = ["--exclude-path-regex", PATHS, "--exclude-operation-id", "cancel_job"]
"""A template may be asked for 64 pictures of 16384², which the sandbox would paint; the assistant and imports need
services that are not there; a cancelled job is still there."""


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    with live_server(tmp_path) as server:
        command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{server.base}/openapi.json"]
        command += ["--header", f"Authorization: Bearer {server.keys['t0']}", "--checks", CHECKS, "--phases", PHASES]
        command += ["--header", f"X-API-Key: {server.keys['t0']}", *LEFT_OUT]
        command += ["--max-examples", EXAMPLES or "4", "--seed", "1", "--generation-database", "none", "--no-color"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
