"""Every example request compiles, and runs on the sandbox to real files of the asked size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from compiler import dialects
from runner.cli import main

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*/*.json"))
QWEN_LOSES = ["instruction", "target_vl_size"]
"""What ComfyUI's core cannot do for qwen-edit-advanced without comfyc's nodes."""
PACKS = {"ext": ""}
"""Dialect → node packs that its examples are compiled for; comfyc's own where it is not listed."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COMFYC_SANDBOX_STEP_SECONDS", "0")
    monkeypatch.chdir(tmp_path)


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def test_every_provider_has_an_example() -> None:
    providers = ((name, one) for name, dialect in dialects().items() for one in dialect.providers.values())
    assert {named(path) for path in EXAMPLES} == {f"{name}/{provider.name}" for name, provider in providers}


@pytest.mark.parametrize("path", EXAMPLES, ids=named)
@pytest.mark.parametrize("version", ["0.3.64", "0.8.0"])
def test_it_compiles_to_a_valid_graph(path: Path, version: str, capsys: pytest.CaptureFixture[str]) -> None:
    catalog = version + PACKS.get(path.parent.name, "+comfyc")
    assert main(["compile", str(path), "--catalog", catalog, "--out", "graphs"]) == 0
    told = [line.split(": ")[2] for line in capsys.readouterr().err.splitlines()]
    if path.parent.name == "ext":
        assert told == (QWEN_LOSES if path.stem == "qwen-edit-advanced" else [])
    assert main(["check", f"graphs/{path.stem}.json", "--catalog", catalog, "--strict"]) == 0


@pytest.mark.parametrize("path", EXAMPLES, ids=named)
def test_it_runs_on_the_sandbox(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(path)]) == 0
    told = capsys.readouterr().out
    request: dict[str, Any] = json.loads(path.read_text())
    folder = Path("out") / path.stem
    graph = json.loads((folder / "graph.json").read_text())
    assert {node["class_type"] for node in graph.values()} & {"SaveImage", "SaveVideo", "SaveAudio"}
    if "duration" in request:
        seconds, size = float(request["duration"]), (request["width"], request["height"])
        with av.open(str(folder / "video-1.mp4")) as video:
            stream = video.streams.video[0]
            assert (stream.codec_context.name, stream.average_rate) == ("h264", 16)
            assert (stream.width, stream.height) == size
            assert sum(1 for _ in video.decode(stream)) == seconds * 16 + 1
        assert Image.open(folder / "video-1-poster.png").size == size
    elif list(folder.glob("video-*.mp4")):
        with av.open(str(folder / "video-1.mp4")) as video:
            assert sum(1 for _ in video.decode(video=0)) > 1
    elif list(folder.glob("audio-*")):
        with av.open(str(next(folder.glob("audio-1.*")))) as sound:
            assert sum(frame.samples for frame in sound.decode(audio=0)) > 0
    else:
        asked = (request.get("width"), request.get("height"))
        size = Image.open(folder / "image-1.png").size
        assert size == asked if asked[0] else size[0] > 0
    for name in folder.iterdir():
        assert str(name) in told, "every file is told"
    assert "no models, so its pictures are placeholders" in told


def test_lora_and_both_frames_of_the_first_example_are_in_its_graph(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", str(ROOT / "examples/ext/wan22-i2v.json")]) == 0
    graph = json.loads(capsys.readouterr().out)
    loras = [node["inputs"]["lora_name"] for node in graph.values() if node["class_type"] == "LoraLoaderModelOnly"]
    assert {"wan22-slow-orbit_high_noise.safetensors", "wan22-slow-orbit_low_noise.safetensors"} <= set(loras)
    assert set(graph["frames"]["inputs"]) >= {"start_image", "end_image"}


def test_the_pictures_are_those_that_the_script_draws(tmp_path: Path) -> None:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("make_pictures", ROOT / "examples/media/make_pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    import sys

    sys.modules["make_pictures"] = module
    spec.loader.exec_module(module)
    for name, hour in module.HOURS.items():
        with Image.open(ROOT / f"examples/media/{name}.png") as kept:
            assert kept.tobytes() == module.draw(hour).tobytes()
