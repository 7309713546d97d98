"""The nodes that call out or write files, whole: as ComfyUI runs them, on a stand-in of the other side."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from calling import CLIP, filled
from fake_libraries import comfyui_folders, install
from PIL import Image
from stand_in import form, served

torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")

from comfy_nodes import NODE_CLASS_MAPPINGS  # noqa: E402 - needs torch
from comfy_nodes.providers.errors import CallError  # noqa: E402

DATA = {"json": {"data": [{"b64_json": "$PNG"}]}}


class Interrupted(Exception):
    """ComfyUI's InterruptProcessingException."""


@pytest.fixture
def comfyui(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """ComfyUI's progress bar and interrupt (comfy.utils, comfy.model_management); `shown` is what the bar showed."""
    state = ModuleType("state")
    state.shown, state.interrupted = [], False

    class ProgressBar:
        def __init__(self, total: int) -> None:
            self.total = total

        def update_absolute(self, value: int, total: int | None = None) -> None:
            state.shown.append(value / self.total)

    def throw_exception_if_processing_interrupted() -> None:
        if state.interrupted:
            raise Interrupted

    install(monkeypatch, "comfy.utils", ProgressBar=ProgressBar)
    throw = {"throw_exception_if_processing_interrupted": throw_exception_if_processing_interrupted}
    install(monkeypatch, "comfy.model_management", **throw)
    return state


def run(kind: str, **inputs: Any) -> tuple[Any, ...]:
    node = NODE_CLASS_MAPPINGS[kind]()
    return getattr(node, node.FUNCTION)(**{"seed": 0, "timeout": 5, **inputs})


def size(part: Any) -> tuple[int, int]:
    return Image.open(io.BytesIO(part[2])).size


def answered(*answers: dict[str, Any]) -> list[dict[str, Any]]:
    return filled(list(answers))


def test_an_image_provider_edits_a_batch_with_a_mask(monkeypatch: pytest.MonkeyPatch, comfyui: ModuleType) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    with served(answered(DATA)) as stand_in:
        monkeypatch.setenv("OPENAI_IMAGE_BASE_URL", f"{stand_in.url}/v1")
        images, response = run(
            "ComfycProviderImage",
            provider="openai_image",
            payload='{"model": "gpt-image-1", "prompt": "x"}',
            image1=torch.rand(2, 20, 30, 3),
            image3=torch.rand(1, 8, 9, 4),
            mask=torch.ones(1, 5, 5),
        )
    assert images.shape == (1, 2, 3, 3)
    assert torch.allclose(images, torch.full_like(images, 200 / 255))
    assert list(json.loads(response)) == ["data"]
    parts = form(stand_in.asked[0])
    assert [size(part) for part in parts["image[]"]] == [(30, 20), (30, 20), (9, 8)]
    assert size(parts["mask"]) == (30, 20), "the mask has not the picture's size"
    assert comfyui.shown[-1] == 1.0


def test_a_video_provider_gives_a_video(monkeypatch: pytest.MonkeyPatch) -> None:
    class VideoFromFile:
        def __init__(self, file: io.BytesIO) -> None:
            self.file = file

        def get_dimensions(self) -> tuple[int, int]:
            if b"ftyp" not in self.file.getvalue():
                raise ValueError
            return 4, 4

        def get_stream_source(self) -> io.BytesIO:
            return self.file

    install(monkeypatch, "comfy_api.input_impl", VideoFromFile=VideoFromFile)
    monkeypatch.setenv("XAI_API_KEY", "xai-1")
    done = {"json": {"status": "done", "request_id": "q", "video": {"url": "$BASE/v.mp4"}}}
    with served(answered(done, {"body": "@mp4"})) as stand_in:
        monkeypatch.setenv("XAI_VIDEO_BASE_URL", f"{stand_in.url}/v1")
        given = VideoFromFile(io.BytesIO(CLIP))
        video, _ = run("ComfycProviderVideo", provider="xai_video", payload='{"prompt": "x"}', video=given)
    assert video.get_stream_source().getvalue() == CLIP
    assert json.loads(stand_in.asked[0]["body"])["video"]["url"].startswith("data:video/mp4;base64,AAAAGGZ0eXB")
    with served(answered(done, {"body": b"<html>"})) as stand_in:
        monkeypatch.setenv("XAI_VIDEO_BASE_URL", f"{stand_in.url}/v1")
        with pytest.raises(CallError, match="the result is no video that can be read"):
            run("ComfycProviderVideo", provider="xai_video", payload='{"prompt": "x"}')


def test_a_video_of_frames_is_written_first() -> None:
    from comfy_nodes.ops import videos

    class VideoFromComponents:
        def get_stream_source(self) -> io.BytesIO:
            raise ValueError("Could not determine output format")  # what PyAV says in ComfyUI 0.3.64

        def save_to(self, path: str) -> None:
            Path(path).write_bytes(CLIP)

    assert videos.to_file(VideoFromComponents()).data == CLIP


def test_comfyuis_interrupt_ends_a_call(monkeypatch: pytest.MonkeyPatch, comfyui: ModuleType) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    comfyui.interrupted = True
    began = time.monotonic()
    with served([{"delay": 1, **DATA}]) as stand_in:
        monkeypatch.setenv("OPENAI_IMAGE_BASE_URL", f"{stand_in.url}/v1")
        with pytest.raises(Interrupted):
            run("ComfycProviderImage", provider="openai_image", payload='{"prompt": "x"}')
    assert time.monotonic() - began < 3


def test_a_result_that_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    with served([{"json": {"data": [{"b64_json": "aGVsbG8="}]}}]) as stand_in:
        monkeypatch.setenv("OPENAI_IMAGE_BASE_URL", f"{stand_in.url}/v1")
        with pytest.raises(CallError, match="a result is no picture that can be read"):
            run("ComfycProviderImage", provider="openai_image", payload='{"prompt": "x"}')


def test_a_picture_too_large_for_the_provider_goes_as_jpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNWAYML_API_SECRET", "rw-1")
    with served([{"status": 400, "json": {"error": "stop here"}}]) as stand_in:
        monkeypatch.setenv("RUNWAY_BASE_URL", f"{stand_in.url}/v1")
        noise = torch.rand(1, 1100, 1100, 3)
        with pytest.raises(CallError, match="stop here"):
            run("ComfycProviderVideo", provider="runway", payload='{"model": "gen4_turbo"}', image1=noise)
    assert json.loads(stand_in.asked[0]["body"])["promptImage"][0]["uri"].startswith("data:image/jpeg;base64,")


def test_a_language_model_sees_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"message": {"content": "grey"}, "prompt_eval_count": 3, "eval_count": 1}
    with served([{"json": answer}]) as stand_in:
        monkeypatch.setenv("LLM_OLLAMA_BASE_URL", stand_in.url)
        text, asked, told = NODE_CLASS_MAPPINGS["ComfycLLMChat"]().chat(
            "ollama", "llava", "", "What", 0.0, 10, "", 1, torch.rand(2, 4, 4, 3)
        )
    assert (text, asked, told) == ("grey", 3, 1)
    assert len(json.loads(stand_in.asked[0]["body"])["messages"][0]["images"]) == 2


# --- text ------------------------------------------------------------------------------------------------------


def save(text: str, prefix: str = "comfyc", format: str = "txt") -> dict[str, Any]:
    return NODE_CLASS_MAPPINGS["ComfycSaveText"]().save(text, prefix, format)["ui"]


def test_text_is_saved_under_the_next_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    comfyui_folders(monkeypatch, tmp_path)
    shown = [save(text, "notes/story") for text in ("Zeile 1\nline 2 – 日本", "second")]
    names = ["story_00001_.txt", "story_00002_.txt"]
    assert [one["files"] for one in shown] == [
        [{"filename": name, "subfolder": "notes", "type": "output"}] for name in names
    ]
    assert shown[0]["text"] == ["Zeile 1\nline 2 – 日本"]
    assert (tmp_path / "output/notes/story_00001_.txt").read_bytes().decode() == "Zeile 1\nline 2 – 日本"
    assert (tmp_path / "output/notes/story_00002_.txt").read_text() == "second"


@pytest.mark.parametrize(("text", "format"), [("a \ud83d b", "txt"), ('"a \\ud83d b"', "json")])
def test_half_a_character_is_no_reason_to_lose_the_text(
    text: str, format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON may hold half of a surrogate pair, where a model's answer was cut."""
    comfyui_folders(monkeypatch, tmp_path)
    (written,) = save(text, "half", format)["text"]
    assert written.strip('"') == "a ? b"
    assert (tmp_path / f"output/half_00001_.{format}").read_text("utf-8") == written


def test_a_number_that_is_taken_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    comfyui_folders(monkeypatch, tmp_path)
    paths = __import__("folder_paths")
    output = str(tmp_path / "output")
    monkeypatch.setattr(paths, "get_save_image_path", lambda prefix, folder: (output, "x", 1, "", prefix))
    assert [save(text, "x")["files"][0]["filename"] for text in "ab"] == ["x_00001_.txt", "x_00002_.txt"]


def test_json_is_checked_and_indented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    comfyui_folders(monkeypatch, tmp_path)
    assert save('{"ä":[1]}', format="json")["text"] == ['{\n  "ä": [\n    1\n  ]\n}']
    with pytest.raises(ValueError, match="text: is not JSON"):
        save("{", format="json")
    assert len(list((tmp_path / "output").iterdir())) == 1
