"""The nodes that call out or need optional libraries on a real ComfyUI: their calls meet a stand-in on loopback.

COMFYUI_HOME=~/ComfyUI pytest tests/acceptance/test_calling_real.py

ComfyUI has the stand-in's address from its environment. With COMFYC_ENGINE_URL the caller's server must have been
started in the environment that `surroundings` gives for a port, and STAND_IN_PORT must be that port; else these
tests are skipped. Graphs are in calling_real.yaml.
"""

from __future__ import annotations

import atexit
import io
import os
import time
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import av
import httpx2
import pytest
import real_comfyui
import yaml
from calling import filled
from graph_table import link, pattern
from PIL import Image
from stand_in import StandIn, served

from compiler.catalog import Catalog

HERE = Path(__file__).parent
SOUND = HERE.parents[1] / "examples" / "media" / "chord.flac"
PORT = int(os.environ.get("STAND_IN_PORT", "0"))
CASES: list[dict[str, Any]] = filled(yaml.safe_load((HERE / "calling_real.yaml").read_text()))

pytestmark = [
    pytest.mark.comfyui("empty"),
    pytest.mark.skipif(bool(real_comfyui.GIVEN) and not PORT, reason="needs STAND_IN_PORT"),
]


def surroundings(url: str) -> dict[str, str]:
    """What ComfyUI's environment must have, so that its nodes call the stand-in at that address."""
    return {
        "OPENAI_IMAGE_BASE_URL": f"{url}/v1",
        "OPENAI_API_KEY": "sk-acceptance",
        "BFL_BASE_URL": f"{url}/v1",
        "BFL_API_KEY": "bfl-acceptance",
        "XAI_VIDEO_BASE_URL": f"{url}/v1",
        "XAI_API_KEY": "xai-acceptance",
        "LLM_OLLAMA_BASE_URL": url,
    }


def listening() -> StandIn:
    """The stand-in for as long as Python runs; its address is in the environment before any ComfyUI is started."""
    stack = ExitStack()
    stand_in = stack.enter_context(served([{"status": 500}], PORT))
    atexit.register(stack.close)
    os.environ.update(surroundings(stand_in.url))
    return stand_in


STAND_IN = listening() if os.environ.get("COMFYUI_HOME") or (real_comfyui.GIVEN and PORT) else StandIn([])


def film() -> bytes:
    """Five frames of 64 × 48 pixels as MP4."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream: Any = container.add_stream("h264", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pattern(64, 48, 3, number), format="rgb24")))
        container.mux(stream.encode(None))
    return target.getvalue()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_runs(case: dict[str, Any], comfy: httpx2.Client, catalog: Catalog) -> None:
    theirs = {kind for kind, _ in case["nodes"].values() if not kind.startswith("Comfyc")}
    if absent := theirs - catalog.nodes.keys():
        pytest.skip(f"this ComfyUI has no {', '.join(absent)}")  # without torchaudio it loads no node for sound
    comfy.post("/upload/image", files={"image": ("chord.flac", SOUND.read_bytes())}, data={"overwrite": "true"})
    answers = [{**one, "body": film()} if one.get("body") == "@film" else one for one in case.get("answers", [])]
    STAND_IN.play(answers or [{"status": 500}])
    graph: dict[str, Any] = {}
    for name, (kind, inputs) in case["nodes"].items():
        graph[name] = {"class_type": kind, "inputs": {key: link(value, graph) for key, value in inputs.items()}}
    entry = run(comfy, graph, case.get("interrupt", False))
    assert [asked["line"] for asked in STAND_IN.asked] == case.get("asked", [])
    assert case.get("carries", "").encode() in b"".join(asked["body"] for asked in STAND_IN.asked)
    last, about = entry["status"]["messages"][-1]
    if "error" in case:
        assert about["exception_message"].startswith(case["error"]), about["exception_message"]
        assert about["exception_type"].rpartition(".")[2] == case["class"]
        assert about["node_id"] == "x"
    elif case.get("interrupt"):
        assert last == "execution_interrupted"
    else:
        assert last == "execution_success", about
        check(comfy, entry["outputs"], case["shows"])
    if "again" in case:
        STAND_IN.play([{"status": 500}])
        assert run(comfy, graph, False)["status"]["messages"][-1][0] == "execution_success"
        assert STAND_IN.asked == [], "an equal call is made again"


def run(comfy: httpx2.Client, graph: dict[str, Any], interrupt: bool) -> dict[str, Any]:
    """The history entry of one run. `interrupt` ends it as soon as the stand-in is asked."""
    answer = comfy.post("/prompt", json={"prompt": graph, "client_id": uuid.uuid4().hex})
    assert answer.status_code == 200, answer.text
    ident, ends = answer.json()["prompt_id"], time.monotonic() + 60
    while time.monotonic() < ends:
        entry = comfy.get(f"/history/{ident}").json().get(ident)
        if entry:
            return entry
        if interrupt and STAND_IN.asked:
            comfy.post("/interrupt")
            ends, interrupt = min(ends, time.monotonic() + 5), False
        time.sleep(0.05)
    raise AssertionError("no end of the run")


def check(comfy: httpx2.Client, outputs: Mapping[str, Any], shows: Mapping[str, Any]) -> None:
    for node, wanted in shows.items():
        shown = outputs[node]
        if "images" in wanted:
            assert len(shown["images"]) == wanted["images"]
        if "size" in wanted:
            data = comfy.get("/view", params=shown["images"][0]).content
            assert list(Image.open(io.BytesIO(data)).size) == wanted["size"]
        if "text" in wanted:
            assert wanted["text"] in shown["text"][0]
        if "files" in wanted:
            (file,) = shown["files"]
            assert file["filename"].endswith(wanted["files"])
            assert comfy.get("/view", params=file).text == shown["text"][0]
