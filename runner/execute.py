"""One graph on one engine, from upload to the files of the result: what a worker does for a job, and `comfyc run`
without a database.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping, MutableSet
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import av
from av.error import FFmpegError
from PIL import Image

from compiler.plan import Compiled, Output
from runner.engine.base import (
    Began,
    Ending,
    Engine,
    EngineError,
    EngineEvent,
    EngineFile,
    Outcome,
    Submission,
)
from runner.events import Event, Started
from runner.job import OutputFile
from runner.progress import Progress
from runner.store.storage import content_type
from runner.tasks import cancel_and_wait

T = TypeVar("T")
Bytes: TypeAlias = bytes | Callable[[], Awaitable[bytes]]
"""A medium's bytes, or what reads them when they are needed."""
CANCEL_AGAIN_S: Final = 0.5


class Sink(Protocol):
    """Where result files go: a Storage has this."""

    async def put(self, key: str, data: bytes | AsyncIterator[bytes]) -> int: ...


class RunFailed(Exception):
    """A node raised; `outcome` says which and what. The message is safe to show."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message or "a node failed")
        self.outcome = outcome


class RunInterrupted(Exception):
    """Somebody else interrupted the prompt."""


class RunCancelled(Exception):
    """The prompt was stopped because `stop` was set; the engine has confirmed it."""


class RunEmpty(Exception):
    """The prompt succeeded without a file. `hollow`: all came from the engine's cache, so another nonce helps."""

    def __init__(self, *, hollow: bool) -> None:
        super().__init__("The graph ran, but the engine lists no output.")
        self.hollow = hollow


@dataclass(frozen=True, slots=True)
class Result:
    """What a run gave."""

    outputs: tuple[OutputFile, ...]
    """Files in the sink, in the plan's order; a video's poster is not listed but named by it."""
    seconds: float
    """From the engine's begin to its end, as seen here."""


async def execute(
    engine: Engine,
    compiled: Compiled,
    media_bytes: Mapping[str, Bytes],
    *,
    prompt_id: str,
    emit: Callable[[Event], object],
    sink: Sink,
    folder: str,
    expected_s: float | None = None,
    fresh: bool = True,
    known_uploads: MutableSet[str] | None = None,
    stop: asyncio.Event | None = None,
    watch: Callable[[EngineEvent], object] | None = None,
) -> Result:
    """Uploads media, submits (or joins) the prompt, follows it, and stores its outputs under `folder` in the sink.

    `media_bytes` holds the plan's uploads by Media.name. `emit` gets Started, NodeChanged and Progressed. `fresh=False`
    if the engine may know the prompt_id. `known_uploads` names the files that this boot of the engine has; it grows.
    Setting `stop` ends the run wherever it is, and cancels the prompt, and only it. `watch` sees every engine event.

    Raises PromptRefused, PromptLost, EngineUnreachable, EngineError, RunFailed, RunInterrupted, RunCancelled, RunEmpty,
    and what the sink raises.
    """
    api: Mapping[str, Any] = compiled.api
    if compiled.plan.uploads and fresh:
        api = await _unless(stop, _upload(engine, compiled, media_bytes, known_uploads))
    submission = Submission(prompt_id, api, fresh=fresh)
    progress = Progress(compiled.plan.steps, compiled.api.keys(), expected_s)
    outcome, seconds = await _follow(engine, submission, progress, emit, stop, watch)
    if outcome.ending is Ending.ERROR:
        raise RunFailed(outcome)
    if outcome.ending is Ending.INTERRUPTED:
        raise RunInterrupted("The prompt was interrupted at the engine.")
    outputs = await _unless(stop, _collect(engine, compiled.plan.outputs, outcome, sink, folder))
    if not outputs:
        raise RunEmpty(hollow=outcome.hollow)
    return Result(outputs, seconds)


async def _upload(
    engine: Engine, compiled: Compiled, media_bytes: Mapping[str, Bytes], known: MutableSet[str] | None
) -> Mapping[str, Any]:
    """Sends what the engine lacks; returns the graph with the names that the engine gave."""
    renamed: dict[str, str] = {}
    for medium in compiled.plan.uploads:
        if known is not None and medium.name in known:
            continue
        source = media_bytes[medium.name]
        data = source if isinstance(source, bytes) else await source()
        given = await engine.upload(medium.name, data, content_type=content_type(medium.name))
        if given != medium.name:
            renamed[medium.name] = given
        elif known is not None:
            known.add(given)
    return _renamed(compiled.api, renamed) if renamed else compiled.api


def _renamed(api: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The graph with other file names; only loaders hold them, as a whole string."""

    def inputs(node: Mapping[str, Any]) -> dict[str, Any]:
        found: Mapping[str, Any] = node["inputs"]
        return {name: names.get(value, value) if isinstance(value, str) else value for name, value in found.items()}

    return {key: {**node, "inputs": inputs(node)} for key, node in api.items()}


async def _follow(
    engine: Engine,
    submission: Submission,
    progress: Progress,
    emit: Callable[[Event], object],
    stop: asyncio.Event | None,
    watch: Callable[[EngineEvent], object] | None,
) -> tuple[Outcome, float]:
    """The prompt's end, and how long it took from its begin."""
    canceller = asyncio.create_task(_cancel_on(stop, engine, submission.prompt_id)) if stop else None
    began = time.monotonic()
    started = False
    outcome: Outcome | None = None
    try:
        async with aclosing(_closable(engine.run(submission))) as events:
            async for event in events:
                if isinstance(event, Outcome):
                    outcome = event
                    break
                if watch is not None:
                    watch(event)
                if isinstance(event, Began):
                    began = time.monotonic()
                told = progress.take(event, time.monotonic())
                if not started and (told is not None or isinstance(event, Began)):
                    started = True
                    emit(Started(datetime.now(UTC)))
                if told is not None:
                    emit(told)
    except EngineError:
        if stop is None or not stop.is_set():
            raise
    finally:
        if canceller is not None:
            await cancel_and_wait(canceller)
    if stop is not None and stop.is_set():
        raise RunCancelled("The prompt was cancelled.")
    if outcome is None:
        raise EngineError("The engine told no end of the prompt.")
    if not started:
        emit(Started(datetime.now(UTC)))
    return outcome, time.monotonic() - began


async def _closable(events: AsyncIterator[T]) -> AsyncGenerator[T]:
    """An async generator over any iterator, which closes it when it can be closed."""
    try:
        async for event in events:
            yield event
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()


async def _cancel_on(stop: asyncio.Event, engine: Engine, prompt_id: str) -> None:
    """Cancels the prompt once `stop` is set, again and again until the engine confirms it."""
    await stop.wait()
    while True:
        with suppress(EngineError):
            if await engine.cancel(prompt_id):
                return
        await asyncio.sleep(CANCEL_AGAIN_S)


async def _unless(stop: asyncio.Event | None, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, or RunCancelled if `stop` is set before it has one."""
    if stop is None:
        return await work
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            raise RunCancelled("The run was cancelled.")
        return task.result()
    finally:
        for one in (task, stopped):
            one.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


async def _collect(
    engine: Engine, outputs: tuple[Output, ...], outcome: Outcome, sink: Sink, folder: str
) -> tuple[OutputFile, ...]:
    """Fetches and stores every file of the output nodes."""
    found: list[OutputFile] = []
    for output in outputs:
        files = [file for file in outcome.files.get(output.node, ()) if file.type == "output"]
        files = files or list(outcome.files.get(output.node, ()))
        for file in files:
            name = f"{output.kind}-{len(found) + 1}{PurePosixPath(file.filename).suffix.lower()}"
            found.append(await _store(sink, f"{folder}/{name}", output.kind, await _bytes(engine, file)))
        for text in outcome.text.get(output.node, ()) if output.kind == "text" and not files else ():
            found.append(await _store(sink, f"{folder}/text-{len(found) + 1}.txt", "text", text.encode()))
    return tuple(found)


async def _bytes(engine: Engine, file: EngineFile) -> bytes:
    return b"".join([piece async for piece in engine.fetch(file)])


async def _store(sink: Sink, key: str, kind: str, data: bytes) -> OutputFile:
    stored = OutputFile(key, kind, content_type(key), await sink.put(key, data))
    if kind == "image":
        width, height = _image_size(data)
        return replace(stored, width=width, height=height)
    if kind == "video":
        width, height, poster = await asyncio.to_thread(_first_frame, data)
        if poster:
            poster_key = f"{key.rpartition('.')[0]}-poster.png"
            await sink.put(poster_key, poster)
            return replace(stored, width=width, height=height, poster=poster_key)
    return stored


def _image_size(data: bytes) -> tuple[int, int]:
    """Width and height from the header; (0, 0) for what Pillow cannot read."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size
    except (OSError, Image.DecompressionBombError):
        return 0, 0


def _first_frame(data: bytes) -> tuple[int, int, bytes]:
    """Size of a video and its first frame as PNG; zeros and nothing for what cannot be decoded."""
    try:
        with av.open(io.BytesIO(data), mode="r") as container:
            for frame in container.decode(video=0):
                png = io.BytesIO()
                Image.fromarray(frame.to_ndarray(format="rgb24")).save(png, "PNG", compress_level=3)
                return frame.width, frame.height, png.getvalue()
    except (FFmpegError, IndexError, OSError):
        pass
    return 0, 0, b""
