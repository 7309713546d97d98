"""Faces with OpenCV: YuNet where its weights are there, else the Haar cascade that OpenCV 4 brings along."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from ..providers.errors import LibraryMissing
from . import pictures
from .optional import library, weights

Box = tuple[float, float, float, float]
Find = Callable[[Tensor, float], list[tuple[Box, float]]]

FOLDER: Final = "face_detection"
YUNET: Final = "face_detection_yunet_2023mar.onnx"
SOURCE: Final = "https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet"
HAAR: Final = "haarcascade_frontalface_default.xml"
OVERLAP: Final = 0.3
"""Of two boxes that overlap by more (intersection over union), YuNet drops the weaker one."""
CANDIDATES: Final = 5000
LONGEST: Final = 1280
"""Pixels: larger pictures are scaled down; YuNet is trained for faces of about 10 to 300 pixels."""
NEIGHBOURS: Final = 5
"""Boxes that must agree on a face: Haar gives no score of 0 to 1, so this stands for 0.5."""

log = logging.getLogger(__name__)


def finder() -> Find:
    """What finds faces: a picture [H, W, C] and the least score → boxes in its pixels, with scores.

    Errors: LibraryMissing if OpenCV is missing, or the weights are and OpenCV has no cascade (version 5).
    """
    cv2 = library("cv2", "opencv-python-headless", "face")
    try:
        path = weights(FOLDER, YUNET, SOURCE, "face")
    except LibraryMissing:
        cascade = _cascade(cv2)
        if cascade is None:
            raise
        log.info("comfyc: faces are found with OpenCV's Haar cascade; %s in models/%s finds more", YUNET, FOLDER)
        return lambda picture, threshold: _by_haar(cv2, cascade, picture)
    return lambda picture, threshold: _by_yunet(cv2, str(path), picture, threshold)


def _by_yunet(cv2: Any, path: str, picture: Tensor, threshold: float) -> list[tuple[Box, float]]:
    shown, scale = _scaled(cv2, pictures.to_array(picture))
    size = shown.shape[1], shown.shape[0]
    detector = cv2.FaceDetectorYN.create(path, "", size, max(threshold, 0.01), OVERLAP, CANDIDATES)
    _, rows = detector.detect(cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))
    found: list[tuple[Box, float]] = []
    for row in () if rows is None else rows:
        x, y, width, height = (float(value) / scale for value in row[:4])
        found.append(((x, y, x + width, y + height), float(row[-1])))
    return found


def _scaled(cv2: Any, shown: Any) -> tuple[Any, float]:
    scale = min(1.0, LONGEST / max(shown.shape[:2]))
    if scale == 1:
        return shown, 1.0
    size = max(1, round(shown.shape[1] * scale)), max(1, round(shown.shape[0] * scale))
    return cv2.resize(shown, size, interpolation=cv2.INTER_AREA), scale


def _cascade(cv2: Any) -> Any:
    """OpenCV's own cascade; None where it has none."""
    folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
    if not hasattr(cv2, "CascadeClassifier") or not (Path(folder) / HAAR).is_file():
        return None
    return cv2.CascadeClassifier(str(Path(folder) / HAAR))


def _by_haar(cv2: Any, cascade: Any, picture: Tensor) -> list[tuple[Box, float]]:
    shown, scale = _scaled(cv2, pictures.to_array(picture))
    grey = cv2.equalizeHist(cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY))
    boxes, votes = cascade.detectMultiScale2(grey, 1.1, NEIGHBOURS)
    found: list[tuple[Box, float]] = []
    for box, vote in zip(boxes, votes, strict=True):
        x, y, width, height = (float(value) / scale for value in box)
        found.append(((x, y, x + width, y + height), float(vote) / (float(vote) + NEIGHBOURS)))
    return found
