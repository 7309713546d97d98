"""Colours and the style sheet of a drawing: light and dark, by CSS variables, so that a page may choose its own."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable, Mapping
from typing import Final
from zlib import crc32

TYPES: Final[Mapping[str, str]] = {
    "CLIP": "#ffd500",
    "CLIP_VISION": "#a8dadc",
    "CLIP_VISION_OUTPUT": "#ad7452",
    "CONDITIONING": "#ffa931",
    "CONTROL_NET": "#6ee7b7",
    "IMAGE": "#64b5f6",
    "LATENT": "#ff9cf9",
    "MASK": "#81c784",
    "MODEL": "#b39ddb",
    "STYLE_MODEL": "#c2ffae",
    "VAE": "#ff6e6e",
    "NOISE": "#b0b0b0",
    "GUIDER": "#66ffff",
    "SAMPLER": "#ecb4b4",
    "SIGMAS": "#cdffcd",
    "VIDEO": "#7fe0c3",
    "AUDIO": "#f5c26b",
}
"""ComfyUI's default palette of link types (frontend 1.27), and two of ours; other types get a colour by their name."""

_DARK: Final[Mapping[str, str]] = {
    "paper": "#14161b",
    "body": "#22252c",
    "field": "#181a20",
    "line": "#3b404b",
    "text": "#e8eaee",
    "faint": "#8f96a5",
    "group": "#7f9cff",
    "accent": "#4cc38a",
    "running": "#5aa9ff",
    "failed": "#ff6363",
    "cached": "#9aa3b5",
}
_LIGHT: Final[Mapping[str, str]] = {
    "paper": "#f7f8fa",
    "body": "#ffffff",
    "field": "#f2f4f7",
    "line": "#ccd2dc",
    "text": "#1c2026",
    "faint": "#69707d",
    "group": "#4a63d0",
    "accent": "#178a55",
    "running": "#1f6fd6",
    "failed": "#d42a2a",
    "cached": "#8a93a3",
}
LIGHTEST: Final = 0.42
"""Lightness of a type's colour on white; ComfyUI's own are made for a dark page."""

_RULES: Final = """
{S} text{font-family:Inter,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;fill:var(--text)}
{S} .paper{fill:var(--paper)}
{S} .group rect{fill:var(--group);fill-opacity:.07;stroke:var(--group);stroke-opacity:.55;stroke-dasharray:5 4}
{S} .group text{fill:var(--group);font-size:11px;font-weight:600}
{S} .link{fill:none;stroke:var(--c,var(--faint));stroke-width:2.2;stroke-linecap:round;stroke-opacity:.9}
{S} .halo{fill:none;stroke:var(--paper);stroke-width:5.5}
{S} .link.back{stroke:var(--failed);stroke-dasharray:6 4}
{S} .body{fill:var(--body);stroke:var(--line)}
{S} .head{fill:var(--c,var(--line));fill-opacity:.2}
{S} .name{font-size:12.5px;font-weight:600}
{S} .note{font-size:9.5px;fill:var(--faint)}
{S} .slot,{S} .key,{S} .value,{S} .long{font-size:11px}
{S} .slot.idle,{S} .key{fill:var(--faint)}
{S} .field{fill:var(--field)}
{S} .dot{fill:var(--c,var(--faint));stroke:var(--c,var(--faint));stroke-width:1.5}
{S} .dot.idle{fill:var(--body);stroke-opacity:.6}
{S} .dot.unmet{fill:var(--body);stroke:var(--failed)}
{S} .badge rect{fill:var(--accent);fill-opacity:.16}
{S} .badge text{fill:var(--accent);font-size:8.5px;font-weight:700;letter-spacing:.6px}
{S} .bar{fill:var(--running);transform:scaleX(var(--progress,0));transform-box:fill-box}
{S} .output .body{stroke:var(--accent);stroke-width:1.8}
{S} .missing .body{stroke:var(--failed);stroke-dasharray:5 3}
{S} .done .body{stroke:var(--accent);stroke-width:2.4}
{S} .cached .body{stroke:var(--cached);stroke-width:2.4;stroke-dasharray:2 3}
{S} .running .body{stroke:var(--running);stroke-width:2.8;animation:comfyc-pulse 1.2s ease-in-out infinite}
{S} .failed .body{stroke:var(--failed);stroke-width:2.8}
@keyframes comfyc-pulse{50%{stroke-opacity:.35}}
@media (prefers-reduced-motion:reduce){{S} .running .body{animation:none}}
""".strip()
SCOPE: Final = ".comfyc-graph"


def type_class(kind: str) -> str:
    """The CSS class of a link type; empty for an unknown one."""
    word = re.sub(r"[^A-Za-z0-9_]+", "-", kind.partition(",")[0]).strip("-")
    return f"t-{word}" if word else ""


def style_sheet(types: Iterable[str]) -> str:
    """The rules for these link types. `data-theme="dark"` or `"light"`, on the drawing or around it, overrides what
    the reader's system prefers."""
    known = {name: kind.partition(",")[0].strip() for kind in sorted(types) if (name := type_class(kind))}
    dark = {name: TYPES.get(kind) or _by_name(kind) for name, kind in known.items()}
    light = {name: _darker(colour) for name, colour in dark.items()}
    on_dark, on_light = _variables({**_DARK, **dark}), _variables({**_LIGHT, **light})
    rules = [
        "{S}" + on_light,
        "@media (prefers-color-scheme:dark){{S}" + on_dark + "}",
        '{S}[data-theme="light"],[data-theme="light"] {S}' + on_light,
        '{S}[data-theme="dark"],[data-theme="dark"] {S}' + on_dark,
        *("{S} .%s{--c:var(--%s)}" % (name, name) for name in known),  # noqa: UP031 - braces are CSS here
        _RULES,
    ]
    return "\n".join(rules).replace("{S}", SCOPE)


def _variables(colours: Mapping[str, str]) -> str:
    return "{" + ";".join(f"--{name}:{colour}" for name, colour in colours.items()) + "}"


def _by_name(kind: str) -> str:
    """A colour of its own for each type that the palette lacks, always the same."""
    return _hex(colorsys.hls_to_rgb(crc32(kind.encode()) % 360 / 360, 0.68, 0.42))


def _darker(colour: str) -> str:
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    return _hex(colorsys.hls_to_rgb(hue, min(lightness, LIGHTEST), min(saturation, 0.72)))


def _hex(rgb: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in rgb)
