"""The subject of a picture, as a mask: with rembg, BEN2 or transparent-background, whatever the model needs.

Interfaces as of rembg 2.0.57 to 2.0.86, transparent-background 1.3 and ben2 (github.com/PramaLLC/BEN2).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from . import canvas, pictures
from .optional import library, weights

Find = Callable[[Image.Image], Any]
"""An RGB picture → a mask as float array [h, w] of 0 to 1, of any size."""

RELEASES: Final = "https://github.com/danielgatis/rembg/releases/download/v0.0.0"
RELEASED: Final[Mapping[str, str]] = {
    "bria-rmbg": "bria-rmbg-2.0",
    "birefnet-cod": "BiRefNet-COD-epoch_125",
    "birefnet-dis": "BiRefNet-DIS-epoch_590",
    "birefnet-general": "BiRefNet-general-epoch_244",
    "birefnet-general-lite": "BiRefNet-general-bb_swin_v1_tiny-epoch_232",
    "birefnet-hrsod": "BiRefNet-HRSOD_DHU-epoch_115",
    "birefnet-massive": "BiRefNet-massive-TR_DIS5K_TR_TEs-epoch_420",
    "birefnet-portrait": "BiRefNet-portrait-epoch_150",
}
"""rembg's name → name of its file in the release, where the two differ."""
FOLDER: Final = "rembg"
"""In ComfyUI's models folder: the ONNX files of rembg, under rembg's own names."""
HOMES: Final = ("~/.u2net",)
"""Where rembg itself has put files, flat; newer ones lie in ~/.rembg/models/<name>."""
IMAGENET: Final = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
ONNX_SIDE: Final = 1024
"""Pixels: BEN and BEN2 were exported for a square of this side."""
ONNX_FILES: Final[Mapping[str, tuple[str, str]]] = {
    "BEN2": ("BEN2_Base.onnx", "https://huggingface.co/PramaLLC/BEN2"),
    "BEN": ("BEN_Base.onnx", "https://huggingface.co/PramaLLC/BEN"),
}
INSPYRENET: Final = ("ckpt_base.pth", "https://github.com/plemeri/transparent-background/releases")
SAME: Final = {"RMBG-2.0": "bria-rmbg"}
"""Models that rembg has under another name."""


def subject(batch: Tensor, model: str, longest: int) -> Tensor:
    """[B, H, W, C] → [B, H, W]: 1 on the subject.

    The model sees each picture with at most `longest` pixels on its longer side.

    Errors: LibraryMissing naming the library or the weights file.
    """
    find = finder(model)
    return torch.stack([masked(one, find, longest) for one in batch])


def masked(picture: Tensor, find: Find, longest: int) -> Tensor:
    """[H, W, C] → [H, W], seen with at most `longest` pixels on the longer side."""
    height, width = picture.shape[:2]
    image = Image.fromarray(pictures.to_array(picture))
    scale = longest / max(height, width)
    if scale < 1:
        image = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.LANCZOS)
    found = torch.from_numpy(np.array(find(image), np.float32)).to(picture.device)
    return canvas.resized(canvas.finite(found)[None, ..., None], width, height, "bilinear")[0, ..., 0].clamp(0, 1)


@lru_cache(maxsize=2)
def finder(model: str) -> Find:
    """What finds the subject with that model; the last two stay loaded."""
    if model in ONNX_FILES:
        return _ben(model)
    return _inspyrenet() if model == "INSPYRENET" else _rembg(SAME.get(model, model))


# --- rembg -----------------------------------------------------------------------------------------------------


def _rembg(name: str) -> Find:
    rembg = library("rembg", '"rembg[cpu]"', name)
    source = f"{RELEASES}/{RELEASED.get(name, name)}.onnx"
    file = weights(FOLDER, f"{name}.onnx", source, name, (*HOMES, f"~/.rembg/models/{name}"))
    with _rembg_home(file.parent):
        session = rembg.new_session(name)

    def find(image: Image.Image) -> Any:
        masks = [np.asarray(mask.convert("L"), np.float32) / 255 for mask in session.predict(image)]
        return np.maximum.reduce(masks)  # u2net_cloth_seg gives one for each kind of garment

    return find


@contextmanager
def _rembg_home(folder: Path) -> Iterator[None]:
    """rembg looks into this folder alone, and takes the file there as it is instead of downloading another."""
    wanted = {"U2NET_HOME": str(folder), "MODEL_CHECKSUM_DISABLED": "1"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


# --- BEN and BEN2 ----------------------------------------------------------------------------------------------


def _ben(model: str) -> Find:
    """By the ONNX export: the Python package of BEN2 is not on the package index, and BEN has none."""
    runtime = library("onnxruntime", "onnxruntime", model)
    file, source = ONNX_FILES[model]
    path = weights(FOLDER, file, source, model)
    session = runtime.InferenceSession(str(path), providers=runtime.get_available_providers())
    name = session.get_inputs()[0].name

    def find(image: Image.Image) -> Any:
        small = image.resize((ONNX_SIDE, ONNX_SIDE), Image.Resampling.LANCZOS)
        values = np.asarray(small, np.float32) / 255
        seen = ((values - IMAGENET[0]) / IMAGENET[1]).transpose(2, 0, 1)[None].astype(np.float32)
        return _spread(np.squeeze(session.run(None, {name: seen})[0]))

    return find


def _spread(mask: Any) -> Any:
    """From 0 to 1, as the authors of BEN2 do; an even mask stays as it is."""
    low, high = float(mask.min()), float(mask.max())
    return (mask - low) / (high - low) if high - low > 1e-6 else mask.clip(0, 1)


# --- InSPyReNet ------------------------------------------------------------------------------------------------


def _inspyrenet() -> Find:
    package = library("transparent_background", "transparent-background", "INSPYRENET")
    file, source = INSPYRENET
    path = weights("transparent-background", file, source, "INSPYRENET", ("~/.transparent-background",))
    remover = package.Remover(mode="base", ckpt=str(path))

    def find(image: Image.Image) -> Any:
        shown = remover.process(image, type="map")
        return np.asarray(shown.convert("L"), np.float32) / 255

    return find
