"""Local models' graphs run to the end on a real ComfyUI, on tiny random weights; and each input changes the pixels.

    COMFYUI_HOME=~/ComfyUI pytest tests/acceptance/test_tiny_real.py

Tiny weights say nothing of beauty. They say that a graph is whole, that its files have the size, length and rate that
were asked, and by what changes the pixels, that each input reaches the sampler. Cases are in tiny_real.yaml.
"""

from __future__ import annotations

import asyncio
import io
import json
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml
from PIL import Image
from real_comfyui import OWN_PACK, catalog, compiled, http, pulled, uploaded, url

from runner.engine.base import EngineFile, Outcome, Submission
from runner.engine.client import ComfyClient

TABLE = yaml.safe_load((Path(__file__).parent / "tiny_real.yaml").read_text())
CASES: dict[str, dict[str, Any]] = TABLE["cases"]
CHANGES = [(case, name) for case, changes in TABLE["changes"].items() for name in changes]

pytestmark = [pytest.mark.comfyui("tiny"), pytest.mark.usefixtures("weights")]


@dataclass(frozen=True)
class Made:
    """A result, decoded."""

    frames: np.ndarray[Any, Any]
    """[frames, height, width, 3], 8 bits."""
    fps: float
    kind: str
    """The file's ending."""


@cache
def produced(body: str, target: str, unchecked: str) -> Made:
    """Compiles, runs and fetches; the same request is run once."""
    folder = f"comfyc/acceptance/{uuid.uuid4().hex[:8]}"
    made = compiled(json.loads(body), catalog(target), folder, json.loads(unchecked))
    (result,) = asyncio.run(run(made.api, made.plan.outputs[0].node))
    return result


async def run(graph: dict[str, Any], output: str) -> list[Made]:
    client = ComfyClient(url())
    try:
        *_, outcome = [event async for event in client.run(Submission(str(uuid.uuid4()), graph, fresh=True))]
        assert isinstance(outcome, Outcome)
        assert outcome.ending == "success", f"{outcome.node_type} {outcome.node}: {outcome.message}"
        files = outcome.files[output]
        return [decoded(file, b"".join([piece async for piece in client.fetch(file)])) for file in files]
    finally:
        await client.close()


def decoded(file: EngineFile, data: bytes) -> Made:
    kind = Path(file.filename).suffix
    if kind == ".mp4":
        with av.open(io.BytesIO(data)) as container:
            rate = container.streams.video[0].average_rate
            frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
        return Made(frames, float(rate or 0), kind)
    return Made(np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))[None], 0.0, kind)


def of(case: str) -> Made:
    """The result of a case."""
    return made_of(case, {}, CASES[case].get("unchecked", {}))


def small(case: str, change: dict[str, Any] | None = None) -> np.ndarray[Any, Any]:
    """The frames of a case at a size below the contract's least, with other fields if `change` names some."""
    body = CASES[case]["body"]
    return made_of(case, change or {}, TABLE["small"][body.get("model") or body["__type"]]).frames


def made_of(case: str, change: dict[str, Any], unchecked: dict[str, Any]) -> Made:
    row = CASES[case]
    if row["target"] == "pulled" and OWN_PACK not in pulled():
        pytest.skip("comfyc's nodes are not linked there")
    prompt = "Prompt" if "__type" in row["body"] else "prompt"
    fields = {prompt: TABLE["prompt"], **row["body"], **change}
    unchecked = {name: value for name, value in unchecked.items() if name not in change}
    return produced(json.dumps(fields, sort_keys=True), row["target"], json.dumps(unchecked))


@pytest.mark.parametrize("case", CASES)
def test_runs_to_the_end(case: str) -> None:
    made, expected = of(case), CASES[case]["expect"]
    shape = made.frames.shape
    spread = made.frames.reshape(shape[0], -1).std(axis=1)
    print(f"{case}: {made.kind} {shape[2]}x{shape[1]}, {shape[0]} frames, {made.fps} fps, spread {spread.min():.1f}")
    assert made.kind == expected.get("kind", ".png")
    assert [shape[2], shape[1]] == expected["size"]
    assert shape[0] == expected.get("frames", 1)
    assert made.fps == (16 if made.kind == ".mp4" else 0)
    assert spread.min() > expected.get("spread", 4), "a frame is flat"


@pytest.mark.parametrize(("case", "change"), CHANGES)
def test_each_input_changes_the_pixels(case: str, change: str) -> None:
    before, after = small(case), small(case, TABLE["changes"][case][change])
    assert before.shape != after.shape or not np.array_equal(before, after)


@pytest.mark.parametrize("case", TABLE["same"])
def test_the_same_request_gives_the_same_pixels(case: str) -> None:
    before = small(case)
    http().post("/free", json={"unload_models": True, "free_memory": True}).raise_for_status()
    produced.cache_clear()
    assert np.array_equal(before, small(case))


def test_the_own_encoder_takes_batches_and_more_pictures() -> None:
    """ext sends one picture; other graphs may link a batch, and a second and third picture of other sizes."""
    if OWN_PACK not in pulled():
        pytest.skip("comfyc's nodes are not linked there")
    body = {"model": "qwen-edit-advanced", "prompt": TABLE["prompt"], "file_id": "wide.png"}
    small = TABLE["small"]["qwen-edit-advanced"]
    made = compiled(body, catalog("pulled"), f"comfyc/acceptance/{uuid.uuid4().hex[:8]}", small)
    for name in ("tall", "square"):
        made.api[name] = {"class_type": "LoadImage", "inputs": {"image": uploaded(f"{name}.png")}}
    encoder = next(node["inputs"] for node in made.api.values() if node["class_type"] == OWN_PACK)
    pair = {"image1": encoder["image1"], "image2": ["square", 0]}
    made.api["pair"] = {"class_type": "ImageBatch", "inputs": pair}
    encoder.update(image1=["pair", 0], image2=["tall", 0], image3=["square", 0])
    first, second = (one.frames for one in asyncio.run(run(made.api, made.plan.outputs[0].node)))
    assert first.shape == second.shape
    assert not np.array_equal(first, second)
    assert first.std() > 4
