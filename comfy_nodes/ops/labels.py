"""Things by name, with a model of transformers that lies in ComfyUI's models folder: Grounding DINO or Florence-2."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import torch
from PIL import Image

from ..providers.errors import LibraryMissing
from .optional import folders, library

Finding = tuple[tuple[float, float, float, float], float, str]
Find = Callable[[Any, str, float], list[Finding]]
"""A picture as uint8 [H, W, 3], a label and the least score → boxes in pixels, scores, words."""

FOLDER: Final = "detection"
SOURCE: Final = "https://huggingface.co/IDEA-Research/grounding-dino-tiny"
FLORENCE_TASK: Final = "<OPEN_VOCABULARY_DETECTION>"
FLORENCE_TOKENS: Final = 1024


def finder() -> Find:
    """What finds things by name, with the first model that is there.

    Errors: LibraryMissing if transformers or a model is missing.
    """
    transformers = library("transformers", "transformers", "label")
    for folder in _models():
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
        if kind in LOADERS:
            return _loaded(LOADERS[kind], transformers, folder)
    where = f"ComfyUI's models/{FOLDER}/grounding-dino-tiny"
    raise LibraryMissing(f"label: no model is there; put the files of {SOURCE} into {where}")


def _models() -> Iterator[Path]:
    for place in folders(FOLDER):
        yield from sorted(file.parent for file in place.glob("*/config.json"))


@lru_cache(maxsize=1)
def _loaded(loader: Callable[[Any, Path], Find], transformers: Any, folder: Path) -> Find:
    return loader(transformers, folder)


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _grounding_dino(transformers: Any, folder: Path) -> Find:
    """transformers 4.40 and newer; `threshold` was `box_threshold` before 4.51."""
    processor = transformers.AutoProcessor.from_pretrained(folder, local_files_only=True)
    model = transformers.AutoModelForZeroShotObjectDetection.from_pretrained(folder, local_files_only=True)
    model = model.to(_device()).eval()
    read = processor.post_process_grounded_object_detection
    least = "threshold" if "threshold" in inspect.signature(read).parameters else "box_threshold"

    def find(picture: Any, label: str, threshold: float) -> list[Finding]:
        phrase = label.lower().rstrip(".") + "."  # the form that the model was trained on
        image = Image.fromarray(picture)
        inputs = processor(images=image, text=phrase, return_tensors="pt").to(_device())
        with torch.no_grad():
            outputs = model(**inputs)
        sizes = [(image.height, image.width)]
        options = {least: threshold, "text_threshold": threshold / 2, "target_sizes": sizes}
        result = read(outputs, inputs["input_ids"], **options)[0]
        return [
            ((float(box[0]), float(box[1]), float(box[2]), float(box[3])), float(score), label)
            for box, score in zip(result["boxes"].tolist(), result["scores"].tolist(), strict=True)
        ]

    return find


def _florence(transformers: Any, folder: Path) -> Find:
    """transformers 4.56 and newer, which have the model themselves. Its boxes have no scores: each counts as sure."""
    processor = transformers.AutoProcessor.from_pretrained(folder, local_files_only=True)
    model = transformers.Florence2ForConditionalGeneration.from_pretrained(folder, local_files_only=True)
    model = model.to(_device()).eval()

    def find(picture: Any, label: str, threshold: float) -> list[Finding]:
        image = Image.fromarray(picture)
        inputs = processor(text=FLORENCE_TASK + label, images=image, return_tensors="pt").to(_device())
        with torch.no_grad():
            ids = model.generate(**inputs, max_new_tokens=FLORENCE_TOKENS, num_beams=3, do_sample=False)
        text = processor.batch_decode(ids, skip_special_tokens=False)[0]
        size = image.width, image.height
        result = processor.post_process_generation(text, task=FLORENCE_TASK, image_size=size)[FLORENCE_TASK]
        return [((float(x0), float(y0), float(x1), float(y1)), 1.0, label) for x0, y0, x1, y1 in result["bboxes"]]

    return find


LOADERS: Final = {"grounding-dino": _grounding_dino, "florence2": _florence}
"""`model_type` of a model's config.json → what loads it."""
