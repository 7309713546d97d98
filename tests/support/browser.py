"""One headless Chromium for all tests of the page. Needs Chromium and the package playwright: `make test BROWSER=1`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""What Chromium is called; COMFYC_TEST_BROWSER may name another file."""


def executable() -> str:
    """The browser's file. A missing browser is a failure, not a skip."""
    named = os.environ.get("COMFYC_TEST_BROWSER", "")
    found = named or next((path for name in NAMES if (path := shutil.which(name))), "")
    assert found, f"no browser: install chromium, or set COMFYC_TEST_BROWSER (looked for {', '.join(NAMES)})"
    return found


@contextmanager
def chromium() -> Iterator[Any]:
    """A running browser; a page's own context is made by each test."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
