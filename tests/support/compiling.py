"""What compiler tests share: the shipped library and catalogs, and pictures of known size."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from compiler import (
    Asset,
    Catalog,
    Compiled,
    Library,
    Media,
    compile_request,
    load_library,
    parse_request,
    shipped_catalog,
)

PICTURES: Mapping[str, Media] = {
    "wide.png": Media("comfyc/wide.png", width=1280, height=720),
    "tall.png": Media("comfyc/tall.png", width=600, height=900),
    "small.png": Media("comfyc/small.png", width=320, height=180),
    "anim.gif": Media("comfyc/anim.gif", width=320, height=240, frames=12, fps=10),
    "cutout.png": Media("comfyc/cutout.png", width=512, height=512, alpha=True),
    "clip.mp4": Media("comfyc/clip.mp4", "video", width=832, height=480, frames=81, fps=16),
    "clip24.mp4": Media("comfyc/clip24.mp4", "video", width=1280, height=720, frames=120, fps=24),
    "song.flac": Media("comfyc/song.flac", "audio"),
}
MEDIA: Mapping[str, Media] = {
    **PICTURES,
    **{f"https://media.test/{name}": one for name, one in PICTURES.items()},
    "1": PICTURES["wide.png"],
    "2": PICTURES["tall.png"],
    "3": PICTURES["clip.mp4"],
    "4": PICTURES["song.flac"],
    "5": PICTURES["cutout.png"],
    "6": PICTURES["small.png"],
}
"""By what requests call them: file ids, addresses, numbers."""
ASSETS: Mapping[str, Asset] = {
    str(number): Asset(kind="lora", family=family, files={"*": f"imported-{number}.safetensors"}, trigger=trigger)
    for number, family, trigger in (
        (901, "sdxl", "anime_style"),
        (902, "flux", "frosted glass"),
        (903, "wan22", ""),
        (904, "qwen", ""),
        (905, "sd35", ""),
        (906, "hidream", ""),
        (907, "zimage", ""),
        (908, "sd15", ""),
    )
}
"""LoRA that a tenant imported, by model id."""


@cache
def library() -> Library:
    return load_library()


@cache
def target(name: str) -> Catalog:
    """`0.3.64`, `0.8.0`, or either with node packs: `0.3.64+comfyc` (our own), `0.3.64+comfyc+supir`."""
    return shipped_catalog(name)


@cache
def stocked() -> Library:
    """The shipped library with the imported models."""
    return library().extended(ASSETS)


def compiled(body: Any, catalog: str = "0.3.64", dialect: str = "ext", operation: str = "", **options: Any) -> Compiled:
    """A request compiled as the service does it, seed 7 if it has none."""
    provider, request = parse_request(dialect, body, operation=operation)
    request = provider.with_seed(request, 7)
    return compile_request(provider, request, MEDIA, stocked(), target(catalog), **options)
