"""The real server as a process, on the sandbox, and a client that knows the contract only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from live_server import SECRET, LiveServer, live_server, run_ext_client


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("live")) as found:
        yield found


def test_an_ext_client_is_served(server: LiveServer, tmp_path: Path) -> None:
    """All five models from upload to webhook; then the figures know of it, and the log gives nothing away."""
    printed = run_ext_client(server, tmp_path)
    assert printed.count("webhook received") == 5
    assert len(list(tmp_path.iterdir())) == 5
    text = httpx2.get(f"{server.base}/metrics").text
    assert 'comfyc_jobs_total{dialect="ext",provider="wan22-t2i",state="succeeded"}' in text
    assert 'comfyc_webhooks_total{outcome="delivered"}' in text
    assert "comfyc_engine_up{engine=" in text
    log = server.log.read_text()
    assert '"job_id"' in log
    for leak in (*server.keys.values(), "a lighthouse", "callback-token", SECRET, "Traceback"):
        assert leak not in log
