"""Partner nodes: where ComfyUI would call a service, the sandbox draws what the inputs name, size and length alike."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, cast

import numpy as np

from compiler.catalog import NodeSchema
from runner.engine.sandbox.node import NodeResult
from runner.engine.sandbox.ops.comfyc_outside import NO_SERVICE, SECONDS, provider_image, provider_video
from runner.engine.sandbox.ops.values import Picture, Video

COUNTS: Final = ("n", "number_of_images", "max_images")
"""Inputs that say how many pictures; also below a dynamic input: `model.number_of_images`."""
SIDES: Final = {"480p": 480, "720p": 720, "768p": 768, "1080p": 1080, "4k": 2160, "1k": 1024, "2k": 2048}
"""Resolution → pixels of the shorter side; of pictures the side of the square of the same area."""
_WIDTHS, _HEIGHTS = ("width", "output_width"), ("height", "output_height")
_SIZE: Final = re.compile(r"(?<!\d)(\d{3,4})[x×*:](\d{3,4})(?!\d)")
_RATIO: Final = re.compile(r"(\d{1,2}):(\d{1,2})")
_DURATIONS: Final = ("duration", "duration_seconds", "seconds")
_NUMBER: Final = re.compile(r"\d+(\.\d+)?")
_MODE: Final = re.compile(r"/ (\d+)s duration /")
SPARSE: Final = 4
_PLAIN: Final = (str, int, float, bool)


def partner(kind: str, schema: NodeSchema, inputs: Mapping[str, Any]) -> NodeResult | None:
    """A placeholder for each output; None for a node that gives something else than pictures, films and texts."""
    types = [type_ for type_, _ in schema.outputs]
    if not types or types[0] not in ("IMAGE", "VIDEO"):
        return None
    asked = {name: value for name, value in inputs.items() if isinstance(value, _PLAIN)}
    shown = [cast("Picture", value) for value in inputs.values() if isinstance(value, np.ndarray) and value.ndim == 4]
    pictures = {f"image{number}": value for number, value in enumerate(shown[:4], 1)}
    facts = {**asked, **_size(asked, video=types[0] == "VIDEO")}
    made = _video(kind, facts, pictures) if types[0] == "VIDEO" else _images(kind, facts, pictures)
    return NodeResult((made, *(made if type_ == types[0] else NO_SERVICE for type_ in types[1:])))


def _images(kind: str, facts: Mapping[str, Any], pictures: Mapping[str, Any]) -> Any:
    count = next((int(value) for name, value in facts.items() if name.rpartition(".")[2] in COUNTS), 1)
    seed = int(facts.get("seed", 0))
    calls = [{"provider": kind, "payload": json.dumps({**facts, "seed": seed + at}), **pictures} for at in range(count)]
    return np.concatenate([provider_image(one)[0] for one in calls])


def _video(kind: str, facts: Mapping[str, Any], pictures: Mapping[str, Any]) -> Video:
    """As long as asked, with a quarter of the frames: nobody looks at a placeholder for its motion."""
    rest = {name: value for name, value in facts.items() if name.rpartition(".")[2] not in _DURATIONS}
    payload = {**rest, "duration": (_seconds(facts) or SECONDS) / SPARSE}
    film, _ = provider_video({"provider": kind, "payload": json.dumps(payload), **pictures})
    return Video(film.images, film.fps / SPARSE)


def _size(asked: Mapping[str, Any], *, video: bool) -> dict[str, int]:
    """Width and height in pixels, as far as the inputs name them."""
    by_leaf = {name.rpartition(".")[2]: value for name, value in asked.items()}
    width, height = (next((by_leaf[name] for name in names if by_leaf.get(name)), 0) for names in (_WIDTHS, _HEIGHTS))
    if width and height:
        return {"width": width, "height": height}
    for name in ("size", "size_preset", "ratio"):
        if found := _SIZE.search(str(by_leaf.get(name, ""))):
            return {"width": int(found[1]), "height": int(found[2])}
    ratio = _RATIO.fullmatch(str(by_leaf.get("aspect_ratio", "")))
    side = SIDES.get(str(by_leaf.get("resolution", "")).lower(), 480 if video else 1024)
    if ratio is None or not int(ratio[2]):
        return {}
    shape = int(ratio[1]) / int(ratio[2])
    if not video:
        return {"width": round(side * shape**0.5 / 2) * 2, "height": round(side / shape**0.5 / 2) * 2}
    return {"width": round(side * max(shape, 1) / 2) * 2, "height": round(side * max(1 / shape, 1) / 2) * 2}


def _seconds(asked: Mapping[str, Any]) -> float:
    """Of a film, as far as the inputs name it; 0 if they do not."""
    by_leaf = {name.rpartition(".")[2]: value for name, value in asked.items()}
    if found := _MODE.search(str(by_leaf.get("mode", ""))):
        return float(found[1])
    return next(
        (float(value) for name in _DURATIONS if (value := by_leaf.get(name)) and _NUMBER.fullmatch(str(value))), 0
    )
