"""Draws the pictures that the example requests start from: `python examples/media/make_pictures.py`.

One mountain lake at three hours, so that a first frame and a last frame show the same place. Same bytes on each run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

WIDTH, HEIGHT, SHORE = 832, 480, 300
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Hour:
    """The light of one hour: sky from top to horizon, ridges from far to near, and the sun or moon."""

    sky: tuple[Colour, Colour]
    ridges: tuple[Colour, Colour, Colour]
    disc: Colour
    disc_at: tuple[int, int]
    disc_radius: int
    stars: int = 0


HOURS = {
    "lake_dawn": Hour(
        ((92, 124, 178), (255, 205, 160)),
        ((150, 140, 172), (98, 98, 138), (44, 56, 84)),
        (255, 240, 205),
        (560, 212),
        26,
    ),
    "lake_noon": Hour(
        ((58, 132, 205), (198, 226, 240)),
        ((140, 172, 196), (84, 132, 126), (36, 84, 62)),
        (255, 252, 232),
        (300, 74),
        30,
    ),
    "lake_night": Hour(
        ((10, 16, 42), (52, 66, 112)), ((44, 54, 92), (26, 34, 64), (10, 16, 32)), (238, 240, 250), (250, 96), 22, 160
    ),
}
RIDGES = ((250, 44, 3), (268, 36, 11), (288, 22, 29))
"""Mean height in pixels from the top, roughness and random seed of each ridge, far to near."""


def main() -> None:
    folder = Path(__file__).parent
    for name, hour in HOURS.items():
        draw(hour).save(folder / f"{name}.png", optimize=True)


def draw(hour: Hour) -> Image.Image:
    """Sky, disc and ridges above the shore; below it their reflection, blurred and darker."""
    above = sky(hour)
    for (level, rough, seed), colour in zip(RIDGES, hour.ridges, strict=True):
        ridge = level - rough * profile(seed)
        covered = np.arange(SHORE)[:, None] >= ridge[None, :]
        above[covered] = colour
    upper = Image.fromarray(above.astype(np.uint8))
    water = upper.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((WIDTH, HEIGHT - SHORE))
    water = water.filter(ImageFilter.BoxBlur(3)).point(lambda value: int(value * 0.82))
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    picture.paste(upper, (0, 0))
    picture.paste(ripple(water), (0, SHORE))
    return picture


def sky(hour: Hour) -> NDArray[np.float64]:
    down = np.linspace(0, 1, SHORE)[:, None, None] ** 1.4
    top, horizon = (np.array(colour, float) for colour in hour.sky)
    picture = np.broadcast_to(top + (horizon - top) * down, (SHORE, WIDTH, 3)).copy()
    rng = np.random.default_rng(7)
    for x, y, light in zip(
        rng.integers(0, WIDTH, hour.stars), rng.integers(0, 200, hour.stars), rng.random(hour.stars), strict=True
    ):
        picture[y, x] += 190 * light
    rows, columns = np.mgrid[0:SHORE, 0:WIDTH]
    away = np.hypot(columns - hour.disc_at[0], rows - hour.disc_at[1])
    glow = np.exp(-((away / (hour.disc_radius * 4)) ** 2)) * 0.35 + np.clip(hour.disc_radius - away, 0, 1)
    light = np.clip(glow, 0, 1)[:, :, None]
    return np.clip(picture * (1 - light) + np.array(hour.disc, float) * light, 0, 255)


def profile(seed: int) -> NDArray[np.float64]:
    """A mountain outline: octaves of random slopes, from -1 to about 2."""
    rng = np.random.default_rng(seed)
    line = np.zeros(WIDTH)
    for octave in range(6):
        knots = rng.random(4 * 2**octave + 1) - 0.3
        line += np.interp(np.linspace(0, len(knots) - 1, WIDTH), np.arange(len(knots)), knots) / 1.7**octave
    return line


def ripple(water: Image.Image) -> Image.Image:
    """Shifts the rows sideways, more towards the viewer."""
    rows = np.asarray(water)
    shifts = [int(np.sin(row * 0.55) * row / 28) for row in range(len(rows))]
    return Image.fromarray(np.stack([np.roll(line, shift, axis=0) for line, shift in zip(rows, shifts, strict=True)]))


if __name__ == "__main__":
    main()
