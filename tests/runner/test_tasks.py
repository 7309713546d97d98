"""Who waits for a task's end can be cancelled meanwhile, and is."""

from __future__ import annotations

import asyncio

import pytest

from runner.tasks import cancel_and_wait


async def test_a_task_is_ended() -> None:
    task = asyncio.create_task(asyncio.sleep(3600))
    await cancel_and_wait(task)
    assert task.cancelled()


async def test_what_it_raised_is_raised() -> None:
    async def broken() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise ValueError("while it was cleaning up")

    task = asyncio.create_task(broken())
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="cleaning up"):
        await cancel_and_wait(task)


async def test_a_cancellation_of_who_waits_is_not_swallowed() -> None:
    go = asyncio.Event()

    async def slow_to_end() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await go.wait()

    async def waits(task: asyncio.Task[None]) -> None:
        await cancel_and_wait(task)
        await asyncio.sleep(3600)  # where it would hang

    slow = asyncio.create_task(slow_to_end())
    await asyncio.sleep(0)
    waiting = asyncio.create_task(waits(slow))
    await asyncio.sleep(0)
    waiting.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(waiting, 60)
    await asyncio.wait([slow])
