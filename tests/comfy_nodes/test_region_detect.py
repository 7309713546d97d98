"""Faces, persons and named things, with libraries that have the real ones' interfaces, and without them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fake_libraries import Rembg, YuNet, comfyui_folders, install, without

torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")

from comfy_nodes import NODE_CLASS_MAPPINGS  # noqa: E402 - needs torch
from comfy_nodes.ops import labels, matting  # noqa: E402
from comfy_nodes.providers.errors import LibraryMissing  # noqa: E402


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty ComfyUI, an empty home, and nothing loaded. Returns the models folder."""
    matting.finder.cache_clear()
    labels._loaded.cache_clear()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return comfyui_folders(monkeypatch, tmp_path)


def run(kind: str, image: Any, label: str = "", threshold: float = 0.5, most: int = 8) -> tuple[Any, Any, int]:
    return NODE_CLASS_MAPPINGS["ComfycRegionDetect"]().detect(image, kind, label, threshold, most)


def put(models: Path, name: str, text: str = "weights") -> None:
    (models / name).parent.mkdir(parents=True, exist_ok=True)
    (models / name).write_text(text)


# --- faces -----------------------------------------------------------------------------------------------------


def fake_cv2(monkeypatch: pytest.MonkeyPatch, **members: Any) -> None:
    def resize(image: Any, size: tuple[int, int], interpolation: int) -> Any:
        return np.zeros((size[1], size[0], image.shape[2]), np.uint8)

    names = {"COLOR_RGB2BGR": 4, "COLOR_RGB2GRAY": 7, "INTER_AREA": 3}
    plain = {"cvtColor": lambda image, code: image, "resize": resize, "equalizeHist": lambda image: image}
    install(monkeypatch, "cv2", **{**names, **plain, **members})


def row(x: float, y: float, width: float, height: float, score: float) -> list[float]:
    return [x, y, width, height, *[0.0] * 10, score]


def test_faces_by_yunet(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(models, "face_detection/face_detection_yunet_2023mar.onnx")
    monkeypatch.setattr(YuNet, "rows", np.array([row(10, 5, 20, 30, 0.7), row(-5, 60, 30, 80, 0.9)], np.float32))
    monkeypatch.setattr(YuNet, "sizes", [])
    fake_cv2(monkeypatch, FaceDetectorYN=YuNet)
    regions, mask, count = run("face", torch.rand(2, 100, 80, 3))
    assert count == len(regions) == 4
    assert YuNet.sizes == [(80, 100)] * 2
    assert [one["image"] for one in regions] == [0, 0, 1, 1]
    assert [round(one["score"], 3) for one in regions[:2]] == [0.9, 0.7], "not the surest first"
    assert regions[0]["box"] == (0, 60, 25, 100), "not kept inside the picture"
    assert regions[1]["box"] == (10, 5, 30, 35)
    assert {one["label"] for one in regions} == {"face"}
    wanted = torch.zeros(100, 80)
    wanted[60:100, 0:25] = wanted[5:35, 10:30] = 1
    assert torch.equal(mask, wanted.expand(2, -1, -1))


def test_faces_of_a_large_picture_are_in_its_own_pixels(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(models, "face_detection/face_detection_yunet_2023mar.onnx")
    monkeypatch.setattr(YuNet, "rows", np.array([row(10, 20, 30, 40, 0.9)], np.float32))
    monkeypatch.setattr(YuNet, "sizes", [])
    fake_cv2(monkeypatch, FaceDetectorYN=YuNet)
    regions, _, _ = run("face", torch.zeros(1, 1920, 2560, 3))
    assert YuNet.sizes == [(1280, 960)]
    assert regions[0]["box"] == (20, 40, 80, 120)


def test_no_faces_is_no_error(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(models, "face_detection/face_detection_yunet_2023mar.onnx")
    monkeypatch.setattr(YuNet, "rows", None)
    fake_cv2(monkeypatch, FaceDetectorYN=YuNet)
    regions, mask, count = run("face", torch.rand(1, 20, 20, 3))
    assert (regions, count) == ([], 0)
    assert mask.shape == (1, 20, 20)
    assert mask.sum() == 0


def test_threshold_and_most(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(models, "face_detection/face_detection_yunet_2023mar.onnx")
    rows = [row(at, at, 5, 5, score) for at, score in ((0, 0.3), (10, 0.6), (20, 0.8), (30, 0.7))]
    monkeypatch.setattr(YuNet, "rows", np.array(rows, np.float32))
    fake_cv2(monkeypatch, FaceDetectorYN=YuNet)
    image = torch.rand(1, 50, 50, 3)
    assert run("face", image, threshold=0.5)[2] == 3
    assert [one["box"][0] for one in run("face", image, most=2)[0]] == [20, 30]


def test_faces_by_the_cascade_where_yunet_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    class Cascade:
        def __init__(self, path: str) -> None:
            assert Path(path).is_file()

        def detectMultiScale2(self, grey: Any, scale: float, neighbours: int) -> tuple[Any, Any]:
            return np.array([[4, 6, 10, 12], [30, 30, 8, 8]]), np.array([15, 2])

    (tmp_path / "haarcascade_frontalface_default.xml").write_text("<xml/>")
    fake_cv2(monkeypatch, CascadeClassifier=Cascade, data=SimpleNamespace(haarcascades=str(tmp_path)))
    with caplog.at_level("INFO"):
        regions, _, count = run("face", torch.rand(1, 60, 60, 3))
    assert count == 1, "two votes are not enough"
    assert regions[0]["box"] == (4, 6, 14, 18)
    assert regions[0]["score"] == 0.75
    assert "Haar cascade; face_detection_yunet_2023mar.onnx in models/face_detection finds more" in caplog.text


def test_neither_yunet_nor_a_cascade(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cv2(monkeypatch, data=SimpleNamespace(haarcascades="/nowhere"))  # OpenCV 5
    with pytest.raises(LibraryMissing, match=r"face_detection_yunet_2023mar.onnx is missing; put it into ComfyUI's"):
        run("face", torch.rand(1, 8, 8, 3))


def test_no_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "cv2")
    with pytest.raises(LibraryMissing, match=r"run `pip install opencv-python-headless` with ComfyUI's Python"):
        run("face", torch.rand(1, 8, 8, 3))


# --- persons ---------------------------------------------------------------------------------------------------


def test_persons(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("scipy")
    install(monkeypatch, "rembg", new_session=Rembg().new_session)
    put(models, "rembg/u2net_human_seg.onnx")
    image = torch.zeros(1, 60, 90, 3)
    image[:, 5:40, 10:30] = 1
    image[:, 20:50, 60:80] = 0.75
    image[:, 0:1, 89:90] = 1  # a speck
    regions, mask, count = run("person", image)
    assert count == 2
    assert [one["box"] for one in regions] == [(10, 5, 30, 40), (60, 20, 80, 50)]
    assert [one["score"] for one in regions] == [1.0, pytest.approx(0.75, abs=0.01)]
    assert mask[0, 0, 89] == 0, "the speck is in the mask"
    assert mask[0, 6, 11] == 1
    assert mask[0, 30, 70] == pytest.approx(0.75, abs=0.01), "not the outline"
    assert run("person", image, threshold=0.9)[2] == 1


# --- named things ----------------------------------------------------------------------------------------------


class Boxes:
    """A processor and model of transformers: one box, and what was asked."""

    asked: dict[str, Any] = {}

    @classmethod
    def from_pretrained(cls, folder: Path, local_files_only: bool) -> Boxes:
        assert local_files_only, "it could download"
        cls.asked = {"folder": folder.name}
        return cls()

    def to(self, _device: str) -> Boxes:
        return self

    def eval(self) -> Boxes:
        return self

    def __call__(self, **inputs: Any) -> Any:
        Boxes.asked.update(inputs)
        return Inputs(input_ids="ids")


class Inputs(dict[str, Any]):
    def to(self, _device: str) -> Inputs:
        return self


class Dino(Boxes):
    def post_process_grounded_object_detection(
        self, outputs: Any, ids: str, threshold: float, text_threshold: float, target_sizes: list[tuple[int, int]]
    ) -> list[dict[str, Any]]:
        assert (ids, target_sizes) == ("ids", [(40, 60)])
        self.asked.update(threshold=threshold)
        return [{"boxes": torch.tensor([[5.0, 6.0, 15.0, 20.0]]), "scores": torch.tensor([0.8]), "labels": ["a cat"]}]


class OldDino(Boxes):
    def post_process_grounded_object_detection(
        self, outputs: Any, ids: str, box_threshold: float, text_threshold: float, target_sizes: Any
    ) -> list[dict[str, Any]]:
        self.asked.update(threshold=box_threshold)
        return [{"boxes": torch.zeros(0, 4), "scores": torch.zeros(0), "labels": []}]


class Florence(Boxes):
    def generate(self, **options: Any) -> list[str]:
        return ["ids"]

    def batch_decode(self, ids: list[str], skip_special_tokens: bool) -> list[str]:
        return ["cat<loc_1>"]

    def post_process_generation(self, text: str, task: str, image_size: tuple[int, int]) -> dict[str, Any]:
        assert (text, image_size) == ("cat<loc_1>", (60, 40))
        return {task: {"bboxes": [[1, 2, 11, 12], [20, 20, 30, 30]], "bboxes_labels": ["cat", "cat"]}}


@pytest.mark.parametrize("processor", [Dino, OldDino])
def test_things_by_grounding_dino(processor: type[Boxes], models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(models, "detection/dino/config.json", json.dumps({"model_type": "grounding-dino"}))
    install(monkeypatch, "transformers", AutoProcessor=processor, AutoModelForZeroShotObjectDetection=Boxes)
    regions, mask, count = run("label", torch.rand(1, 40, 60, 3), label=" A Cat ", threshold=0.4)
    assert Boxes.asked["text"] == "a cat."
    assert processor.asked["threshold"] == 0.4
    assert count == (1 if processor is Dino else 0)
    if processor is Dino:
        assert regions[0]["label"] == "A Cat"
        assert regions[0]["score"] == pytest.approx(0.8)
        assert mask.sum() == 10 * 14


def test_things_by_florence(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(models, "detection/florence/config.json", json.dumps({"model_type": "florence2"}))
    install(monkeypatch, "transformers", AutoProcessor=Florence, Florence2ForConditionalGeneration=Florence)
    regions, _, count = run("label", torch.rand(1, 40, 60, 3), label="cat")
    assert Boxes.asked["text"] == "<OPEN_VOCABULARY_DETECTION>cat"
    assert count == 2
    assert [one["box"] for one in regions] == [(1, 2, 11, 12), (20, 20, 30, 30)]


def test_no_model_for_things(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(models, "detection/other/config.json", json.dumps({"model_type": "bert"}))
    install(monkeypatch, "transformers")
    with pytest.raises(LibraryMissing, match=r"put the files of https://huggingface.co/IDEA-Research/grounding-dino"):
        run("label", torch.rand(1, 8, 8, 3), label="cat")


def test_things_need_a_name() -> None:
    with pytest.raises(ValueError, match="label: is empty"):
        run("label", torch.rand(1, 8, 8, 3), label=" ")
