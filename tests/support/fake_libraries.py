"""Optional libraries as comfyc's nodes use them: modules with the real interfaces, and ComfyUI's folder_paths."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image


def install(monkeypatch: pytest.MonkeyPatch, name: str, **members: Any) -> ModuleType:
    """A module of that name, until the test ends; its parent packages too."""
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        path = ".".join(parts[:depth])
        if depth < len(parts) and path in sys.modules:
            continue
        monkeypatch.setitem(sys.modules, path, ModuleType(path))
    vars(sys.modules[name]).update(members)
    return sys.modules[name]


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """As if these libraries were not installed."""
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


def comfyui_folders(monkeypatch: pytest.MonkeyPatch, root: Path, **extra: list[str]) -> Path:
    """ComfyUI's folder_paths (0.3.64) with its models in root/models and its output in root/output; `extra` as
    extra_model_paths.yaml adds it. Returns the models folder."""
    models, output = root / "models", root / "output"
    models.mkdir(exist_ok=True)
    output.mkdir(exist_ok=True)
    known = {name: (paths, {".onnx"}) for name, paths in extra.items()}

    def get_save_image_path(prefix: str, folder: str) -> tuple[str, str, int, str, str]:
        place = (Path(folder) / prefix).parent
        place.mkdir(parents=True, exist_ok=True)
        name, subfolder = os.path.basename(prefix), os.path.dirname(prefix)
        numbers = [int(file.name[len(name) + 1 :].split("_")[0]) for file in place.glob(f"{name}_*")]
        return str(place), name, max(numbers, default=0) + 1, subfolder, prefix

    install(
        monkeypatch,
        "folder_paths",
        models_dir=str(models),
        folder_names_and_paths=known,
        get_folder_paths=lambda name: known[name][0],
        get_output_directory=lambda: str(output),
        get_save_image_path=get_save_image_path,
    )
    return models


class Rembg:
    """rembg's sessions: the mask is where the picture is bright. Keeps what was asked, and from where it would load."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, str, str]] = []
        self.seen: list[tuple[int, int]] = []

    def new_session(self, model_name: str = "u2net") -> Any:
        home, unchecked = os.environ.get("U2NET_HOME", ""), os.environ.get("MODEL_CHECKSUM_DISABLED", "")
        self.opened.append((model_name, home, unchecked))
        return self

    def predict(self, img: Image.Image, *args: Any, **kwargs: Any) -> list[Image.Image]:
        self.seen.append(img.size)
        return [img.convert("L"), Image.new("L", img.size)]


class Runtime:
    """onnxruntime: the mask is the mean of the three channels as they come in."""

    def __init__(self) -> None:
        self.fed: list[Any] = []

    def get_available_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]

    def InferenceSession(self, path: str, providers: list[str]) -> Any:
        assert Path(path).is_file()
        return self

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="input.1")]

    def run(self, _outputs: None, feeds: dict[str, Any]) -> list[Any]:
        self.fed.append(feeds["input.1"])
        return [feeds["input.1"].mean(axis=1, keepdims=True)]


class Remover:
    """transparent_background.Remover: the map is the picture in grey, on three channels."""

    made: list[tuple[str, str | None]] = []

    def __init__(self, mode: str = "base", jit: bool = False, device: Any = None, ckpt: str | None = None) -> None:
        self.made.append((mode, ckpt))

    def process(self, img: Image.Image, type: str = "rgba") -> Image.Image:
        assert type == "map"
        grey = np.asarray(img.convert("L"))
        return Image.fromarray(np.stack([grey] * 3, -1))


class YuNet:
    """cv2.FaceDetectorYN: rows of 15 numbers, the box first and the score last."""

    rows: Any = None
    sizes: list[tuple[int, int]] = []

    @classmethod
    def create(cls, model: str, config: str, size: tuple[int, int], score: float, nms: float, top: int) -> YuNet:
        assert Path(model).is_file()
        cls.sizes.append(size)
        return cls()

    def detect(self, image: Any) -> tuple[int, Any]:
        assert image.dtype == np.uint8
        return 1, self.rows
