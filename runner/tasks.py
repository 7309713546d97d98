"""Ending asyncio tasks."""

from __future__ import annotations

import asyncio
from typing import Any


async def cancel_and_wait(task: asyncio.Future[Any]) -> None:
    """Cancels it and waits until it has ended. What it raised is raised here, but for its own cancellation.

    Suppressing CancelledError around `await task` would also swallow the cancellation of who waits, who then runs on
    for ever.
    """
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
