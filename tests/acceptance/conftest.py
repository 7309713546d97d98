"""A ComfyUI for each test marked `comfyui("kind")`: that of COMFYC_ENGINE_URL, or one started from COMFYUI_HOME.

Kinds are those of tests/support/comfyui_servers.py. The tests ask real_comfyui.url() for the address.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import real_comfyui
from comfyui_servers import KINDS, Servers

HOME = os.environ.get("COMFYUI_HOME", "")
FIRST = ("test_tiny_real", "test_ext_client_real")
"""What runs requests from end to end comes before the rest of its kind."""
LARGEST_TINY = 200_000_000
"""Bytes. Real weights are larger, and would take hours here."""
SERVERS = pytest.StashKey[Servers]()


def kind_of(item: pytest.Item) -> str:
    """The kind of ComfyUI that a test wants; empty for none, or one that the test starts itself."""
    mark = item.get_closest_marker("comfyui")
    return str(mark.args[0]) if mark and mark.args else ""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each kind is started once: its tests follow one another."""
    kinds = list(KINDS)

    def place(item: pytest.Item) -> tuple[int, bool]:
        kind = kind_of(item)
        return kinds.index(kind) if kind else len(kinds), item.path.stem not in FIRST

    items.sort(key=place)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture, also one of a module."""
    kind = kind_of(item)
    if not kind or real_comfyui.GIVEN:
        return
    if not HOME:
        pytest.skip("needs a real ComfyUI: COMFYUI_HOME or COMFYC_ENGINE_URL")
    real_comfyui.use(servers(item.config).use(kind))


@pytest.fixture
def weights() -> None:
    """Skips where the weights are not tiny ones: a server that the caller named may have any."""
    sizes = [one["size"] for one in real_comfyui.http().get("/experiment/models/diffusion_models").json()]
    if not sizes or min(sizes) == 0 or max(sizes) > LARGEST_TINY:
        pytest.skip("the engine has no tiny weights: see docs/acceptance.md")


def servers(config: pytest.Config) -> Servers:
    if SERVERS not in config.stash:
        config.stash[SERVERS] = Servers(Path(HOME))
    return config.stash[SERVERS]


def pytest_unconfigure(config: pytest.Config) -> None:
    if SERVERS in config.stash:
        config.stash[SERVERS].close()
