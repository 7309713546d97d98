"""execute without a database: uploads, events, files, posters, and how it stops. On a small engine and on a sandbox."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from jobs_support import IMAGE, TIMING, library, stocked
from PIL import Image

from compiler import Media, compile_request, parse_request
from compiler.graph.ir import Graph
from compiler.plan import Compiled, Output, Plan
from runner.engine.base import (
    Began,
    Ending,
    EngineEvent,
    EngineFile,
    EngineUnreachable,
    NodeBegan,
    NodeProgress,
    Outcome,
    Submission,
)
from runner.engine.client import ComfyClient
from runner.engine.sandbox.server import Sandbox
from runner.events import Event, NodeChanged, Progressed, Started
from runner.execute import RunCancelled, RunEmpty, RunFailed, RunInterrupted, execute
from runner.failures import POLICIES, Fault, delay_s, fault_of, job_error
from runner.job import Cause
from runner.store.storage import LocalStorage, StorageError


def png(width: int = 8, height: int = 4) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(out, "PNG")
    return out.getvalue()


def mp4(frames: int = 5) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for index in range(frames):
            colour = np.full((32, 64, 3), 250 if index == 0 else 5, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(colour, format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()


@dataclass
class SmallEngine:
    """An engine that tells a fixed story."""

    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    story: list[EngineEvent | Outcome | Exception] = field(default_factory=list[EngineEvent | Outcome | Exception])
    renames: Mapping[str, str] = field(default_factory=dict[str, str])
    name: str = "small"
    uploads: list[str] = field(default_factory=list[str])
    submitted: list[Submission] = field(default_factory=list[Submission])
    cancelled: list[str] = field(default_factory=list[str])
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def upload(self, name: str, data: bytes, *, content_type: str) -> str:
        self.uploads.append(f"{name} {len(data)} {content_type}")
        return self.renames.get(name, name)

    async def run(self, submission: Submission) -> AsyncIterator[EngineEvent | Outcome]:
        self.submitted.append(submission)
        for one in self.story:
            if isinstance(one, Exception):
                raise one
            yield one
        await self.gone.wait()
        yield Outcome(Ending.INTERRUPTED)

    async def cancel(self, prompt_id: str) -> bool:
        self.cancelled.append(prompt_id)
        if len(self.cancelled) == 1:
            raise EngineUnreachable("busy")  # it is asked again
        self.gone.set()
        return True

    async def fetch(self, file: EngineFile) -> AsyncIterator[bytes]:
        data = self.files[file.filename]
        yield data[:3]
        yield data[3:]


def graph(*outputs: Output, uploads: tuple[Media, ...] = ()) -> Compiled:
    api = {"load": {"class_type": "LoadImage", "inputs": {"image": "comfyc/a.png", "n": 1}}}
    plan = Plan("t", outputs, uploads, {"sampler": 4}, frozenset())
    return Compiled(Graph({}, ()), api, plan, ())


async def run(engine: SmallEngine, compiled: Compiled, folder: Path, **more: Any) -> tuple[Any, list[Event]]:
    events: list[Event] = []
    options: dict[str, Any] = {"media_bytes": {}, **more}
    media = options.pop("media_bytes")
    result = await execute(
        engine,  # type: ignore[arg-type]
        compiled,
        media,
        prompt_id="p",
        emit=events.append,
        sink=LocalStorage(folder),
        folder="job",
        **options,
    )
    return result, events


def success(**files: str) -> Outcome:
    return Outcome(Ending.SUCCESS, {node: (EngineFile(name, "sub"),) for node, name in files.items()})


async def test_files_of_every_kind(tmp_path: Path) -> None:
    engine = SmallEngine({"x_1.PNG": png(), "v.mp4": mp4()}, [Began("p"), success(image="x_1.PNG", video="v.mp4")])
    result, events = await run(engine, graph(Output("video", "video"), Output("image", "image")), tmp_path)
    video, image = result.outputs
    assert (video.key, video.content_type, video.width, video.height) == ("job/video-1.mp4", "video/mp4", 64, 32)
    assert (image.key, image.content_type, image.width, image.height) == ("job/image-2.png", "image/png", 8, 4)
    assert (tmp_path / image.key).read_bytes() == png()
    with Image.open(tmp_path / video.poster) as poster:
        assert (poster.format, poster.size) == ("PNG", (64, 32))
        assert min(poster.convert("L").tobytes()) > 200  # the first frame: the others are dark
    assert isinstance(events[0], Started)


async def test_texts_and_several_files_of_a_node(tmp_path: Path) -> None:
    files = {"s": tuple(EngineFile(f"{n}.png") for n in "abc")}
    outcome = Outcome(Ending.SUCCESS, files, {"t": ("hallö",)})
    engine = SmallEngine({f"{n}.png": png() for n in "abc"}, [outcome])
    result, _ = await run(engine, graph(Output("s", "image"), Output("t", "text")), tmp_path)
    assert [file.key for file in result.outputs] == [
        "job/image-1.png",
        "job/image-2.png",
        "job/image-3.png",
        "job/text-4.txt",
    ]
    assert (tmp_path / "job/text-4.txt").read_text() == "hallö"


async def test_a_preview_counts_only_where_nothing_else_is(tmp_path: Path) -> None:
    both = Outcome(Ending.SUCCESS, {"s": (EngineFile("a.png"), EngineFile("b.png", type="temp"))})
    engine = SmallEngine({"a.png": png(), "b.png": png()}, [both])
    result, _ = await run(engine, graph(Output("s", "image")), tmp_path)
    assert len(result.outputs) == 1


async def test_events(tmp_path: Path) -> None:
    story = [Began("p"), NodeBegan("p", "sampler"), NodeProgress("p", "sampler", 2, 4), success(s="a.png")]
    _, events = await run(SmallEngine({"a.png": png()}, story), graph(Output("s", "image")), tmp_path)
    assert [type(event) for event in events] == [Started, NodeChanged, Progressed]
    assert isinstance(events[2], Progressed)
    assert (events[2].node, events[2].percent) == ("sampler", pytest.approx(45.0))


async def test_a_prompt_that_had_ended_before_it_was_joined_has_begun(tmp_path: Path) -> None:
    _, events = await run(SmallEngine({"a.png": png()}, [success(s="a.png")]), graph(Output("s", "image")), tmp_path)
    assert [type(event) for event in events] == [Started]


async def test_uploads_go_once_to_a_boot_and_keep_the_engines_name(tmp_path: Path) -> None:
    known = {"comfyc/old.png"}
    media = (Media("comfyc/a.png"), Media("comfyc/b.png"), Media("comfyc/old.png"))
    engine = SmallEngine({"x": png()}, [success(s="x")], renames={"comfyc/a.png": "comfyc/a (1).png"})

    async def late() -> bytes:
        return b"later"

    await run(
        engine,
        graph(Output("s", "image"), uploads=media),
        tmp_path,
        media_bytes={"comfyc/a.png": b"now", "comfyc/b.png": late},
        known_uploads=known,
    )
    assert engine.uploads == ["comfyc/a.png 3 image/png", "comfyc/b.png 5 image/png"]
    assert known == {"comfyc/old.png", "comfyc/b.png"}
    assert engine.submitted[0].prompt["load"]["inputs"] == {"image": "comfyc/a (1).png", "n": 1}
    assert engine.submitted[0].fresh


async def test_a_joined_prompt_uploads_nothing(tmp_path: Path) -> None:
    engine = SmallEngine({"x": png()}, [success(s="x")])
    await run(engine, graph(Output("s", "image"), uploads=(Media("comfyc/a.png"),)), tmp_path, fresh=False)
    assert engine.uploads == []
    assert not engine.submitted[0].fresh


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Outcome(Ending.ERROR, node="n", node_type="K", message="bad"), RunFailed),
        (Outcome(Ending.INTERRUPTED), RunInterrupted),
        (Outcome(Ending.SUCCESS), RunEmpty),
        (Outcome(Ending.SUCCESS, hollow=True), RunEmpty),
    ],
)
async def test_other_ends(outcome: Outcome, error: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(error):
        await run(SmallEngine({}, [outcome]), graph(Output("s", "image")), tmp_path)


async def test_a_file_that_is_no_picture_is_kept(tmp_path: Path) -> None:
    engine = SmallEngine({"a.png": b"nothing", "v.mp4": b"nothing"}, [success(s="a.png", v="v.mp4")])
    result, _ = await run(engine, graph(Output("s", "image"), Output("v", "video")), tmp_path)
    assert [(file.size, file.width, file.poster) for file in result.outputs] == [(7, 0, ""), (7, 0, "")]


async def test_stop_cancels_this_prompt_until_it_is_confirmed(tmp_path: Path) -> None:
    engine, stop = SmallEngine({}, [Began("p")]), asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, stop.set)
    with pytest.raises(RunCancelled):
        async with asyncio.timeout(60):
            await run(engine, graph(Output("s", "image")), tmp_path, stop=stop)
    assert engine.cancelled == ["p", "p"]


async def test_stop_before_the_prompt_was_sent_sends_none(tmp_path: Path) -> None:
    engine, stop = SmallEngine({}, []), asyncio.Event()

    async def never() -> bytes:
        stop.set()
        await asyncio.Event().wait()
        return b""

    with pytest.raises(RunCancelled):
        async with asyncio.timeout(60):
            await run(
                engine,
                graph(Output("s", "image"), uploads=(Media("comfyc/a.png"),)),
                tmp_path,
                media_bytes={"comfyc/a.png": never},
                stop=stop,
            )
    assert engine.submitted == []


async def test_a_sandbox(tmp_path: Path) -> None:
    provider, request = parse_request("ext", IMAGE, operation="image")
    compiled = compile_request(provider, request, {}, library(), stocked(), prefix="comfyc/x")
    events: list[Event] = []
    async with Sandbox(stocked(), tmp_path / "box") as box:
        client = ComfyClient(box.url, timing=TIMING)
        result = await execute(
            client,
            compiled,
            {},
            prompt_id="8d9a4c1e-0000-4000-8000-000000000001",
            emit=events.append,
            sink=LocalStorage(tmp_path / "out"),
            folder="run",
        )
        await client.close()
    assert [(file.kind, file.width, file.height) for file in result.outputs] == [("image", 512, 512)]
    assert {event.node for event in events if isinstance(event, NodeChanged)} >= {"sampler"}


# --- what a failure means ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "fault", "cause"),
    [
        (RunFailed(Outcome(Ending.ERROR, out_of_memory=True)), Fault.OUT_OF_MEMORY, Cause.OUT_OF_MEMORY),
        (RunFailed(Outcome(Ending.ERROR, device_fault=True)), Fault.DEVICE, Cause.ENGINE_LOST),
        (RunFailed(Outcome(Ending.ERROR)), Fault.NODE_ERROR, Cause.NODE_ERROR),
        (RunEmpty(hollow=True), Fault.HOLLOW, Cause.NODE_ERROR),
        (RunEmpty(hollow=False), Fault.EMPTY, Cause.NODE_ERROR),
        (EngineUnreachable("x"), Fault.UNREACHABLE, Cause.ENGINE_LOST),
        (StorageError("full"), Fault.STORAGE, Cause.INTERNAL),
        (ValueError("/etc/secret"), Fault.INTERNAL, Cause.INTERNAL),
    ],
)
def test_faults(error: Exception, fault: Fault, cause: Cause) -> None:
    assert fault_of(error) is fault
    told = job_error(error)
    assert told.cause is cause
    assert "/etc/secret" not in told.message


def test_bad_requests_are_never_retried_and_delays_grow() -> None:
    assert {fault for fault, policy in POLICIES.items() if not policy.retries} == {
        Fault.REFUSED,
        Fault.NODE_ERROR,
        Fault.EMPTY,
        Fault.INTERNAL,
    }
    assert set(POLICIES) == set(Fault)
    assert [delay_s(Fault.UNREACHABLE, retry) for retry in (0, 1, 2, 20)] == [0.5, 1.0, 2.0, 30.0]
