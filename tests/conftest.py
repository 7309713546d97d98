"""For all tests: no network but loopback, no settings of the machine, goldens on demand."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# a slow machine is no fault: what a property test finds must not depend on how busy the machine is
settings.register_profile("comfyc", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("comfyc")

LOOPBACK = ("127.", "::1", "localhost", "/")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the expected graphs anew; review the diff")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(autouse=True)
def closed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for a host other than this one fails at once."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        host = str(address[0] if isinstance(address, tuple) else address)
        if self.family in (socket.AF_INET, socket.AF_INET6) and not host.startswith(LOOPBACK):
            raise PermissionError(f"tests may not connect to {host}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the developer's machine do not reach the tests; COMFYC_TEST_* and the engines' do."""
    kept = ("COMFYC_TEST_", "COMFYC_ENGINE_URL", "COMFYC_RECORDINGS")
    for name in list(os.environ):
        if name.startswith("COMFYC_") and not name.startswith(kept):
            monkeypatch.delenv(name)
