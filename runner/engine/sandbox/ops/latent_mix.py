"""Nodes that mix latents or lay one over another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from runner.engine.sandbox.ops.image_composite import composite
from runner.engine.sandbox.ops.latent_ops import frames_of, is_blank, painted, scaled
from runner.engine.sandbox.ops.paint import draw
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.values import Floats, Latent, changed, digest, floats, octets


@op("LatentAdd", "LatentSubtract", raw=True)
def latent_sum(samples1: Latent, samples2: Latent) -> Latent:
    return _mixed(samples1, samples2, 0.5)


@op("LatentInterpolate", raw=True)
def latent_interpolate(samples1: Latent, samples2: Latent, ratio: float) -> Latent:
    """`ratio` is the share of the first."""
    return _mixed(samples1, samples2, ratio)


@op("LatentBlend", raw=True)
def latent_blend(samples1: Latent, samples2: Latent, blend_factor: float) -> Latent:
    return _mixed(samples1, samples2, blend_factor)


def _mixed(first: Latent, second: Latent, share: float) -> Latent:
    if is_blank(first, second):
        return changed(first, "mixed", second, share)
    sized = second if second.cells == first.cells else scaled(second, *first.cells, "center")
    over = np.resize(frames_of(sized), frames_of(first).shape)
    mixed = frames_of(first) * np.float32(share) + over * np.float32(1 - share)
    made = painted(first, mixed.astype(np.uint8), second, share, latent_frames=first.frames)
    return replace(made, mask=first.mask)


@op("LatentMultiply", raw=True)
def latent_multiply(samples: Latent, multiplier: float) -> Latent:
    return changed(samples, "multiply", multiplier)


@op("LatentApplyOperation", raw=True)
def latent_apply_operation(samples: Latent, operation: Any) -> Latent:
    return changed(samples, "operation", operation)


@op("AddNoise", raw=True)
def add_noise(latent_image: Latent, inputs: Mapping[str, Any]) -> Latent:
    return changed(latent_image, "add noise", inputs)


@op("NormalizeVideoLatentStart", raw=True)
def normalize_start(latent: Latent, start_frame_count: int, reference_frame_count: int) -> Latent:
    return changed(latent, "normalize", start_frame_count, reference_frame_count)


# --- compositing -----------------------------------------------------------------------------------------------


@op("LatentComposite", raw=True)
def latent_composite(samples_to: Latent, samples_from: Latent, x: int, y: int, feather: int) -> Latent:
    """The second over the first at x, y (pixels of 8-pixel cells), its inner edges feathered."""
    return _composed(samples_to, samples_from, x // 8, y // 8, _feather(samples_from, feather, x, y))


def _feather(latent: Latent, feather: int, x: int, y: int) -> Floats | None:
    if feather == 0:
        return None
    width, height = latent.width, latent.height
    from_left = np.arange(width) if x else np.full(width, width)
    from_top = np.arange(height) if y else np.full(height, height)
    across = np.minimum(np.minimum(from_left, np.arange(width)[::-1]) + 1, feather) / feather
    down = np.minimum(np.minimum(from_top, np.arange(height)[::-1]) + 1, feather) / feather
    return (down[:, None] * across[None, :])[None].astype(np.float32)


@op("LatentCompositeMasked", raw=True)
def latent_composite_masked(
    destination: Latent, source: Latent, x: int, y: int, resize_source: bool, mask: Floats | None = None
) -> Latent:
    if resize_source:
        source = scaled(source, *destination.cells, "disabled")
    return _composed(destination, source, x // destination.space, y // destination.space, mask)


def _composed(destination: Latent, source: Latent, x: int, y: int, mask: Floats | None) -> Latent:
    s = destination.space
    made = composite(floats(draw(destination)), floats(draw(source)), x * s, y * s, mask)
    mark = digest(destination, source, x, y, mask)
    return replace(destination, digest=mark, art=octets(made + np.float32(1e-4)))
