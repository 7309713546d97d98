"""Nodes that put pictures together, take them apart, or choose among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from runner.engine.sandbox.node import NodeContext, NodeFailure, NodeResult
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.resample import common_upscale, resize
from runner.engine.sandbox.ops.values import Floats, Picture, floats

COLOURS: Final[Mapping[str, tuple[float, float, float]]] = {
    "white": (1.0, 1.0, 1.0),
    "black": (0.0, 0.0, 0.0),
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
}


UNEQUAL: Final = (
    "Sizes of tensors must match except in dimension 0. "
    "Expected size {} but got size {} for tensor number 1 in the list."
)


@op("ImageBatch", raw=True)
def image_batch(image1: Picture, image2: Picture, context: NodeContext) -> Picture:
    """One batch after the other; the second is cropped and scaled to the first's size."""
    channels = image1.shape[3], image2.shape[3]
    if channels[0] != channels[1] and context.catalog.version.startswith("0.3."):
        raise NodeFailure("RuntimeError", UNEQUAL.format(*channels))
    return joined([image1, image2])


@op("BatchImagesNode", raw=True)
def batch_images(inputs: Mapping[str, Any]) -> Picture:
    """The same for any number of pictures."""
    given = grown(inputs, "images")
    if not given:
        raise TypeError("BatchImagesNode.execute() missing 1 required positional argument: 'images'")
    return joined(given)


@op("BatchMasksNode")
def batch_masks(inputs: Mapping[str, Any]) -> Floats:
    """Masks one after the other, in the first one's size."""
    given = [mask.reshape(-1, *mask.shape[-2:], 1) for mask in grown(inputs, "masks")]
    if not given:
        raise TypeError("BatchMasksNode.execute() missing 1 required positional argument: 'masks'")
    return floats(joined(given))[..., 0]


def grown(inputs: Mapping[str, Any], name: str) -> list[Any]:
    """The values of a growing input (`images.image0`, `images.image1`, …), in order."""
    return [value for key, value in inputs.items() if key.startswith(f"{name}.") and value is not None]


def joined(given: Sequence[Picture]) -> Picture:
    """Batches one after the other, in the size of the first; a missing alpha channel is opaque."""
    first = given[0]
    height, width = first.shape[1:3]
    channels = max(part.shape[3] for part in given)
    sized: list[Any] = [
        part
        if part.shape[1:3] == (height, width)
        else common_upscale(floats(part), width, height, "bilinear", "center")
        for part in given
    ]
    if all(part.dtype == np.uint8 and part.shape[3] == channels for part in sized):
        return np.concatenate(sized)
    return np.concatenate([_with_channels(floats(part), channels) for part in sized])


def _with_channels(picture: Floats, channels: int) -> Floats:
    missing = channels - picture.shape[3]
    return np.pad(picture, ((0, 0), (0, 0), (0, 0), (0, missing)), constant_values=1.0) if missing else picture


@op("ImageFromBatch", raw=True)
def image_from_batch(image: Picture, batch_index: int, length: int) -> Picture:
    first = min(len(image) - 1, batch_index)
    return image[first : first + length]


@op("RepeatImageBatch", raw=True)
def repeat_image_batch(image: Picture, amount: int) -> Picture:
    made: Any = np.tile(image, (amount, 1, 1, 1))
    return made


@op("RebatchImages", raw=True, lists=True)
def rebatch_images(images: Sequence[Picture], batch_size: Sequence[int]) -> NodeResult:
    """A list of batches of another size."""
    single = [one[None] for batch in images for one in batch]
    size = batch_size[0]
    groups = [np.concatenate(single[at : at + size]) for at in range(0, len(single), size)]
    return NodeResult((groups,), None, (True,))


@op("ImageStitch")
def image_stitch(
    image1: Floats,
    direction: str,
    match_image_size: bool,
    spacing_width: int,
    spacing_color: str,
    image2: Floats | None = None,
) -> Floats:
    """Two pictures side by side or one above the other, with a gap between them."""
    if image2 is None:
        return image1
    across = direction in ("left", "right")
    image1, image2 = _same_length(image1, image2)
    image2 = _matched(image1, image2, across) if match_image_size else image2
    channels = max(image1.shape[3], image2.shape[3])
    parts = [_with_channels(part, channels) for part in (image1, image2)]
    if not match_image_size:
        parts = _padded(parts, across, 1.0 if spacing_color == "white" else 0.0)
    if direction in ("left", "up"):
        parts.reverse()
    if spacing_width > 0:
        parts.insert(1, _gap(parts[0], spacing_width + spacing_width % 2, spacing_color, across))
    return np.concatenate(parts, axis=2 if across else 1)


def _same_length(image1: Floats, image2: Floats) -> tuple[Floats, Floats]:
    count = max(len(image1), len(image2))
    return tuple(  # type: ignore[reportReturnType]
        np.concatenate([part, np.repeat(part[-1:], count - len(part), 0)]) if len(part) < count else part
        for part in (image1, image2)
    )


def _matched(image1: Floats, image2: Floats, across: bool) -> Floats:
    """The second picture with the first one's height (across) or width (down), proportions kept."""
    aspect = image2.shape[2] / image2.shape[1]
    height, width = image1.shape[1:3]
    size = (int(height * aspect), height) if across else (width, int(width / aspect))
    return common_upscale(image2, *size, "lanczos", "disabled")


def _padded(parts: Sequence[Floats], across: bool, value: float) -> list[Floats]:
    """Both in the size of the larger one, the rest white or black."""
    axis = 1 if across else 2
    size = max(part.shape[axis] for part in parts)
    return [_centred(part, size, axis, value) for part in parts]


def _centred(picture: Floats, size: int, axis: int, value: float) -> Floats:
    missing = size - picture.shape[axis]
    before = missing // 2
    around = [(0, 0)] * 4
    around[axis] = (before, missing - before)
    return np.pad(picture, around, constant_values=value)


def _gap(like: Floats, size: int, colour: str, across: bool) -> Floats:
    height, width = like.shape[1:3]
    shape = (len(like), height, size, like.shape[3]) if across else (len(like), size, width, like.shape[3])
    gap = np.ones(shape, np.float32)
    gap[..., :3] = COLOURS[colour]
    return gap


@op("GetImageSize", raw=True)
def get_image_size(image: Picture) -> tuple[int, int, int]:
    """Width, height, number of pictures."""
    return image.shape[2], image.shape[1], len(image)


@op("MergeImageLists", raw=True, lists=True)
def merge_image_lists(images: Sequence[Picture]) -> NodeResult:
    return NodeResult((list(images),), None, (True,))


@op("ImageGrid", raw=True, lists=True)
def image_grid(
    images: Sequence[Picture],
    columns: Sequence[int],
    cell_width: Sequence[int],
    cell_height: Sequence[int],
    padding: Sequence[int],
) -> Floats:
    """A sheet with all pictures, each fitted into its cell."""
    wide, high, gap, across = cell_width[0], cell_height[0], padding[0], columns[0]
    rows = -(-len(images) // across)
    sheet = np.zeros((1, rows * high + (rows - 1) * gap, across * wide + (across - 1) * gap, 3), np.float32)
    for number, picture in enumerate(images):
        y, x = (number // across) * (high + gap), (number % across) * (wide + gap)
        sheet[0, y : y + high, x : x + wide] = common_upscale(
            floats(picture)[:1, ..., :3], wide, high, "lanczos", "disabled"
        )
    return sheet


@op("ImageDeduplication", lists=True)
def image_deduplication(images: Sequence[Floats], similarity_threshold: Sequence[float]) -> NodeResult:
    """Leaves out what looks like an earlier picture: by which of 8x8 areas are lighter than the average."""
    kept: list[tuple[Any, Floats]] = []
    for image in images:
        grey = resize(image[:1, ..., :3].mean(-1, keepdims=True), 8, 8, "area").ravel()
        mark = grey > grey.mean()
        if all(float((mark == other).mean()) < similarity_threshold[0] for other, _ in kept):
            kept.append((mark, image))
    return NodeResult(([image for _, image in kept],), None, (True,))
