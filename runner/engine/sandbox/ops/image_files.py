"""Nodes that read and write picture files."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image, ImageOps, ImageSequence
from PIL.PngImagePlugin import PngInfo

from runner.engine.sandbox.node import NodeContext, NodeResult
from runner.engine.sandbox.ops.files import Place, annotated_path, metadata, place, temp_place
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.values import Floats, Octets, Picture, floats, octets

NO_ALPHA: Final = np.zeros((1, 64, 64), np.float32)
"""The mask of a picture without alpha: 64x64 zeros, whatever its size."""
PNG_LEVEL: Final = 4
PREVIEW_LEVEL: Final = 1


@op("LoadImage", "LoadImageOutput")
def load_image(image: str, context: NodeContext) -> tuple[Octets, Floats]:
    """The picture and its inverted alpha; all frames of an animated one."""
    pictures: list[Octets] = []
    masks: list[Floats] = []
    with Image.open(annotated_path(image, context)) as opened:
        for frame in _frames(opened):
            rgb = np.asarray(_eight_bits(frame).convert("RGB"))
            if pictures and rgb.shape != pictures[0].shape:
                continue
            pictures.append(rgb)
            masks.append(_inverted_alpha(frame))
    return np.stack(pictures), np.concatenate(masks)


def _frames(opened: Image.Image) -> Iterator[Image.Image]:
    if opened.format == "MPO":  # a camera's second picture is a thumbnail or a depth map
        yield ImageOps.exif_transpose(opened)
        return
    for frame in ImageSequence.Iterator(opened):
        yield ImageOps.exif_transpose(frame)


def _eight_bits(frame: Image.Image) -> Image.Image:
    return frame.point(lambda value: value * (1 / 255)) if frame.mode == "I" else frame


def _inverted_alpha(frame: Image.Image) -> Floats:
    if "A" in frame.getbands():
        alpha = frame.getchannel("A")
    elif frame.mode == "P" and "transparency" in frame.info:
        alpha = frame.convert("RGBA").getchannel("A")
    else:
        return NO_ALPHA
    return (1 - np.asarray(alpha, np.float32) / np.float32(255.0))[None]


@op("LoadImageMask")
def load_image_mask(image: str, channel: str, context: NodeContext) -> Floats:
    """One channel as a mask; alpha comes inverted, and a picture without that channel gives 64x64 zeros."""
    with Image.open(annotated_path(image, context)) as opened:
        frame = ImageOps.exif_transpose(opened)
        if frame.getbands() != ("R", "G", "B", "A"):
            frame = _eight_bits(frame).convert("RGBA")
    letter = channel[:1].upper()
    if letter not in frame.getbands():
        return NO_ALPHA
    mask = np.asarray(frame.getchannel(letter), np.float32) / np.float32(255.0)
    return (1 - mask if letter == "A" else mask)[None]


@op("SaveImage", raw=True)
def save_image(images: Picture, context: NodeContext, filename_prefix: str = "ComfyUI") -> NodeResult:
    """One PNG for each picture, with the prompt in its text chunks."""
    target = place(filename_prefix, context, width=images.shape[2], height=images.shape[1])
    return write_pngs(images, target, context, PNG_LEVEL)


@op("PreviewImage", raw=True)
def preview_image(images: Picture, context: NodeContext) -> NodeResult:
    """The same in the temp folder."""
    return write_pngs(images, temp_place(context), context, PREVIEW_LEVEL)


@op("MaskPreview")
def mask_preview(mask: Floats, context: NodeContext) -> NodeResult:
    """A mask as grey pictures in the temp folder."""
    grey = np.repeat(mask.reshape(-1, *mask.shape[-2:], 1), 3, axis=-1)
    result = write_pngs(grey, temp_place(context), context, PNG_LEVEL)
    if context.catalog.version.startswith("0.3."):
        return result
    return NodeResult((), {**(result.ui or {}), "animated": [False]})


@op("SaveImageWebsocket", raw=True)
def save_image_websocket(images: Picture, context: NodeContext) -> NodeResult:
    """Each picture as a PNG over the websocket; no file, no UI output."""
    for index, picture in enumerate(octets(images)):
        target = BytesIO()
        Image.fromarray(picture).save(target, "PNG")
        context.progress(index, len(images), target.getvalue())
    return NodeResult((), None)


def write_pngs(images: Picture, target: Place, context: NodeContext, level: int) -> NodeResult:
    """Writes a batch as numbered PNGs and reports them as `images`."""
    info = PngInfo()
    for key, text in metadata(context).items():
        info.add_text(key, text)
    shown: list[dict[str, Any]] = []
    stem = target.stem
    for index, picture in enumerate(images):
        numbered = Place(
            target.folder, stem.replace("%batch_num%", str(index)), target.counter, target.subfolder, target.type
        )
        path, entry = numbered.file("png", index)
        save_png(octets(picture), path, info, level)
        shown.append(entry)
    return NodeResult((), {"images": shown})


def save_png(picture: Octets, path: Path, info: PngInfo | None, level: int) -> None:
    """One picture [H,W,C] with 1, 3 or 4 channels."""
    flat = picture[..., 0] if picture.shape[-1] == 1 else picture
    Image.fromarray(flat).save(path, "PNG", pnginfo=info, compress_level=level)


@op("EmptyImage", raw=True)
def empty_image(width: int, height: int, batch_size: int = 1, color: int = 0) -> Picture:
    """Pictures of one colour, 0xRRGGBB."""
    rgb = [(color >> 16) & 255, (color >> 8) & 255, color & 255]
    return np.broadcast_to(np.array(rgb, np.uint8), (batch_size, height, width, 3))


@op("LoadImageDataSetFromFolder")
def load_image_folder(folder: str, context: NodeContext) -> NodeResult:
    """Every picture of a folder in the input folder, as a list."""
    found = [floats(load_image(str(path), context)[0]) for path in _pictures_in(folder, context)]
    return NodeResult((found,), None, (True,))


def _pictures_in(folder: str, context: NodeContext) -> list[Path]:
    endings = {".png", ".jpg", ".jpeg", ".webp"}
    return sorted(path for path in annotated_path(folder, context).iterdir() if path.suffix.lower() in endings)
