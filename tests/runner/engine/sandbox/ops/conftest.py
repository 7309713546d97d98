from __future__ import annotations

from pathlib import Path

import pytest
from ops_runner import OpsRunner, read_catalog

from compiler.catalog import Catalog


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return read_catalog("0.8.0").extended(read_catalog("comfyc").nodes)


@pytest.fixture
def sandbox(tmp_path: Path, catalog: Catalog) -> OpsRunner:
    """Node implementations on an empty folder tree, with the newest catalog."""
    return OpsRunner(tmp_path, catalog, {"workflow": {"id": "w"}})
