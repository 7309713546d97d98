"""A ComfyUI for each test marked `comfyui("kind")`: that of COMFYC_ENGINE_URL, or one started from COMFYUI_HOME.

Kinds are those of tests/support/comfyui_servers.py. The tests ask real_comfyui.url() for the address.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import real_comfyui
from comfyui_servers import KINDS, Servers
from graph_table import SOURCES
from ops_runner import OpsRunner

from compiler.catalog import Catalog
from compiler.catalog_parse import parse_catalog

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
    if not 0 < max(sizes, default=0) <= LARGEST_TINY:
        pytest.skip("the engine has no tiny weights: see docs/acceptance.md")


@pytest.fixture(scope="module")
def comfy() -> Iterator[httpx2.Client]:
    """A session with the ComfyUI, which has the pictures of graph_table.py."""
    with httpx2.Client(base_url=real_comfyui.url(), timeout=60) as client:
        for name, data in SOURCES.items():
            client.post("/upload/image", files={"image": (name, data)}, data={"overwrite": "true"}).raise_for_status()
        yield client


@pytest.fixture(scope="module")
def catalog(comfy: httpx2.Client) -> Catalog:
    """What the ComfyUI says that it has."""
    version = comfy.get("/system_stats").json()["system"]["comfyui_version"]
    return parse_catalog(comfy.get("/object_info").json(), version=version)


@pytest.fixture(scope="module")
def sandbox(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> OpsRunner:
    """The sandbox's nodes, with the same pictures and schemas."""
    runner = OpsRunner(tmp_path_factory.mktemp("sandbox"), catalog)
    for name, data in SOURCES.items():
        (runner.root / "input" / name).write_bytes(data)
    return runner


def servers(config: pytest.Config) -> Servers:
    if SERVERS not in config.stash:
        config.stash[SERVERS] = Servers(Path(HOME))
    return config.stash[SERVERS]


def pytest_unconfigure(config: pytest.Config) -> None:
    if SERVERS in config.stash:
        config.stash[SERVERS].close()
