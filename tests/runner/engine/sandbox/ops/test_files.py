"""Files: names, counters, metadata, hashes, paths that lead out."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
from ops_runner import OpsRunner, read_catalog
from PIL import Image

from runner.engine.sandbox.files import exists
from runner.engine.sandbox.node import NodeFailure, NodeResult
from runner.engine.sandbox.ops import fingerprint, input_problem
from runner.engine.sandbox.ops.files import annotated_path, fill_prefix

PICTURE = np.arange(2 * 4 * 6 * 3, dtype=np.uint8).reshape(2, 4, 6, 3)


def save(sandbox: OpsRunner, kind: str = "SaveImage", **inputs: Any) -> NodeResult:
    graph = {"7": {"class_type": kind, "inputs": {"note": "é"}}}
    return sandbox._run_node("7", graph, {"images": PICTURE, **inputs})


def names(result: NodeResult) -> list[str]:
    return [f"{file['type']}:{file['subfolder']}/{file['filename']}" for file in (result.ui or {})["images"]]


def test_saved_pictures_are_counted(sandbox: OpsRunner) -> None:
    assert names(save(sandbox, filename_prefix="a/b")) == ["output:a/b_00001_.png", "output:a/b_00002_.png"]
    assert names(save(sandbox, filename_prefix="a/b")) == ["output:a/b_00003_.png", "output:a/b_00004_.png"]
    assert names(save(sandbox, filename_prefix="a/bb")) == ["output:a/bb_00001_.png", "output:a/bb_00002_.png"]


def test_a_picture_is_saved_byte_for_byte_with_its_prompt(sandbox: OpsRunner) -> None:
    save(sandbox, filename_prefix="x")
    with Image.open(sandbox.root / "output" / "x_00001_.png") as file:
        assert np.array_equal(np.asarray(file), PICTURE[0])
        assert json.loads(file.info["prompt"]) == {"7": {"class_type": "SaveImage", "inputs": {"note": "é"}}}
        assert json.loads(file.info["workflow"]) == {"id": "w"}
        assert file.info["prompt"].isascii()


def test_a_preview_lies_in_the_temp_folder(sandbox: OpsRunner) -> None:
    first, second = names(save(sandbox, "PreviewImage")), names(save(sandbox, "PreviewImage"))
    assert first[0].startswith("temp:/ComfyUI_temp_")
    assert first[1].endswith("_00002_.png")
    assert first[0] != second[0]


def test_a_mask_preview_says_that_it_does_not_move(sandbox: OpsRunner) -> None:
    graph = {"1": {"class_type": "MaskPreview", "inputs": {}}}
    mask = np.zeros((1, 4, 6), np.float32)
    assert (sandbox._run_node("1", graph, {"mask": mask}).ui or {})["animated"] == [False]
    old = OpsRunner(sandbox.root, read_catalog("0.3.64"))
    assert "animated" not in (old._run_node("1", graph, {"mask": mask}).ui or {})


def test_patterns_in_a_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "localtime", lambda: time.struct_time((2026, 3, 4, 5, 6, 7, 0, 0, 0)))
    filled = fill_prefix("%year%-%month%-%day%/%hour%%minute%%second%_%width%x%height%_%other%", 64, 48)
    assert filled == "2026-03-04/050607_64x48_%other%"


def test_the_number_in_the_batch(sandbox: OpsRunner) -> None:
    result = save(sandbox, filename_prefix="n%batch_num%")
    assert [file["filename"] for file in (result.ui or {})["images"]] == ["n0_00001_.png", "n1_00002_.png"]


@pytest.mark.parametrize("prefix", ["../x", "/tmp/x", "a/../../x"])
def test_a_prefix_never_leads_out(sandbox: OpsRunner, prefix: str) -> None:
    with pytest.raises(NodeFailure, match="outside the output folder is not allowed"):
        save(sandbox, filename_prefix=prefix)
    assert not list(sandbox.root.parent.glob("x_*"))


@pytest.mark.parametrize("kind", ["SaveAnimatedWEBP", "SaveAnimatedPNG"])
def test_animations(sandbox: OpsRunner, kind: str) -> None:
    options: dict[str, Any] = {"fps": 5.0, "filename_prefix": "m", "lossless": True, "quality": 80}
    result = save(sandbox, kind, **options, method="fastest", compress_level=4)
    entry = (result.ui or {})["images"][0]
    assert (result.ui or {})["animated"] == [True]
    with Image.open(sandbox.root / "output" / entry["filename"]) as file:
        assert file.n_frames == 2  # type: ignore[attr-defined]
        assert np.array_equal(np.asarray(file.convert("RGB")), PICTURE[0])
        file.seek(1)
        file.load()
        assert file.info["duration"] == pytest.approx(200)


def test_pictures_over_the_websocket(sandbox: OpsRunner) -> None:
    from runner.engine.sandbox.ops.image_files import save_image_websocket

    result = save_image_websocket(PICTURE, sandbox.context("1", {"1": {"class_type": "SaveImage"}}))
    assert [(value, most) for _, value, most, _ in sandbox.steps] == [(0, 2), (1, 2)]
    assert all((data or b"").startswith(b"\x89PNG") for *_, data in sandbox.steps)
    assert result.ui is None


# --- reading ---------------------------------------------------------------------------------------------------


def test_new_bytes_under_an_old_name_are_noticed(sandbox: OpsRunner) -> None:
    name = sandbox.picture(PICTURE[0])
    context = sandbox.context("1", {"1": {"class_type": "LoadImage"}})
    first = fingerprint("LoadImage", {"image": name}, context)
    assert first == fingerprint("LoadImage", {"image": name}, context) is not None
    sandbox.picture(PICTURE[1])
    assert fingerprint("LoadImage", {"image": name}, context) not in (first, None)
    assert fingerprint("KSampler", {"seed": 1}, context) is None
    assert fingerprint("LoadImage", {"image": "none.png"}, context) is None


PROBLEMS = {
    ("LoadImage", "image", "x.png"): "Invalid image file: x.png",
    ("LoadImage", "image", "../secret.png"): "Invalid image file: ../secret.png",
    ("LoadAudio", "audio", "x.wav"): "Invalid audio file: x.wav",
    ("LoadVideo", "file", "x.mp4"): "Invalid video file: x.mp4",
    ("LoadVideo", "file", "x" * 5000): "Invalid video file: " + "x" * 5000,
    ("LoadImage", "image", "picture.png"): None,
    ("LoadImage", "image", "picture.png [input]"): None,
    ("LoadImage", "image", "picture.png [output]"): "Invalid image file: picture.png [output]",
}


@pytest.mark.parametrize("case", PROBLEMS, ids=lambda case: f"{case[0]} {case[2][:20]}")
def test_missing_files(sandbox: OpsRunner, case: tuple[str, str, str]) -> None:
    kind, name, value = case
    sandbox.picture(PICTURE[0])
    context = sandbox.context("1", {"1": {"class_type": kind}})
    assert input_problem(kind, {name: value}, context) == PROBLEMS[case]


@pytest.mark.parametrize(
    ("name", "there"),
    [("picture.png", True), ("x.png", False), ("../picture.png", False), ("x" * 5000, False), ("a\0b", False)],
    ids=lambda value: str(value)[:12],
)
def test_whether_a_file_is_there(sandbox: OpsRunner, name: str, there: bool) -> None:
    sandbox.picture(PICTURE[0])
    assert exists(name, sandbox.context("1", {"1": {"class_type": "LoadImage"}})) is there


def test_names_with_a_folder_mark(sandbox: OpsRunner) -> None:
    context = sandbox.context("1", {"1": {"class_type": "LoadImage"}})
    assert annotated_path("a/b.png [temp]", context) == sandbox.root / "temp" / "a" / "b.png"
    with pytest.raises(ValueError, match="Invalid file path"):
        annotated_path("../../etc/passwd", context)


def test_a_latent_comes_back_as_it_was_saved(sandbox: OpsRunner) -> None:
    vae = sandbox.one("VAELoader", vae_name="wan.safetensors")
    latent = sandbox.one("VAEEncode", pixels=np.zeros((5, 16, 24, 3), np.uint8) + 40, vae=vae)
    graph = {"1": {"class_type": "SaveLatent", "inputs": {}}}
    result = sandbox._run_node("1", graph, {"samples": latent, "filename_prefix": "l"})
    entry = (result.ui or {})["latents"][0]
    (sandbox.root / "input" / "l.latent").write_bytes((sandbox.root / "output" / entry["filename"]).read_bytes())
    again = sandbox.one("LoadLatent", latent="l.latent")
    assert (again.digest, again.shape) == (latent.digest, (1, 16, 2, 2, 3))
    assert sandbox.one("VAEDecode", samples=again, vae=vae).tolist() == np.full((5, 16, 24, 3), 40).tolist()
