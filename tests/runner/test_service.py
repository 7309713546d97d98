"""The whole way of a job on real sandboxes, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs_support import database_url, setup

from runner.job import State


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with database_url(request.param, tmp_path) as found:
        yield found


async def test_a_job_runs_to_its_file(url: str, tmp_path: Path) -> None:
    async with setup(url, tmp_path) as running:
        job = await running.submit()
        assert job.state is State.QUEUED
        done = await running.end(job)
        assert done.state is State.SUCCEEDED, done.error
        assert done.progress == 100
        (file,) = done.outputs
        assert (file.kind, file.content_type) == ("image", "image/png")
        assert await running.storage.size(file.key) == file.size
        assert (file.width, file.height) == (512, 512)
