"""Moving pictures in other files than MP4: animated WEBP and PNG, WebM."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from runner.engine.sandbox.node import NodeContext, NodeResult
from runner.engine.sandbox.ops.codec import FilmFormat, write_film
from runner.engine.sandbox.ops.files import metadata, place
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.values import Picture, Video, octets

WEBP_METHODS: Final = {"default": 4, "fastest": 0, "slowest": 6}
MODEL_TAG: Final = 0x0110
"""EXIF tag that holds the prompt in a WEBP; further texts go into the tags below it."""


def _pillow(images: Picture) -> list[Image.Image]:
    return [Image.fromarray(octets(one)) for one in images]


def _result(entry: dict[str, str], animated: bool) -> NodeResult:
    return NodeResult((), {"images": [entry], "animated": [animated]})


@op("SaveAnimatedWEBP", raw=True)
def save_animated_webp(
    images: Picture, context: NodeContext, fps: float, lossless: bool, quality: int, method: str, filename_prefix: str
) -> NodeResult:
    path, entry = place(filename_prefix, context, width=images.shape[2], height=images.shape[1]).file("webp")
    frames = _pillow(images)
    exif = frames[0].getexif()
    exif[MODEL_TAG] = f"prompt:{json.dumps(context.prompt)}"
    for number, (key, value) in enumerate((context.extra_pnginfo or {}).items(), start=1):
        exif[MODEL_TAG - number] = f"{key}:{json.dumps(value)}"
    frames[0].save(
        path,
        save_all=True,
        duration=int(1000.0 / fps),
        append_images=frames[1:],
        exif=exif,
        lossless=lossless,
        quality=quality,
        method=WEBP_METHODS[method],
    )
    return _result(entry, len(frames) != 1 or context.catalog.version.startswith("0.3."))


@op("SaveAnimatedPNG", raw=True)
def save_animated_png(
    images: Picture, context: NodeContext, fps: float, compress_level: int, filename_prefix: str
) -> NodeResult:
    path, entry = place(filename_prefix, context, width=images.shape[2], height=images.shape[1]).file("png")
    info = PngInfo()
    for key, text in metadata(context).items():
        # after the pixels, as decoders of animated PNG want it
        info.add(b"comf", key.encode("latin-1", "strict") + b"\0" + text.encode("latin-1", "strict"), after_idat=True)
    frames = _pillow(images)
    frames[0].save(
        path,
        pnginfo=info,
        compress_level=compress_level,
        save_all=True,
        duration=int(1000.0 / fps),
        append_images=frames[1:],
    )
    return _result(entry, True)


WEBM: Final = {
    "vp9": FilmFormat("webm", "libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8", "b": "0"}),
    "av1": FilmFormat("webm", "libsvtav1", "yuv420p10le", options={"preset": "10"}),
}


@op("SaveWEBM", raw=True)
def save_webm(
    images: Picture, context: NodeContext, codec: str, fps: float, crf: float, filename_prefix: str
) -> NodeResult:
    path, entry = place(filename_prefix, context, width=images.shape[2], height=images.shape[1]).file("webm")
    form = WEBM[codec]
    form = replace(form, options={**form.options, "crf": str(crf)})
    write_film(path, Video(images, fps), form, metadata(context))
    return _result(entry, True)
