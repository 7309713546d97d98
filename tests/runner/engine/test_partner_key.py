"""Comfy.org's key: who is sent it, and that it is shown to nobody."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engines import FAST, ScriptedComfyUI, drive, submission
from starlette.responses import JSONResponse

from compiler import load_library, shipped_catalog
from compiler.catalog_emit import object_info
from runner.engine.base import Ending
from runner.engine.client import ComfyClient
from runner.engine.open import open_engines
from runner.engine.options import EngineOptions
from runner.engine.sandbox.node import NodeContext, NodeFailure
from runner.engine.sandbox.ops import run_node
from runner.engine.sandbox.ops.values import Video
from runner.engine.sandbox.stock import stock
from runner.settings import load_settings

KEY = "comfyui-1234567"
CATALOG = stock(load_library(), "0.8.0")
VEO = {"prompt": "a fox", "aspect_ratio": "9:16", "duration_seconds": 8, "seed": 1}


def graph(kind: str, inputs: dict[str, Any], save: str, port: str) -> dict[str, Any]:
    more = {"format": "mp4", "codec": "h264"} if save == "SaveVideo" else {}
    tail = {"class_type": save, "inputs": {port: ["ask", 0], "filename_prefix": "t", **more}}
    return {"ask": {"class_type": kind, "inputs": inputs}, "save": tail}


PARTNER = graph("OpenAIGPTImage1", {"prompt": "a fox", "n": 2, "size": "1536x1024"}, "SaveImage", "images")
LOCAL = graph("EmptyImage", {"width": 64, "height": 64, "batch_size": 1, "color": 0}, "SaveImage", "images")


@pytest.mark.parametrize(("key", "prompt", "sent"), [(KEY, PARTNER, KEY), (KEY, LOCAL, None), ("", PARTNER, None)])
async def test_only_graphs_with_a_partner_node_are_paid_for(key: str, prompt: dict[str, Any], sent: str | None) -> None:
    async with ScriptedComfyUI().serve() as engine:
        engine.on_get["/object_info"] = lambda _: JSONResponse(object_info(shipped_catalog("0.8.0")))
        engine.on_prompt = [lambda body: JSONResponse({"error": {"message": f"no {KEY}"}}, 400)]
        client = ComfyClient(engine.url, timing=FAST)
        client.partner_key = key
        with pytest.raises(Exception) as refused:  # noqa: PT011 - what matters is that the key is not in it
            await drive(client, submission(prompt, fresh=True))
        await client.close()
    assert engine.posts("/prompt")[0]["extra_data"].get("api_key_comfy_org") == sent
    assert sent is None or KEY not in f"{refused.value!r}"


def test_the_key_is_a_secret_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMFYC_COMFY_ORG_KEY", KEY)
    settings = load_settings()
    assert settings.comfy_org_key.get_secret_value() == KEY
    assert KEY not in f"{settings!r} {settings} {settings.model_dump_json()}"
    assert KEY not in repr(EngineOptions(tmp_path, partner_key=KEY))


async def test_a_sandbox_of_ours_draws_without_a_key(tmp_path: Path) -> None:
    (engine,) = await open_engines("sandbox", EngineOptions(tmp_path, sandbox_step_seconds=0, partner_key=KEY))
    try:
        assert isinstance(engine, ComfyClient)
        assert engine.partner_key != KEY
        _, outcome = await drive(engine, submission(PARTNER, fresh=True))
        assert outcome.ending is Ending.SUCCESS
        assert len(outcome.files["save"]) == 2
        engine.partner_key = ""
        other = {**PARTNER, "ask": {**PARTNER["ask"], "inputs": {"prompt": "a goose"}}}  # a fox lies in the cache
        _, outcome = await drive(engine, submission(other, fresh=True))
        assert outcome.ending is Ending.ERROR
        assert "login" in (outcome.message or "")
    finally:
        await engine.close()


def context(kind: str, *, keyed: bool) -> NodeContext:
    folder = Path()
    made = NodeContext(
        "1", CATALOG.nodes[kind], CATALOG, folder, folder, folder, {}, None, lambda *_: None, lambda _: None
    )
    return dataclasses.replace(made, keyed=keyed)


@pytest.mark.parametrize(
    ("kind", "inputs", "size", "frames"),
    [
        ("Veo3VideoGenerationNode", VEO, (480, 854), 32),
        ("OpenAIVideoSora2", {"model": "sora-2", "prompt": "a", "size": "720x1280", "duration": 4}, (720, 1280), 16),
        ("KlingTextToVideoNode", {"prompt": "a", "mode": "pro mode / 5s duration / kling-v2-5-turbo"}, (0, 0), 20),
        ("WanTextToVideoApi", {"prompt": "a", "size": "480p: 16:9 (832x480)", "duration": 5}, (832, 480), 20),
        ("GeminiImage2Node", {"prompt": "a", "aspect_ratio": "16:9", "resolution": "1K"}, (1366, 768), 1),
        ("TopazImageEnhance", {"output_width": 640, "output_height": 360}, (640, 360), 1),
    ],
)
def test_placeholders_have_the_size_and_the_length_that_were_asked(
    kind: str, inputs: dict[str, Any], size: tuple[int, int], frames: int
) -> None:
    outputs = run_node(kind, inputs, context(kind, keyed=True)).outputs
    assert len(outputs) == len(CATALOG.nodes[kind].outputs)
    pictures = outputs[0].images if isinstance(outputs[0], Video) else outputs[0]
    assert (len(pictures), pictures.dtype) == (frames, np.uint8)
    assert size == (0, 0) or (pictures.shape[2], pictures.shape[1]) == size
    if isinstance(outputs[0], Video):
        seconds = inputs.get("duration", inputs.get("duration_seconds", 5))
        assert len(pictures) / outputs[0].fps == pytest.approx(seconds)
    with pytest.raises(NodeFailure, match="login first"):
        run_node(kind, inputs, context(kind, keyed=False))


def test_another_seed_draws_another_picture() -> None:
    inputs = {"prompt": "a", "aspect_ratio": "1:1", "resolution": "1K"}
    kind = "GeminiImage2Node"
    first, again, other = (
        run_node(kind, {**inputs, "seed": n}, context(kind, keyed=True)).outputs[0] for n in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_what_is_no_picture_has_no_placeholder() -> None:
    kind = "OpenAIChatNode"
    with pytest.raises(NodeFailure, match="not implemented"):
        run_node(kind, {"prompt": json.dumps("a")}, context(kind, keyed=True))
