"""comfyc's own nodes in the sandbox: by the pack with torch, in place without. Graphs: acceptance/nodes_real.yaml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from graph_table import SOURCES, graph_of
from ops_runner import OpsRunner
from stand_in import served

from compiler import own_nodes
from compiler.catalog import Catalog
from runner.engine.sandbox import pack
from runner.engine.sandbox.node import NodeFailure
from runner.engine.sandbox.ops import implemented
from runner.engine.sandbox.ops.comfyc_pack import KINDS

TABLE = yaml.safe_load((Path(__file__).parents[4] / "acceptance/nodes_real.yaml").read_text())
CASES: list[dict[str, Any]] = [case for case in TABLE["cases"] if not case.get("only_real")]


@pytest.fixture
def filled(sandbox: OpsRunner) -> OpsRunner:
    for name, data in SOURCES.items():
        (sandbox.root / "input" / name).write_bytes(data)
    return sandbox


def shapes(runner: OpsRunner, case: dict[str, Any], catalog: Catalog) -> dict[str, list[Any]]:
    """Of every output: its shape, or its value where it is a number."""
    done = runner.run(graph_of(case, catalog))
    return {
        name: [one.shape if isinstance(one, np.ndarray) else one for one in done[name].outputs if is_plain(one)]
        for name in case["nodes"]
    }


def is_plain(value: Any) -> bool:
    return isinstance(value, (np.ndarray, int))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_without_torch_sizes_and_places_are_the_same(
    case: dict[str, Any], filled: OpsRunner, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")
    real = shapes(filled, case, catalog)
    monkeypatch.setattr(pack, "has_torch", lambda: False)
    assert shapes(filled, case, catalog) == real


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_runs_without_torch(
    case: dict[str, Any], filled: OpsRunner, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "has_torch", lambda: False)
    done = filled.run(graph_of(case, catalog))
    for shown in case["show"]:
        assert done[f"show {shown}"].ui


def test_every_class_of_the_pack_runs() -> None:
    assert {kind for kind in own_nodes().nodes if not implemented(kind)} == set()
    assert set(KINDS) < set(own_nodes().nodes)


def test_a_fault_of_a_node_is_told_as_comfyui_tells_it(sandbox: OpsRunner) -> None:
    with pytest.raises(NodeFailure, match="mask_json: shapes is missing") as raised:
        sandbox.one("ComfycMaskFromJson", mask_json="{}", width=4, height=4, feather=0)
    assert raised.value.exception_type == "ValueError"


def test_inputs_are_not_changed(sandbox: OpsRunner) -> None:
    pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")
    image = np.full((1, 32, 32, 3), 0.25, np.float32)
    region = {"image": 0, "box": (4.0, 4.0, 20.0, 20.0), "score": 1.0, "label": ""}
    crops, regions = sandbox.one("ComfycRegionCrop", image=image, regions=[region], expand=0.0, size=64)
    made = sandbox.one("ComfycRegionPaste", image=image, crops=1 - crops, regions=regions, feather=0)
    assert np.abs(made[0, 6:18, 6:18] - 0.75).max() < 1e-5
    assert (image == 0.25).all()


@pytest.mark.parametrize(
    ("payload", "size"),
    [
        ('{"model": "m", "size": "640x384", "n": 1}', (640, 384)),
        ('{"input": {"prompt": "a"}, "parameters": {"size": "640*384"}}', (640, 384)),
        ('{"width": 320, "height": 200}', (320, 200)),
        ('{"generationConfig": {"imageConfig": {"aspectRatio": "16:9"}}}', (1366, 768)),
        ("{}", (1024, 1024)),
    ],
)
def test_a_provider_is_not_called(sandbox: OpsRunner, payload: str, size: tuple[int, int]) -> None:
    images, response = sandbox.one("ComfycProviderImage", provider="bfl", payload=payload, seed=0, timeout=1)
    assert images.shape == (1, size[1], size[0], 3)
    assert "sandbox" in response


def test_a_film_has_the_length_that_was_asked(sandbox: OpsRunner) -> None:
    payload = '{"duration": "2", "resolution": "128x96"}'
    video, _ = sandbox.one("ComfycProviderVideo", provider="kling", payload=payload, seed=0, timeout=1)
    assert (len(video.images) / video.fps, video.images.shape[1:3]) == (2, (96, 128))


def test_an_answer_fits_the_schema(sandbox: OpsRunner) -> None:
    schema = (
        '{"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": ["x"]}, "c": {"type": "array"}}}'
    )
    asked = {"backend": "openai", "model": "m", "system": "", "prompt": "p", "temperature": 0, "max_tokens": 9}
    text, *_ = sandbox.one("ComfycLLMChat", **asked, json_schema=schema, seed=0)
    assert text == '{"a": 0, "b": "x", "c": []}'
    text, *_ = sandbox.one("ComfycLLMChat", **asked, json_schema="", seed=0)
    assert text.endswith("asked: p")


@pytest.mark.parametrize("schema", ["{", "[1]", "7"])
def test_a_schema_that_is_none_fails_as_on_comfyui(sandbox: OpsRunner, schema: str) -> None:
    asked = {"backend": "openai", "model": "m", "system": "", "prompt": "p", "temperature": 0, "max_tokens": 9}
    with pytest.raises(NodeFailure, match=r"^\[comfyc:input\] json_schema: is not ") as caught:
        sandbox.one("ComfycLLMChat", **asked, json_schema=schema, seed=0)
    assert caught.value.exception_type == "BadInput"


def test_a_language_model_sees_the_pictures(sandbox: OpsRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"backend": "ollama", "model": "m", "system": "", "prompt": "p", "temperature": 0, "max_tokens": 9}
    with served([{"json": {"message": {"content": "two"}}}]) as stand_in:
        monkeypatch.setenv("LLM_OLLAMA_BASE_URL", stand_in.url)
        images = np.zeros((2, 4, 6, 3), np.float32)
        text, *_ = sandbox.one("ComfycLLMChat", **asked, json_schema="", seed=0, images=images)
    assert text == "two"
    assert len(json.loads(stand_in.asked[0]["body"])["messages"][0]["images"]) == 2


def test_text_is_saved(sandbox: OpsRunner) -> None:
    done = sandbox.run(
        {
            "t": {"class_type": "PrimitiveString", "inputs": {"value": '{"a":1}'}},
            "s": {
                "class_type": "ComfycSaveText",
                "inputs": {"text": ["t", 0], "filename_prefix": "a/b", "format": "json"},
            },
        }
    )
    shown = done["s"].ui
    assert shown
    (file,) = shown["files"]
    assert (sandbox.root / "output" / file["subfolder"] / file["filename"]).read_text() == '{\n  "a": 1\n}'


@pytest.mark.parametrize(("background", "channels"), [("Alpha", 4), ("green", 3)])
def test_a_subject_is_in_the_middle(sandbox: OpsRunner, background: str, channels: int) -> None:
    image = np.full((2, 40, 60, 3), 0.5, np.float32)
    facts = {"model": "u2net", "process_res": 512, "sensitivity": 0.5, "mask_blur": 0, "mask_offset": 0}
    made, mask = sandbox.one("ComfycRemoveBackground", image=image, **facts, invert_output=False, background=background)
    assert made.shape == (2, 40, 60, channels)
    assert (mask[0, 20, 30], mask[0, 0, 0]) == (1, 0)
    regions, mask, count = sandbox.one(
        "ComfycRegionDetect", image=image, kind="label", label="hat", threshold=0.5, max_regions=1
    )
    assert (count, regions[1]["label"], mask.sum()) == (2, "hat", 2 * 14 * 20)
