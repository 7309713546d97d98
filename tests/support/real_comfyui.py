"""The real ComfyUI of acceptance tests: its address, catalogs, uploads, and input pictures.

The address is that of COMFYC_ENGINE_URL, or tests/acceptance/conftest.py starts one and says so with `use`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from compiling import stocked
from PIL import Image

from compiler import (
    Catalog,
    Compiled,
    Media,
    compile_request,
    own_nodes,
    parse_catalog,
    parse_request,
    recognise,
    shipped_catalog,
)

GIVEN = os.environ.get("COMFYC_ENGINE_URL", "").rstrip("/")
"""The address that the caller named; empty: it is started."""
SEED = 7
OWN_PACK = "ComfycQwenEditEncode"

_address = GIVEN


def url() -> str:
    """The address of the ComfyUI that the running test is to use."""
    assert _address, "no ComfyUI: the test must be marked comfyui(KIND)"
    return _address


def use(address: str) -> None:
    """From now on that is the ComfyUI; what is remembered of another one is forgotten."""
    global _address
    if address != _address:
        if http.cache_info().currsize:
            http().close()
        for remembered in (http, version, pulled, uploaded):
            remembered.cache_clear()
        _address = address


@cache
def http() -> httpx2.Client:
    """A session at the engine's address; ComfyUI refuses an Origin, so none is sent."""
    return httpx2.Client(base_url=url(), timeout=60)


@cache
def version() -> str:
    """ComfyUI's version, `0.3.64`."""
    return str(http().get("/system_stats").json()["system"]["comfyui_version"])


@cache
def pulled() -> Catalog:
    """What the engine says that it has."""
    return parse_catalog(http().get("/object_info").json(), version=version(), source=url())


def catalog(name: str) -> Catalog:
    """`pulled`, `shipped` (of the engine's version), `shipped+comfyc`, or `pulled-comfyc` without our own nodes."""
    if name == "pulled":
        return pulled()
    if name == "pulled-comfyc":
        kept = {kind: schema for kind, schema in pulled().nodes.items() if kind not in own_nodes().nodes}
        return Catalog(pulled().version, kept, url())
    shipped = shipped_catalog(version())
    return shipped.extended(own_nodes().nodes) if name.endswith("+comfyc") else shipped


def pattern(width: int, height: int, number: int) -> np.ndarray[Any, Any]:
    """A picture of waves and one block, other ones for each number: [height, width, 3], 8 bits."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    waves = [np.sin(x / (9 + k + 3 * number) + y / (13 - k) + number + k) * 100 + 128 for k in range(3)]
    picture = np.stack(waves, -1)
    picture[height // 4 : height // 2, width // 3 : width // 2] = ((240, 20, 90), (20, 90, 240), (90, 240, 20))[number]
    return np.clip(picture, 0, 255).astype(np.uint8)


@cache
def files() -> dict[str, tuple[bytes, Media]]:
    """Input files by the name that requests call them: bytes, and what a probe says of them."""
    made: dict[str, tuple[bytes, Media]] = {}
    for number, (name, size) in enumerate({"wide": (448, 256), "tall": (270, 410), "square": (300, 300)}.items()):
        made[f"{name}.png"] = encoded(Image.fromarray(pattern(*size, number)), "PNG"), media(f"{name}.png", size)
    made["photo.jpg"] = encoded(Image.fromarray(pattern(640, 359, 1)), "JPEG"), media("photo.jpg", (640, 359))
    see_through = Image.fromarray(pattern(333, 257, 2)).convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(see_through.size))
    made["alpha.png"] = encoded(see_through, "PNG"), media("alpha.png", see_through.size, alpha=True)
    sound = Path(__file__).parents[2] / "examples" / "media" / "chord.flac"
    made["chord.flac"] = sound.read_bytes(), Media("comfyc/acceptance/chord.flac", "audio")
    frames = [Image.fromarray(pattern(320, 240, number)) for number in range(3)]
    moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=60)
    made["moving.gif"] = moving, media("moving.gif", (320, 240), frames=3, fps=16.7)
    return made


def media(name: str, size: tuple[int, int], **facts: Any) -> Media:
    return Media(f"comfyc/acceptance/{name}", width=size[0], height=size[1], **facts)


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    target = io.BytesIO()
    picture.save(target, kind, **options)
    return target.getvalue()


@cache
def uploaded(name: str) -> str:
    """Puts one of `files` into the engine's input folder, once."""
    data, medium = files()[name]
    folder, _, leaf = medium.name.rpartition("/")
    fields = {"type": "input", "subfolder": folder, "overwrite": "true"}
    answer = http().post("/upload/image", data=fields, files={"image": (leaf, data)})
    answer.raise_for_status()
    given = answer.json()
    return f"{given['subfolder']}/{given['name']}"


def compiled(
    body: dict[str, Any], target: Catalog, prefix: str = "comfyc/acceptance", unchecked: Mapping[str, Any] | None = None
) -> Compiled:
    """A request for that target, its dialect told by its shape; what it mentions of `files` lies in the engine's input
    folder then.

    `unchecked` fields are set after validation: sizes below the contract's least.
    """
    ((dialect, operation),) = recognise(body)
    provider, request = parse_request(dialect, body, operation=operation)
    request = provider.with_seed(request.model_copy(update=unchecked), SEED)
    known = {ref.value: files()[ref.value][1] for ref in provider.media_refs(request)}
    for name, medium in known.items():
        assert uploaded(name) == medium.name
    return compile_request(provider, request, known, stocked(), target, prefix=prefix)
