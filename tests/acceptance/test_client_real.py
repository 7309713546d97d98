"""The client on a real ComfyUI, attached and managed.

COMFYUI_HOME=~/ComfyUI pytest tests/acceptance/test_client_real.py

A server that COMFYC_ENGINE_URL names must be idle. Only core nodes are used; the sampler is tried if the server has
tiny_sdxl.safetensors.
"""

from __future__ import annotations

import asyncio
import io
import os
import signal
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engines import drive, eventually, kinds, new_id, picture, submission
from PIL import Image
from real_comfyui import url

from runner.engine.base import (
    Ending,
    EngineError,
    Health,
    NodeProgress,
    Outcome,
    Preview,
    PromptLost,
    PromptRefused,
    Queued,
    Submission,
    Where,
)
from runner.engine.client import ComfyClient
from runner.engine.home import open_home
from runner.engine.http import Timing
from runner.engine.managed import ManagedEngine, Setup
from runner.engine.process import read_states

HOME = os.environ.get("COMFYUI_HOME", "")
CHECKPOINT = "tiny_sdxl.safetensors"
TIMING = Timing(silence=1.0, poll=2.0, refused=2.0, deaf=5.0)
pytestmark = pytest.mark.comfyui
attached = pytest.mark.comfyui("tiny")
managed = pytest.mark.skipif(not HOME, reason="needs COMFYUI_HOME: it starts ComfyUI itself")


def colour() -> int:
    """A new one each time, so that nothing comes from the cache of an earlier run."""
    return time.time_ns() // 1000 % 0xFFFFFF


def long_picture(nodes: int = 12) -> dict[str, Any]:
    """Blurs of a large picture, each about a second of one CPU; an interrupt is looked for between them."""
    graph = picture(colour(), "comfyc/long")
    graph["make"]["inputs"].update(width=1024, height=1024)
    last = "make"
    for index in range(nodes):
        inputs = {"image": [last, 0], "blur_radius": 20, "sigma": 4.0}
        last = f"blur_{index}"
        graph[last] = {"class_type": "ImageBlur", "inputs": inputs}
    graph["save"]["inputs"]["images"] = [last, 0]
    return graph


def sampled(steps: int) -> dict[str, Any]:
    """The smallest text-to-image graph, with tiny random weights."""
    return {
        "model": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINT}},
        "text": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["model", 1], "text": "a"}},
        "latent": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "sampler": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["model", 0],
                "positive": ["text", 0],
                "negative": ["text", 0],
                "latent_image": ["latent", 0],
                "seed": colour(),
                "steps": steps,
                "cfg": 2.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "denoise": 1.0,
            },
        },
        "decode": {"class_type": "VAEDecode", "inputs": {"samples": ["sampler", 0], "vae": ["model", 2]}},
        "save": {"class_type": "SaveImage", "inputs": {"images": ["decode", 0], "filename_prefix": "comfyc/s"}},
    }


async def until(client: ComfyClient, prompt_id: str, where: Where) -> None:
    async with asyncio.timeout(60):
        while await client.where(prompt_id) is not where:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.fixture
async def client() -> AsyncGenerator[ComfyClient]:
    made = ComfyClient(url(), timing=TIMING)
    yield made
    await made.close()


# --- attached --------------------------------------------------------------------------------------------------


@attached
async def test_what_it_is(client: ComfyClient) -> None:
    assert await client.health() is Health.ALIVE
    catalog = await client.catalog()
    assert catalog.version == (await client.stats())["system"]["comfyui_version"]
    assert len(catalog.nodes) > 300
    assert await client.boot_id() == await client.boot_id()


@attached
async def test_upload_run_and_fetch(client: ComfyClient) -> None:
    png = io.BytesIO()
    Image.new("RGB", (24, 16), (colour() % 256, 10, 20)).save(png, "PNG")
    name = await client.upload(f"comfyc tests/ä {new_id()}.png", png.getvalue(), content_type="image/png")
    assert name.startswith("comfyc tests/ä ")
    graph = picture(prefix="comfyc/upload")
    graph["make"] = {"class_type": "LoadImage", "inputs": {"image": name}}
    events, outcome = await drive(client, submission(graph, fresh=True))
    assert kinds(events)[:3] == ["Queued", "Began", "Cached"]
    assert {event.node for event in events if isinstance(event, NodeProgress) and event.done} == {"make", "save"}
    assert outcome.ending is Ending.SUCCESS
    (file,) = outcome.files["save"]
    data = b"".join([piece async for piece in client.fetch(file)])
    assert Image.open(io.BytesIO(data)).size == (24, 16)


@attached
async def test_same_name_other_bytes_is_given_another_name(client: ComfyClient) -> None:
    name = f"comfyc tests/{new_id()}.txt"
    assert await client.upload(name, b"one", content_type="text/plain") == name
    assert await client.upload(name, b"one", content_type="text/plain") == name
    assert await client.upload(name, b"two", content_type="text/plain") == name.replace(".txt", " (1).txt")


@attached
async def test_a_cached_rerun_has_the_same_files(client: ComfyClient) -> None:
    graph = picture(colour(), "comfyc/cached")
    _, first = await drive(client, submission(graph, fresh=True))
    events, second = await drive(client, submission(graph, fresh=True))
    assert second.files == first.files
    assert not second.hollow
    assert "NodeBegan" not in kinds(events)


@attached
async def test_many_at_once_each_end_once(client: ComfyClient) -> None:
    many = [submission(picture(colour() + n, "comfyc/many"), fresh=True) for n in range(10)]
    results = await asyncio.gather(*(drive(client, one) for one in many))
    assert [outcome.ending for _, outcome in results] == [Ending.SUCCESS] * 10
    assert len({outcome.files["save"] for _, outcome in results}) == 10


@attached
async def test_refusals(client: ComfyClient) -> None:
    wrong, partial = picture(), picture()
    wrong["make"]["inputs"]["width"] = "wide"
    partial["bad"] = {"class_type": "SaveImage", "inputs": {"images": ["make", 0]}}
    for graph, node, kind in ((wrong, "make", "invalid_input_type"), (partial, "bad", "required_input_missing")):
        with pytest.raises(PromptRefused) as caught:
            await drive(client, submission(graph, fresh=True))
        assert caught.value.node_errors[node]["errors"][0]["type"] == kind
    with pytest.raises(PromptRefused) as caught:
        await drive(client, submission({"a": {"class_type": "NoSuchNode", "inputs": {}}}, fresh=True))
    assert caught.value.error["type"] in ("invalid_prompt", "missing_node_type")


@attached
async def test_a_node_error_is_told_and_redacted(client: ComfyClient) -> None:
    gone = {"mask": {"class_type": "LoadImage", "inputs": {"image": "gone.png"}}}
    with pytest.raises(PromptRefused):  # that the file exists is checked when it is posted
        await drive(client, submission(gone | _saving("mask"), fresh=True))
    name = await client.upload(f"comfyc tests/{new_id()}.png", b"no picture", content_type="image/png")
    graph = _saving("mask") | {"mask": {"class_type": "LoadImage", "inputs": {"image": name}}}
    _, outcome = await drive(client, submission(graph, fresh=True))
    assert (outcome.ending, outcome.node, outcome.node_type) == (Ending.ERROR, "mask", "LoadImage")
    assert outcome.exception_type
    assert "/" not in outcome.message.replace("…/", "")


def _saving(node: str) -> dict[str, Any]:
    return {"save": {"class_type": "SaveImage", "inputs": {"images": [node, 0], "filename_prefix": "comfyc/e"}}}


@attached
async def test_cancel_running_and_waiting(client: ComfyClient) -> None:
    first, second = submission(long_picture(), fresh=True), submission(picture(colour()), fresh=True)
    tasks = [asyncio.create_task(drive(client, first))]
    await until(client, first.prompt_id, Where.RUNNING)
    tasks.append(asyncio.create_task(drive(client, second)))
    await until(client, second.prompt_id, Where.PENDING)
    assert await client.cancel(second.prompt_id)
    assert await client.where(first.prompt_id) is Where.RUNNING
    assert await client.cancel(first.prompt_id)
    (_, one), (events, two) = await asyncio.gather(*tasks)
    assert (one.ending, two) == (Ending.INTERRUPTED, Outcome(Ending.INTERRUPTED))
    assert events[0] == Queued(second.prompt_id, 1)
    assert await client.where(second.prompt_id) is Where.UNKNOWN


@attached
async def test_a_reconnect_in_the_middle_loses_nothing(client: ComfyClient) -> None:
    wanted = submission(long_picture(4), fresh=True)
    task = asyncio.create_task(drive(client, wanted))
    await until(client, wanted.prompt_id, Where.RUNNING)
    connection = client._socket._connection  # pyright: ignore[reportPrivateUsage]
    assert connection
    connection.transport.abort()
    events, outcome = await task
    assert outcome.ending is Ending.SUCCESS
    assert events[-1] == NodeProgress(wanted.prompt_id, "save", 1.0, 1.0, done=True)
    assert kinds(events).count("Began") == 1


@attached
async def test_another_client_joins(client: ComfyClient) -> None:
    wanted = submission(long_picture(2), fresh=True)
    first = asyncio.create_task(drive(client, wanted))
    await until(client, wanted.prompt_id, Where.RUNNING)
    second = ComfyClient(url(), timing=TIMING)
    _, outcome = await drive(second, Submission(wanted.prompt_id, wanted.prompt))
    assert outcome == (await first)[1]
    await second.close()


@attached
async def test_forget_and_free(client: ComfyClient) -> None:
    wanted = submission(picture(colour()), fresh=True)
    await drive(client, wanted)
    assert await client.where(wanted.prompt_id) is Where.FINISHED
    await client.forget(wanted.prompt_id)
    assert await client.where(wanted.prompt_id) is Where.UNKNOWN
    await client.free()
    assert (await drive(client, submission(picture(colour()), fresh=True)))[1].ending is Ending.SUCCESS


@attached
async def test_a_sampler_tells_steps_and_stops_between_them(client: ComfyClient) -> None:
    if CHECKPOINT not in ((await client.catalog()).files("checkpoints") or ()):
        pytest.skip(f"the server has no {CHECKPOINT}")
    events, outcome = await drive(client, submission(sampled(4), fresh=True))
    assert outcome.ending is Ending.SUCCESS
    steps = [event.value for event in events if isinstance(event, NodeProgress) and event.node == "sampler"]
    assert steps == sorted(steps)
    assert set(steps) >= {1.0, 2.0, 3.0, 4.0}
    assert all(event.prompt_id and event.data for event in events if isinstance(event, Preview))
    wanted = submission(sampled(5000), fresh=True)
    task = asyncio.create_task(drive(client, wanted))
    await until(client, wanted.prompt_id, Where.RUNNING)
    await asyncio.sleep(0.5)
    assert await client.cancel(wanted.prompt_id)
    assert (await task)[1].ending is Ending.INTERRUPTED


# --- managed ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def setup(tmp_path: Path) -> Setup:
    return Setup("comfyui-0", open_home(Path(HOME)), tmp_path, cpu="COMFYUI_GPU" not in os.environ)


@managed
async def test_start_run_kill_restart_drain_stop(setup: Setup) -> None:
    engine = ManagedEngine(setup, timing=TIMING)
    await engine.start()
    try:
        before, address = await engine.boot_id(), engine.base_url
        assert "IMPORT FAILED" not in engine.logs(200)
        assert (await drive(engine, submission(picture(colour()), fresh=True)))[1].ending is Ending.SUCCESS

        wanted = submission(long_picture(), fresh=True)
        task = asyncio.create_task(drive(engine, wanted))
        await until(engine, wanted.prompt_id, Where.RUNNING)
        assert engine.state
        os.kill(engine.state.pid, signal.SIGKILL)
        with pytest.raises(PromptLost):
            await task
        await eventually(lambda: engine.state and engine.state.boot != before and engine.why == "", 120)
        assert (await engine.health(), engine.base_url) == (Health.ALIVE, address)
        assert await engine.where(wanted.prompt_id) is Where.UNKNOWN
        assert (await drive(engine, replace(wanted, prompt=picture(colour()))))[1].ending is Ending.SUCCESS

        running = asyncio.create_task(drive(engine, submission(long_picture(2), fresh=True)))
        await eventually(lambda: engine._inboxes)  # pyright: ignore[reportPrivateUsage]
        assert await engine.drain()
        assert (await running)[1].ending is Ending.SUCCESS

        killed = await engine.boot_id()
        await engine.restart("the device failed")
        assert await engine.boot_id() not in (before, killed)
    finally:
        await engine.close()
    (state,) = read_states(setup.data)
    assert state.process() is None


@managed
async def test_one_that_is_kept_is_adopted_with_its_prompts(setup: Setup) -> None:
    first = ManagedEngine(replace(setup, keep=True), timing=TIMING)
    await first.start()
    wanted = submission(long_picture(3), fresh=True)
    task = asyncio.create_task(drive(first, wanted))
    await until(first, wanted.prompt_id, Where.RUNNING)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await first.close()
    second = ManagedEngine(setup, timing=TIMING)
    await second.start()
    try:
        assert second.base_url == first.base_url
        assert (await drive(second, Submission(wanted.prompt_id, wanted.prompt)))[1].ending is Ending.SUCCESS
    finally:
        await second.stop()
        await second.close()


@managed
async def test_a_start_that_fails_says_why(setup: Setup) -> None:
    engine = ManagedEngine(replace(setup, extra=("--no-such-option",)), timing=TIMING)
    with pytest.raises(EngineError, match="unrecognized arguments: --no-such-option"):
        await engine.start()
    await engine.close()
