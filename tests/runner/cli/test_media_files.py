"""Media of a request on the command line: where relative paths start, and what is said of a missing file."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.media import MediaRef
from runner.cli.media_files import beside


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("../media/a.png", "requests/../media/a.png"),
        ("/srv/a.png", "/srv/a.png"),
        ("https://example.com/a.png", "https://example.com/a.png"),
        ("data:image/png;base64,AAAA", "data:image/png;base64,AAAA"),
    ],
)
def test_relative_paths_start_at_the_request_file(value: str, found: str) -> None:
    assert beside(MediaRef("file_id", value), Path("requests")) == MediaRef("file_id", found)
