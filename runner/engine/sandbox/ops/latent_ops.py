"""Nodes that change latents. They work on what a latent decodes to, in whole cells: sizes come out as ComfyUI's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from runner.engine.sandbox.node import NodeResult
from runner.engine.sandbox.ops.image_batch import grown
from runner.engine.sandbox.ops.paint import draw
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.resample import common_upscale
from runner.engine.sandbox.ops.values import (
    Latent,
    Octets,
    changed,
    digest,
    floats,
    octets,
)

AXES: Final[Mapping[str, int]] = {"t": 1, "y": 2, "x": 3}


def frames_of(latent: Latent) -> Octets:
    """What it decodes to, [B,F,H,W,3]."""
    return draw(latent).reshape(latent.batch, latent.pictures, latent.height, latent.width, 3)


def painted(latent: Latent, frames: Octets, *why: Any, latent_frames: int | None = None) -> Latent:
    """The latent that decodes to `frames` [B,F,H,W,3]: sizes follow from the pictures."""
    batch, count, height, width = frames.shape[:4]
    t = (count - 1) // latent.time + 1 if latent_frames is None else latent_frames
    art = np.ascontiguousarray(frames).reshape(-1, height, width, 3)
    mark = digest(latent, *why)
    return replace(latent, digest=mark, art=art, batch=batch, frames=t, width=width, height=height, mask=None)


def is_blank(*latents: Latent) -> bool:
    """True if none of them decodes to anything."""
    return all(latent.art is None for latent in latents)


# --- size ------------------------------------------------------------------------------------------------------


@op("LatentUpscale", raw=True)
def latent_upscale(samples: Latent, upscale_method: str, width: int, height: int, crop: str) -> Latent:
    """To a size in pixels of an 8-pixel latent; a side of 0 follows the proportions, both 0 change nothing."""
    if width == 0 and height == 0:
        return samples
    columns, rows = samples.cells
    tall = max(64, height) if height else max(64, round(rows * max(64, width) / columns))
    wide = max(64, width) if width else max(64, round(columns * max(64, height) / rows))
    return scaled(samples, wide // 8, tall // 8, crop, upscale_method)


@op("LatentUpscaleBy", raw=True)
def latent_upscale_by(samples: Latent, upscale_method: str, scale_by: float) -> Latent:
    columns, rows = samples.cells
    return scaled(samples, round(columns * scale_by), round(rows * scale_by), "disabled", upscale_method)


def scaled(latent: Latent, columns: int, rows: int, crop: str, *why: Any) -> Latent:
    """The latent with another number of cells. What a sampler drew is drawn anew, sharp, in the new size."""
    width, height = columns * latent.space, rows * latent.space
    facts: dict[str, Any] = {"width": width, "height": height}
    if isinstance(latent.art, np.ndarray):
        facts["art"] = octets(common_upscale(floats(latent.art), width, height, "bilinear", crop))
    return changed(latent, "scaled", crop, *why, **facts)


@op("LatentCrop", raw=True)
def latent_crop(samples: Latent, width: int, height: int, x: int, y: int) -> Latent:
    """A part, in pixels of 8-pixel cells."""
    columns, rows = samples.cells
    left, top = min(x // 8, columns - 8), min(y // 8, rows - 8)
    return _cut(samples, left, top, min(width // 8, columns - left), min(height // 8, rows - top))


def _cut(latent: Latent, left: int, top: int, columns: int, rows: int) -> Latent:
    s = latent.space
    area = (slice(None), slice(None), slice(top * s, (top + rows) * s), slice(left * s, (left + columns) * s))
    return painted(latent, frames_of(latent)[area], "cut", left, top, columns, rows, latent_frames=latent.frames)


@op("LatentFlip", raw=True)
def latent_flip(samples: Latent, flip_method: str) -> Latent:
    return painted(samples, np.flip(frames_of(samples), 2 if flip_method.startswith("x") else 3), flip_method)


@op("LatentRotate", raw=True)
def latent_rotate(samples: Latent, rotation: str) -> Latent:
    turns = {"90 ": 1, "180": 2, "270": 3}.get(rotation[:3], 0)
    return painted(samples, np.rot90(frames_of(samples), turns, (3, 2)), rotation) if turns else samples


# --- batches ---------------------------------------------------------------------------------------------------


@op("RepeatLatentBatch", raw=True)
def repeat_latent(samples: Latent, amount: int) -> Latent:
    """The same latent several times: a sampler draws each one differently."""
    facts: dict[str, Any] = {"batch": samples.batch * amount}
    if samples.art is not None:
        facts["art"] = np.tile(draw(samples), (amount, 1, 1, 1))
    if samples.mask is not None and len(samples.mask) > 1:
        facts["mask"] = np.tile(samples.mask, (amount, 1, 1))
    return changed(samples, "repeat", **facts)


@op("LatentFromBatch", raw=True)
def latent_from_batch(samples: Latent, batch_index: int, length: int) -> Latent:
    first = min(samples.batch - 1, batch_index)
    count = min(samples.batch - first, length)
    return _entries(samples, first, count)


def _entries(latent: Latent, first: int, count: int) -> Latent:
    facts: dict[str, Any] = {"batch": count}
    if latent.art is not None:
        facts["art"] = draw(latent)[first * latent.pictures : (first + count) * latent.pictures]
    if latent.mask is not None and len(latent.mask) > 1:
        facts["mask"] = latent.mask[first : first + count]
    return changed(latent, "entries", first, **facts)


@op("LatentBatch", raw=True)
def latent_batch(samples1: Latent, samples2: Latent) -> Latent:
    return joined([samples1, samples2])


@op("BatchLatentsNode", raw=True)
def batch_latents(inputs: Mapping[str, Any]) -> Latent:
    given = grown(inputs, "latents")
    if not given:
        raise TypeError("BatchLatentsNode.execute() missing 1 required positional argument: 'latents'")
    return joined(given)


def joined(latents: Sequence[Latent]) -> Latent:
    """One batch after the other, in the size of the first."""
    first = latents[0]
    sized = [each if each.cells == first.cells else scaled(each, *first.cells, "center") for each in latents]
    facts: dict[str, Any] = {"batch": sum(each.batch for each in sized)}
    if not is_blank(*sized):
        facts["art"] = np.concatenate([draw(each) for each in sized])
    return changed(first, "joined", [each.digest for each in latents], **facts)


@op("RebatchLatents", raw=True, lists=True)
def rebatch_latents(latents: Sequence[Latent], batch_size: Sequence[int]) -> NodeResult:
    """A list of batches of another size."""
    single = [_entries(latent, index, 1) for latent in latents for index in range(latent.batch)]
    size = batch_size[0]
    return NodeResult(([joined(single[at : at + size]) for at in range(0, len(single), size)],), None, (True,))


@op("LatentBatchSeedBehavior", raw=True)
def seed_behavior(samples: Latent, seed_behavior: str) -> Latent:
    return changed(samples, "seed behavior", seed_behavior)


# --- time and axes ---------------------------------------------------------------------------------------------


@op("TrimVideoLatent", raw=True)
def trim_video_latent(samples: Latent, trim_amount: int) -> Latent:
    """Without the first latent frames."""
    if trim_amount == 0:
        return samples
    kept = max(samples.frames - trim_amount, 0)
    return painted(samples, frames_of(samples)[:, trim_amount * samples.time :], "trim", latent_frames=kept)


@op("LatentCut", raw=True)
def latent_cut(samples: Latent, dim: str, index: int, amount: int) -> Latent:
    """A slice along one axis; a negative index counts from the end."""
    columns, rows = samples.cells
    sizes = {"t": samples.frames, "y": rows, "x": columns}
    size = sizes[dim]
    first = min(index, size - 1) if index >= 0 else max(index, -size) + size
    count = min(amount, size - first)
    if dim == "t":
        return _time_slice(samples, first, count)
    return _cut(samples, first, 0, count, rows) if dim == "x" else _cut(samples, 0, first, columns, count)


def _time_slice(latent: Latent, first: int, count: int) -> Latent:
    start = first * latent.time - (latent.time - 1 if first else 0)
    length = (count - 1) * latent.time + 1
    return painted(latent, frames_of(latent)[:, start : start + length], "time", first, count, latent_frames=count)


@op("LatentCutToBatch", raw=True)
def latent_cut_to_batch(samples: Latent, dim: str, slice_size: int) -> Latent:
    """Slices along an axis as batch entries; what does not fill a slice is dropped."""
    columns, rows = samples.cells
    size = {"t": samples.frames, "y": rows, "x": columns}[dim]
    step = min(slice_size, size)
    parts = [latent_cut(samples, dim, at, step) for at in range(0, size - step + 1, step)]
    return replace(joined(parts), digest=digest(samples, "cut to batch", dim, slice_size))


@op("LatentConcat", raw=True)
def latent_concat(samples1: Latent, samples2: Latent, dim: str) -> Latent:
    """Joined along an axis; a minus puts the second first."""
    axis = AXES[dim.lstrip("-")]
    second = samples2 if axis == 1 or samples2.cells == samples1.cells else scaled(samples2, *samples1.cells, "center")
    pair = [frames_of(samples1), frames_of(second)]
    if dim.startswith("-"):
        pair.reverse()
    count = samples1.frames + second.frames if axis == 1 else samples1.frames
    return painted(samples1, np.concatenate(pair, axis), samples2, dim, latent_frames=count)


@op("ReplaceVideoLatentFrames", raw=True)
def replace_frames(destination: Latent, index: int, source: Latent | None = None) -> Latent:
    """Puts the source's frames in place of some of the destination's."""
    if source is None:
        return destination
    first = index if index >= 0 else destination.frames + index
    made = np.array(frames_of(destination))
    given = frames_of(source)
    at = first * destination.time
    room = made[:, at : at + given.shape[1]]
    room[:] = given[:, : room.shape[1]]
    return painted(destination, made, source, index, latent_frames=destination.frames)
