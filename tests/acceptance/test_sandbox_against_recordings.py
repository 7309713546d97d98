"""The sandbox beside recordings of real ComfyUIs, scenario by scenario.

    COMFYC_RECORDINGS=DIR pytest tests/acceptance/test_sandbox_against_recordings.py

DIR holds `transcripts/*.jsonl` of 0.3.64 and `0.8.0/transcripts/*.jsonl` (format: tests/support/recordings.py).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from math import isnan
from pathlib import Path
from time import sleep
from typing import Any

import httpx2
import pytest
from PIL import Image
from recordings import Event, Replay, answers_differ, frames_differ, load

from compiler import shipped_catalog
from compiler.catalog import Catalog, InputSpec, NodeSchema
from runner.engine.sandbox import ops
from runner.engine.sandbox.node import NodeContext, NodeFailure, NodeResult
from runner.engine.sandbox.server import Sandbox

RECORDINGS = os.environ.get("COMFYC_RECORDINGS", "")
FOLDERS = {"0.3.64": "transcripts", "0.8.0": "0.8.0/transcripts"}

OUT_OF_SCOPE = {
    "body_too_large": "a body of 100 MB",
    "history_race": "a race of the real server, counted, not a behaviour",
    "upload_image": "the recordings lack the bytes that were uploaded; see the contract tests",
    "upload_mask": "as upload_image",
    "upload_changed_content": "as upload_image",
    "worker_killers": "one fresh server a case; see the contract tests",
    "frontend_queue": "the browser's own traffic",
}
"""Recordings that cannot be replayed, and why."""

DIFFERENT: Mapping[str, str] = {
    "dynamic_combo": "a latent fed to an image input fails with another Python message",
    "execution_error_api_node": "the sandbox refuses API nodes at once: it has no partner's server to wait for",
    "http_gets": "the recorded server's history began with prompts of earlier scenarios; facts of its machine",
    "jobs_endpoints": "as http_gets: its list holds older jobs",
    "more_gets": "facts of the recorded machine, templates, and the sandbox's own fields in /system_stats",
    "output_kinds": "several outputs: their order is that of a Python set; PreviewAny shows values as our text",
    "prompt_id_reuse": "one more status frame, seconds after the end, whose cause the recording does not show",
    "reconnect_mid_run": "which frames are lost depends on the moment; the contract tests check the rest",
    "validation_seed_range": "PreviewAny shows a Python object with its address",
    "validation_step_not_checked": "PreviewAny shows a tensor's numbers",
    "validation_v3_combo_not_checked": "StringCompare with an unknown mode gives nothing; the sandbox's node raises",
}
"""Scenario → in what the sandbox may differ, and why that is so. Everything else must agree."""


class SlowOps:
    """The sandbox's nodes, but as slow and as strict as the recorded ones where a recording depends on it."""

    fingerprint = staticmethod(ops.fingerprint)
    takes_lists = staticmethod(ops.takes_lists)
    lazy_inputs = staticmethod(ops.lazy_inputs)

    def run_node(self, kind: str, inputs: Mapping[str, Any], context: NodeContext) -> NodeResult:
        special = getattr(self, f"_{kind}", None)
        return (special and special(inputs, context)) or ops.run_node(kind, inputs, context)

    def _ImageBlur(self, inputs: Mapping[str, Any], context: NodeContext) -> NodeResult | None:
        radius, width = inputs["blur_radius"], inputs["image"].shape[2]
        if radius >= 20:
            context.sleep(0.15)
        if radius >= width:
            size = f"padding ({radius}, {radius}) at dimension 3 of input [1, 3, {width}, {width}]"
            text = f"Argument #4: Padding size should be less than the corresponding input dimension, but got: {size}"
            raise NodeFailure("RuntimeError", text)
        return NodeResult((inputs["image"],)) if isnan(inputs["sigma"]) else None

    def _PreviewImage(self, inputs: Mapping[str, Any], context: NodeContext) -> NodeResult | None:
        if inputs["images"].shape[1] < 4000:
            return None
        sleep(0.5)  # does not look at the interrupt flag
        picture = {"filename": "ComfyUI_temp_aaaaa_00001_.png", "subfolder": "", "type": "temp"}
        return NodeResult((), {"images": [picture]})

    def _VAESave(self, inputs: Mapping[str, Any], context: NodeContext) -> NodeResult:
        return NodeResult(())

    def _SaveImageWebsocket(self, inputs: Mapping[str, Any], context: NodeContext) -> NodeResult:
        for index in range(len(inputs["images"])):
            context.progress(index, len(inputs["images"]), b"\x89PNG\r\n\x1a\n")
        return NodeResult(())


SAVE_WEBSOCKET = NodeSchema(
    "SaveImageWebsocket", (InputSpec("images", "IMAGE"),), (), output_node=True, category="api/image"
)
"""A custom node that ComfyUI brings along."""


def catalog(version: str) -> Catalog:
    """The shipped catalog with the one model file that the recorded server had."""
    shipped = shipped_catalog(version)
    folders = {spec.folder for schema in shipped.nodes.values() for spec in schema.inputs if spec.folder}
    empty: dict[str, tuple[str, ...]] = dict.fromkeys(folders, ())
    filled = shipped.with_files({**empty, "models/checkpoints": ("random_sd15.safetensors",)})
    return filled.extended({SAVE_WEBSOCKET.name: SAVE_WEBSOCKET})


def scenarios() -> Iterator[Any]:
    for version, folder in FOLDERS.items():
        for path in sorted(Path(RECORDINGS, folder).glob("*.jsonl")) if RECORDINGS else ():
            yield pytest.param(version, path, id=f"{version}-{path.stem}")


def prepare(data: Path) -> None:
    """The files that the recorded servers had."""
    for folder in ("input", "output/vsub", "temp"):
        (data / folder).mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), "red").save(data / "input/in.png")
    Image.new("RGBA", (8, 8), "blue").save(data / "output/vsub/a.png")
    (data / "input/corrupt.png").write_bytes(b"not a picture")
    (data / "output/x.html").write_text("<b>hi</b>")


WARM = {
    "sampler_preview_with_metadata": ("4", "5", "6", "7"),
    "progress_sent_when_cached": ("4",),
    "no_client_id": ("4", "5", "6", "7"),
}
"""Scenarios that began with nodes cached by an earlier one, and which: they are run before the replay."""


async def before(sandbox: Sandbox, scenario: str, events: list[Event]) -> None:
    first = next((event for event in events if event.get("path") == "/prompt" and "body" in event), None)
    if scenario not in WARM or first is None:
        return
    prompt = {node: first["body"]["prompt"][node] for node in WARM[scenario]}
    prompt |= {f"see{node}": {"class_type": "PreviewAny", "inputs": {"source": [node, 0]}} for node in WARM[scenario]}
    async with httpx2.AsyncClient(base_url=sandbox.url) as http:
        answer = await http.post("/prompt", json={"prompt": prompt})
        prompt_id = answer.json()["prompt_id"]
        for _ in range(500):
            if (await http.get(f"/history/{prompt_id}")).json():
                return
            await asyncio.sleep(0.01)


def first_number(events: list[Event]) -> int:
    """The recorded server's counter at the start of the scenario."""
    bodies = [event["body"] for event in events if event["dir"] == "http<" and isinstance(event.get("body"), dict)]
    return next((body["number"] for body in bodies if isinstance(body.get("number"), int)), 0)


@pytest.mark.skipif(not RECORDINGS, reason="COMFYC_RECORDINGS is not set")
@pytest.mark.parametrize(("version", "path"), list(scenarios()))
async def test_a_recorded_scenario_happens_on_the_sandbox_too(version: str, path: Path, tmp_path: Path) -> None:
    if path.stem in OUT_OF_SCOPE:
        pytest.skip(OUT_OF_SCOPE[path.stem])
    prepare(tmp_path)
    events = load(path)
    async with Sandbox(catalog(version), tmp_path, step_seconds=0.02, ops=SlowOps()) as sandbox:
        await before(sandbox, path.stem, events)
        sandbox.core.number = first_number(events)
        replay = Replay(sandbox.url, events)
        await replay.run()
    faults = [answers_differ(replay.expected_answers, replay.answers)]
    closed = {event["client"] for event in events if event["dir"] == "ws-close"}
    for client, wanted in replay.expected_frames.items():
        faults.append(frames_differ(wanted, replay.frames[client], closed=client in closed))
    found = "\n".join(fault for fault in faults if fault)
    if found and path.stem in DIFFERENT:
        pytest.xfail(f"{DIFFERENT[path.stem]}\n{found}")
    assert not found, found
