"""Colours for a placeholder picture: from the colour words of its prompt, the rest from its digest."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Mapping
from typing import Final

import numpy as np

from runner.engine.sandbox.ops.values import Floats, digest

HUES: Final[Mapping[str, float]] = {
    "red": 0.99, "ruby": 0.97, "rose": 0.94, "pink": 0.92, "fire": 0.04, "lava": 0.03, "autumn": 0.07,
    "copper": 0.06, "orange": 0.08, "sunset": 0.05, "amber": 0.11, "gold": 0.13, "golden": 0.13,
    "desert": 0.10, "yellow": 0.15, "sun": 0.13, "lime": 0.24, "grass": 0.28, "meadow": 0.27, "green": 0.34,
    "forest": 0.37, "jungle": 0.36, "emerald": 0.42, "teal": 0.49, "turquoise": 0.48, "cyan": 0.5,
    "ice": 0.54, "snow": 0.56, "sky": 0.56, "sea": 0.54, "ocean": 0.56, "water": 0.55, "rain": 0.58,
    "blue": 0.61, "navy": 0.63, "night": 0.65, "space": 0.69, "indigo": 0.7, "violet": 0.76, "purple": 0.78,
    "magenta": 0.86,
}  # fmt: skip
"""Words → hue (0..1)."""
SPREAD: Final = (0.0, 0.09, -0.12, 0.46, 0.16)
"""Hues of the five colours, beside the first one's."""
VALUES: Final = (0.96, 0.78, 0.55, 0.98, 0.26)
SATURATIONS: Final = (0.30, 0.62, 0.72, 0.55, 0.66)


def palette(text: str, seed: str) -> Floats:
    """Five colours [5,3] in 0..1: light, middle, deep, accent, dark. The seed (a digest) varies them a little."""
    words = re.findall(r"[a-z]+", text.lower())
    hues = [HUES[word] for word in words if word in HUES]
    chance = int(digest(text)[:8], 16) / 0xFFFFFFFF
    sway = (int(seed[:8], 16) / 0xFFFFFFFF - 0.5) * 0.08
    first = (hues[0] if hues else chance) + sway
    own = [first + shift for shift in SPREAD]
    if len(hues) > 1:
        own[3] = hues[1] + sway
    rows = zip(own, SATURATIONS, VALUES, strict=True)
    return np.array([colorsys.hsv_to_rgb(hue % 1.0, sat, value) for hue, sat, value in rows], np.float32)
