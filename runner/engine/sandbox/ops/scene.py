"""The placeholder scene: a sky with a sun, drifting lights and ridges, all from a digest; computed small, enlarged.

frames = scene("9f…", palette("a red door", "9f…"), np.linspace(0, 1, 81), 832, 480)
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from runner.engine.sandbox.ops.frames import enlarge
from runner.engine.sandbox.ops.values import Floats, Octets

STILL_CELLS: Final = 300
"""Longest side of the grid that one picture is computed on; its edges stay crisp up to about four times that."""
MOVING_CELLS: Final = 140
"""The same for a video, where motion hides the softness."""
PARALLAX: Final = 0.35


def scene(seed: str, colours: Floats, times: Floats, width: int, height: int) -> Octets:
    """Frames [F,H,W,3]; `times` (0..1 for a whole video) says where each one is in its motion."""
    cells = STILL_CELLS if len(times) == 1 else MOVING_CELLS
    small = compute(seed, colours, times, *grid_size(width, height, cells))
    return enlarge(small, width, height)


def grid_size(width: int, height: int, cells: int) -> tuple[int, int]:
    """Columns and rows of the small grid: the picture's shape, its longest side at most `cells`."""
    scale = min(1.0, cells / max(width, height))
    return max(2, round(width * scale)), max(2, round(height * scale))


def compute(seed: str, colours: Floats, times: Floats, columns: int, rows: int) -> Octets:
    """The scene on the small grid, [F,rows,columns,3]."""
    dice = np.random.Generator(np.random.PCG64(int(seed, 16)))
    aspect = columns / rows
    x = ((np.arange(columns, dtype=np.float32) + 0.5) / rows - aspect / 2)[None, None, :]
    y = ((np.arange(rows, dtype=np.float32) + 0.5) / rows)[None, :, None]
    t = times.astype(np.float32)[:, None, None]
    light, middle, deep, accent, dark = colours
    canvas = _sky(y, t, light, middle, deep, dice, columns)
    _lights(canvas, x, y, t, accent, light, dice, aspect)
    _sun(canvas, x, y, t, light, dice, aspect, edge=1.5 / rows)
    _ridges(canvas, x, y, t, deep, dark, dice, edge=1.2 / rows)
    return np.clip(canvas * 255.0 + 0.5, 0, 255).astype(np.uint8)


def _sky(
    y: Floats, t: Floats, light: Floats, middle: Floats, deep: Floats, dice: np.random.Generator, columns: int
) -> Floats:
    slant = np.linspace(-0.12, 0.12, columns, dtype=np.float32)[None, None, :] * float(dice.choice((-1, 1)))
    height = np.clip(y + slant + 0.04 * np.sin(6.28 * t), 0, 1)
    low, high = np.clip(height * 2, 0, 1)[..., None], np.clip(height * 2 - 1, 0, 1)[..., None]
    mixed: Floats = deep + (middle - deep) * low + (light - middle) * high
    return np.ascontiguousarray(mixed, np.float32)


def _lights(
    canvas: Floats,
    x: Floats,
    y: Floats,
    t: Floats,
    accent: Floats,
    light: Floats,
    dice: np.random.Generator,
    aspect: float,
) -> None:
    for number in range(int(dice.integers(2, 5))):
        cx, cy, radius = dice.uniform(-aspect / 2, aspect / 2), dice.uniform(0.05, 0.75), dice.uniform(0.16, 0.42)
        phase, turn = dice.uniform(0, 6.28), dice.uniform(0.05, 0.2)
        dx = x - (cx + turn * np.cos(6.28 * t + phase))
        dy = y - (cy + 0.6 * turn * np.sin(6.28 * t + phase))
        alpha = np.exp((dx * dx + dy * dy) * np.float32(-1 / (radius * radius))) * np.float32(0.75)
        _mix(canvas, accent if number % 2 == 0 else light, alpha)


def _sun(
    canvas: Floats,
    x: Floats,
    y: Floats,
    t: Floats,
    light: Floats,
    dice: np.random.Generator,
    aspect: float,
    edge: float,
) -> None:
    radius = float(dice.uniform(0.07, 0.16))
    cx, cy = dice.uniform(-0.3, 0.3) * aspect, dice.uniform(0.2, 0.5)
    distance = np.hypot(x - (cx + 0.12 * (t - 0.5)), y - (cy - 0.1 * np.sin(3.14 * t)))
    bright = np.float32(0.35) * light + np.float32(0.65)
    _mix(canvas, bright, np.exp(np.square(distance / np.float32(radius * 2.2)) * np.float32(-1)) * np.float32(0.45))
    _mix(canvas, bright, _step(np.float32(radius) - distance, edge))


def _ridges(
    canvas: Floats, x: Floats, y: Floats, t: Floats, deep: Floats, dark: Floats, dice: np.random.Generator, edge: float
) -> None:
    layers = int(dice.integers(2, 5))
    for layer in range(layers):
        near = (layer + 1) / layers
        waves = [(dice.uniform(0.8, 2.2) * (k + 1) * 2, dice.uniform(0, 6.28), 0.09 / (k + 1)) for k in range(3)]
        drift = x + np.float32(PARALLAX * near) * t
        line = sum(
            np.sin(drift * np.float32(f) + np.float32(p)) * np.float32(a * (1.2 - 0.4 * near)) for f, p, a in waves
        )
        alpha = _step(y - (np.float32(0.52 + 0.36 * near) - line), edge)
        _mix(canvas, deep + (dark - deep) * np.float32(near), alpha * np.float32(0.92))


def _mix(canvas: Floats, colour: Floats, alpha: NDArray[np.floating]) -> None:
    canvas += (colour - canvas) * alpha[..., None].astype(np.float32)


def _step(value: NDArray[np.floating], edge: float) -> Floats:
    ramp = np.clip(value / np.float32(edge) * np.float32(0.5) + np.float32(0.5), 0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
