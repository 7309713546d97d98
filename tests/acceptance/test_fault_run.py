"""A small fault run in every test run; the full one is `python tests/acceptance/fault_run.py --jobs 500 --kills 3`."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_run import fault_run
from jobs_support import database_url


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_every_job_ends_right(kind: str, tmp_path: Path) -> None:
    with database_url(kind, tmp_path) as url:
        summary, wrong = await fault_run(url, tmp_path, count=24, kills=1, instances=2, chance=0.04, seconds=500)
    assert wrong == []
    assert summary["server kills"] == 1
    assert sum(summary["jobs"].values()) >= 24
