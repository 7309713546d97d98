"""The sandbox as a server: what it says it is, several in one process, one as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import httpx2
import pytest
from websockets.asyncio.client import connect

from compiler import load_library, parse_catalog, shipped_catalog
from runner.engine.sandbox.server import CRASHED, Sandbox

ROOT = Path(__file__).parents[4]
PICTURE = {
    "a": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 1}},
    "out": {"class_type": "SaveImage", "inputs": {"images": ["a", 0], "filename_prefix": "p"}},
}


@pytest.mark.parametrize("version", ["0.3.64", "0.8.0"])
async def test_it_says_what_it_is_everywhere(version: str, tmp_path: Path) -> None:
    async with (
        Sandbox(shipped_catalog(version), tmp_path, name="one") as sandbox,
        httpx2.AsyncClient(base_url=sandbox.url) as http,
    ):
        answer = await http.get("/system_stats")
        system = answer.json()["system"]
        assert system["comfyui_version"] == version
        assert (system["engine"], system["engine_name"]) == ("comfyc sandbox", "one")
        assert system["argv"] == ["comfyc sandbox", "one"]
        for path in ("/system_stats", "/nowhere", "/history?max_items=x"):
            assert (await http.get(path)).headers["x-comfyc-sandbox"] == "1"


async def test_its_object_info_is_the_catalog_it_was_given(tmp_path: Path) -> None:
    catalog = load_library().stocked(shipped_catalog("0.8.0"))
    async with Sandbox(catalog, tmp_path) as sandbox, httpx2.AsyncClient(base_url=sandbox.url) as http:
        answer = await http.get("/object_info")
        back = parse_catalog(answer.json(), version="0.8.0")
        assert back.files("loras") == catalog.files("loras")
        assert set(back.nodes) == set(catalog.nodes)
        assert (await http.get("/models/loras")).json() == list(catalog.files("loras") or ())
        assert (await http.get("/object_info/KSampler")).json() == {"KSampler": answer.json()["KSampler"]}


async def test_four_in_one_process_share_nothing(tmp_path: Path) -> None:
    catalog = shipped_catalog("0.8.0")
    engines = [Sandbox(catalog, tmp_path / str(index), name=str(index)) for index in range(4)]
    async with engines[0], engines[1], engines[2], engines[3]:
        assert len({engine.port for engine in engines}) == 4
        async with httpx2.AsyncClient() as http:
            posts = [http.post(f"{engine.url}/prompt", json={"prompt": PICTURE}) for engine in engines]
            ids = [answer.json()["prompt_id"] for answer in await asyncio.gather(*posts)]
            for engine, prompt_id in zip(engines, ids, strict=True):
                assert await _outputs(http, engine.url, prompt_id) == ["out"]
                assert list((await http.get(f"{engine.url}/history")).json()) == [prompt_id]
    assert all((tmp_path / str(index) / "output/p_00001_.png").is_file() for index in range(4))


async def _outputs(http: httpx2.AsyncClient, url: str, prompt_id: str) -> list[str]:
    for _ in range(500):
        found = (await http.get(f"{url}/history/{prompt_id}")).json()
        if found:
            return list(found[prompt_id]["outputs"])
        await asyncio.sleep(0.01)
    return []


async def test_an_interrupt_stops_a_sampler_at_its_next_step(tmp_path: Path) -> None:
    catalog = load_library().stocked(shipped_catalog("0.8.0"))
    graph = {
        "ckpt": ("CheckpointLoaderSimple", {"ckpt_name": (catalog.files("checkpoints") or ("",))[0]}),
        "text": ("CLIPTextEncode", {"clip": ["ckpt", 1], "text": "a door"}),
        "size": ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 1}),
        "ks": (
            "KSampler",
            {
                "model": ["ckpt", 0], "positive": ["text", 0], "negative": ["text", 0], "latent_image": ["size", 0],
                "seed": 1, "steps": 500, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0,
            },
        ),
        "see": ("PreviewAny", {"source": ["ks", 0]}),
    }  # fmt: skip
    prompt = {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in graph.items()}
    async with (
        Sandbox(catalog, tmp_path, step_seconds=0.01) as sandbox,
        httpx2.AsyncClient(base_url=sandbox.url) as http,
        connect(f"{sandbox.url.replace('http', 'ws')}/ws?clientId=A", max_size=None) as socket,
    ):
        answer = await http.post("/prompt", json={"prompt": prompt, "client_id": "A"})
        assert answer.status_code == 200, answer.text
        kinds: list[str] = []
        ended = None
        while ended is None:
            frame = await asyncio.wait_for(socket.recv(), 60)
            kind = json.loads(frame)["type"] if isinstance(frame, str) else f"binary {frame[3]}"
            kinds.append(kind)
            if kinds.count("progress") == 3:
                await http.post("/interrupt", json={"prompt_id": answer.json()["prompt_id"]})
            if kind == "execution_interrupted":
                ended = json.loads(frame)["data"]
        first = kinds.index("progress")
        assert kinds[first - 1 : first + 2] == ["progress_state", "progress", "binary 1"]
        assert ended["node_id"] == "ks"
        assert kinds.count("progress") < 50


async def _start(*arguments: str) -> tuple[asyncio.subprocess.Process, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "runner.engine.sandbox", "--port", "0", *arguments,
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    text = ""
    while "http://" not in text:
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        assert line, "the sandbox ended before it listened"
        text += line.decode()
    return process, text


async def test_as_a_process_it_shows_a_banner_and_ends_when_asked(tmp_path: Path) -> None:
    process, text = await _start("--data", str(tmp_path), "--catalog", "0.3.64")
    assert "comfyc sandbox" in text
    assert "0.3.64" in text
    async with httpx2.AsyncClient() as http:
        answer = await http.get(f"{text.split()[-1]}/system_stats")
        assert answer.json()["system"]["comfyui_version"] == "0.3.64"
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 60) == 0


async def test_as_a_process_a_crash_is_a_crash(tmp_path: Path) -> None:
    process, text = await _start("--data", str(tmp_path), "--fault", '{"kind": "crash", "node": "SaveImage"}')
    async with httpx2.AsyncClient() as http:
        with contextlib.suppress(httpx2.TransportError):  # it may be gone before it answers
            await http.post(f"{text.split()[-1]}/prompt", json={"prompt": PICTURE})
    assert await asyncio.wait_for(process.wait(), 60) == CRASHED
