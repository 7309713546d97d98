"""Moving pictures in other files than MP4: animated WEBP and PNG, WebM."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
from av.video.frame import VideoFrame
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from runner.engine.sandbox.node import NodeContext, NodeResult
from runner.engine.sandbox.ops.files import metadata, place
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.values import Picture, octets

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


WEBM_CODECS: Final = {"vp9": "libvpx-vp9", "av1": "libsvtav1"}


@op("SaveWEBM", raw=True)
def save_webm(
    images: Picture, context: NodeContext, codec: str, fps: float, crf: float, filename_prefix: str
) -> NodeResult:
    path, entry = place(filename_prefix, context, width=images.shape[2], height=images.shape[1]).file("webm")
    quick: dict[str, str] = {"deadline": "realtime", "cpu-used": "8"} if codec == "vp9" else {"preset": "10"}
    with av.open(str(path), "w") as container:
        container.metadata.update(metadata(context))
        rate = Fraction(round(fps * 1000), 1000)
        stream: Any = container.add_stream(WEBM_CODECS[codec], rate=rate, options={"crf": str(crf), **quick})
        stream.height, stream.width = images.shape[1:3]
        stream.pix_fmt = "yuv420p10le" if codec == "av1" else "yuv420p"
        stream.bit_rate = 0
        for one in images:
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(octets(one)[..., :3]), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return _result(entry, True)
