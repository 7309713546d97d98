"""GET /v1/jobs/{id}/events: a job as server-sent events, from how it stands now to its end."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from starlette.responses import StreamingResponse

from runner.engine.base import Preview
from runner.feed import News, NodeState, Restarted
from runner.job import Job

PULSE_S: Final = 15.0
"""Longest silence: a comment is sent then, so that nothing between here and there takes the connection for dead."""
HEADERS: Final[Mapping[str, str]] = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def event_stream(
    news: AsyncIterator[Job | News], encode: Callable[[Job], Mapping[str, Any]], closing: asyncio.Event
) -> StreamingResponse:
    """`job` at every change, `node` at every change of a node, `preview` with a picture as base64, `restarted` when an
    engine begins anew; ends with the `job` event of a terminal state, or before it once `closing` is set."""
    return StreamingResponse(_lines(news, encode, closing), media_type="text/event-stream", headers=dict(HEADERS))


async def _lines(
    news: AsyncIterator[Job | News], encode: Callable[[Job], Mapping[str, Any]], closing: asyncio.Event
) -> AsyncIterator[str]:
    upcoming, closed = asyncio.ensure_future(anext(news, None)), asyncio.ensure_future(closing.wait())
    try:
        while not closed.done():
            await asyncio.wait((upcoming, closed), timeout=PULSE_S, return_when=asyncio.FIRST_COMPLETED)
            if not upcoming.done():
                yield ": \n\n"
                continue
            one = upcoming.result()
            if one is None:
                return
            yield event(one, encode)
            upcoming = asyncio.ensure_future(anext(news, None))
    finally:
        for task in (upcoming, closed):
            task.cancel()
        await asyncio.gather(upcoming, closed, return_exceptions=True)
        close = getattr(news, "aclose", None)
        if close is not None:
            await close()


def event(one: Job | News, encode: Callable[[Job], Mapping[str, Any]]) -> str:
    """One event as text."""
    match one:
        case Job():
            kind, data = "job", encode(one)
        case NodeState(node, phase, value, maximum):
            kind, data = "node", {"node": node, "state": phase.value, "value": value, "max": maximum}
        case Preview(_, node, content_type, picture):
            shown = base64.b64encode(picture).decode()
            kind, data = "preview", {"node": node, "content_type": content_type, "data": shown}
        case Restarted():
            kind, data = "restarted", {}
    return f"event: {kind}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"
