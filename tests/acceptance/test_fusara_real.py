"""Every golden of Fusara that is compiled for the running ComfyUI's version is taken by its POST /prompt.

    COMFYUI_HOME=~/ComfyUI pytest tests/acceptance/test_fusara_real.py

Partner nodes are only asked whether they take their inputs: each prompt is taken back at once. Goldens whose model
files or node packs the engine lacks are skipped.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml
from compiling import MEDIA, compiled
from PIL import Image
from real_comfyui import http, pulled, version
from test_compile_real import post, refusals

from compiler import Compiled, Media

GOLDENS = sorted((Path(__file__).parents[1] / "compiler" / "golden" / "fusara").glob("*.yaml"))
pytestmark = pytest.mark.comfyui("empty")


def picture(medium: Media) -> bytes:
    """Something of the medium's kind; what it shows is not asked."""
    made = io.BytesIO()
    if medium.kind == "video":
        with av.open(made, "w", format="mp4") as film:
            stream = film.add_stream("mpeg4", rate=16)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")):
                film.mux(packet)
            film.mux(stream.encode(None))
    elif medium.kind == "audio":
        with av.open(made, "w", format="flac") as sound:
            stream = sound.add_stream("flac", rate=44100)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 4410), np.int16), format="s16", layout="mono")
            frame.sample_rate = 44100
            sound.mux([*stream.encode(frame), *stream.encode(None)])
    else:
        kind = {"png": "PNG", "gif": "GIF", "jpg": "JPEG"}[medium.name.rpartition(".")[2]]
        Image.new("RGB", (64, 48)).save(made, kind)
    return made.getvalue()


@cache
def upload(medium: Media) -> None:
    folder, _, leaf = medium.name.rpartition("/")
    fields = {"type": "input", "subfolder": folder, "overwrite": "true"}
    http().post("/upload/image", data=fields, files={"image": (leaf, picture(medium))}).raise_for_status()


def lacking(made: Compiled) -> str:
    """What the engine has not: a class, or a model file."""
    kinds = made.plan.classes - set(pulled().nodes)
    files = [name for folder, name in made.plan.files if name not in (pulled().files(folder) or ())]
    return ", ".join([*sorted(kinds), *files])


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: path.stem)
def test_is_taken(path: Path) -> None:
    case: dict[str, Any] = yaml.safe_load(path.read_text())
    catalog = case.get("catalog", "0.3.64")
    if catalog.partition("+")[0] != version():
        pytest.skip(f"for {catalog}")
    made = compiled(case["request"], catalog, "fusara")
    if missing := lacking(made):
        pytest.skip(f"not there: {missing}")
    for name in {medium.name for medium in made.plan.uploads}:
        upload(next(one for one in MEDIA.values() if one.name == name))
    status, answer = post(made.api)
    assert refusals(status, answer) == []
