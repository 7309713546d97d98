"""The sandbox beside recordings of real ComfyUIs, scenario by scenario.

    COMFYC_RECORDINGS=DIR pytest tests/acceptance/test_sandbox_against_recordings.py

DIR holds `transcripts/*.jsonl` of 0.3.64 and `0.8.0/transcripts/*.jsonl` (format: tests/support/recordings.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from recordings import Replay, answers_differ, frames_differ, load

from compiler import shipped_catalog
from compiler.catalog import Catalog
from runner.engine.sandbox import ops
from runner.engine.sandbox.node import NodeContext, NodeResult
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

DIFFERENT: Mapping[tuple[str, str], str] = {}
"""(version, scenario) → in what the sandbox differs, and why that is so."""


class SlowOps:
    """The real nodes, as slow as the recorded ones where a recording acts in the middle of a run."""

    fingerprint = staticmethod(ops.fingerprint)
    takes_lists = staticmethod(ops.takes_lists)
    lazy_inputs = staticmethod(ops.lazy_inputs)

    def run_node(self, kind: str, inputs: Mapping[str, Any], context: NodeContext) -> NodeResult:
        if kind == "ImageBlur" and inputs["blur_radius"] >= 20:
            context.sleep(0.15)
        if kind == "PreviewImage" and inputs["images"].shape[1] > 4000:
            context.sleep(0.5)
            return NodeResult((), {"images": [{"filename": "ComfyUI_temp_aaaaa_00001_.png", "subfolder": "", "type": "temp"}]})
        if kind == "VAESave":  # an output node that shows nothing
            return NodeResult(())
        return ops.run_node(kind, inputs, context)


def catalog(version: str) -> Catalog:
    """The shipped catalog with the one model file that the recorded server had."""
    shipped = shipped_catalog(version)
    folders = {spec.folder for schema in shipped.nodes.values() for spec in schema.inputs if spec.folder}
    empty: dict[str, tuple[str, ...]] = dict.fromkeys(folders, ())
    return shipped.with_files({**empty, "models/checkpoints": ("random_sd15.safetensors",)})


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


@pytest.mark.skipif(not RECORDINGS, reason="COMFYC_RECORDINGS is not set")
@pytest.mark.parametrize(("version", "path"), list(scenarios()))
async def test_a_recorded_scenario_happens_on_the_sandbox_too(version: str, path: Path, tmp_path: Path) -> None:
    if path.stem in OUT_OF_SCOPE:
        pytest.skip(OUT_OF_SCOPE[path.stem])
    prepare(tmp_path)
    async with Sandbox(catalog(version), tmp_path, step_seconds=0.02, ops=SlowOps()) as sandbox:
        replay = Replay(sandbox.url, load(path))
        await replay.run()
    faults = [answers_differ(replay.expected_answers, replay.answers)]
    faults += [frames_differ(wanted, replay.frames[client]) for client, wanted in replay.expected_frames.items()]
    found = "\n".join(fault for fault in faults if fault)
    if (version, path.stem) in DIFFERENT:
        assert found, "this scenario agrees now: take it off the list"
        pytest.xfail(DIFFERENT[version, path.stem])
    assert not found, found
