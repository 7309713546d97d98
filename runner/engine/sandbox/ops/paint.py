"""From a latent to pictures: what was encoded comes back, what a sampler made is drawn as a labelled placeholder."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from runner.engine.sandbox.ops.frames import blend, blend_one, for_each
from runner.engine.sandbox.ops.palette import palette
from runner.engine.sandbox.ops.resample import cover
from runner.engine.sandbox.ops.scene import scene
from runner.engine.sandbox.ops.values import Floats, Guide, Latent, Octets, Sketch, digest, octets

GREY: Final = 127
"""An empty latent decodes to about this."""
BLEND_SHARE: Final = 0.4
"""The share of a video over which a given first or last frame dissolves."""
FLOOR_AFTER_FIRST: Final = 0.22
FLOOR_BETWEEN: Final = 0.4
"""How much of given frames is seen at least, so that a video stays recognisable."""
PREVIEW_SIDE: Final = 256
TITLE: Final = "comfyc sandbox"
SHADE: Final = 0.35
"""How much of the picture is seen through the bar."""
INK: Final = 245


def draw(latent: Latent, width: int = 0, height: int = 0, frames: int = 0) -> Octets:
    """Pictures [batch*frames,H,W,3] of a latent, without a caption, in its own size or a smaller one."""
    width, height, frames = width or latent.width, height or latent.height, frames or latent.pictures
    if isinstance(latent.art, Sketch):
        parts = [_draw_sketch(latent.art, index, frames, width, height) for index in range(latent.batch)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
    if latent.art is None:
        return np.full((latent.batch * frames, height, width, 3), GREY, np.uint8)
    return _fit(latent.art, latent.batch, frames, width, height)


def decode(latent: Latent) -> Octets:
    """Pictures as VAEDecode gives them: drawn, with the caption that says what they are."""
    pictures = draw(latent)
    if latent.caption:
        write_caption(pictures, f"{TITLE} · {latent.caption} · {latent.width}x{latent.height}")
    return pictures


def preview(latent: Latent, done: float, seed: str) -> bytes:
    """A small JPEG of the work in progress: the picture's middle frame coming out of noise (`done` 0..1)."""
    scale = min(1.0, PREVIEW_SIDE / max(latent.width, latent.height))
    width, height = max(8, round(latent.width * scale)), max(8, round(latent.height * scale))
    picture = draw(latent, width, height, 1)[0].astype(np.float32)
    noise = np.random.Generator(np.random.PCG64(int(seed, 16))).integers(0, 256, picture.shape, np.uint8)
    mixed = picture * np.float32(done) + noise * np.float32(1 - done)
    target = BytesIO()
    Image.fromarray(mixed.astype(np.uint8)).save(target, "JPEG", quality=85)
    return target.getvalue()


# --- sketches --------------------------------------------------------------------------------------------------


def _draw_sketch(sketch: Sketch, index: int, frames: int, width: int, height: int) -> Octets:
    seed = digest(sketch.digest, index)
    times = np.linspace(0.0, 1.0, frames, dtype=np.float32) if frames > 1 else np.array([0.5], np.float32)
    pictures = scene(seed, palette(sketch.text, seed), times, width, height)
    for reference in sketch.references:
        blend(pictures, cover(octets(reference.picture[:1]), width, height), reference.weight)
    _apply_guides(pictures, sketch.guides)
    if sketch.base is not None:
        _apply_base(pictures, sketch, sketch.base, index)
    if sketch.noise > 0:
        noise = np.random.Generator(np.random.PCG64(int(seed, 16))).integers(0, 256, (1, height, width, 3), np.uint8)
        blend(pictures, noise, sketch.noise)
    return pictures


def _apply_guides(pictures: Octets, guides: tuple[Guide, ...]) -> None:
    """Lays given frames over the drawn ones: control frames thinly over all, first and last ones dissolving."""
    height, width = pictures.shape[1:3]
    fitted = {guide.where: cover(octets(guide.frames), width, height) for guide in guides}
    strength = {guide.where: guide.weight for guide in guides}
    if "all" in fitted:
        given = fitted["all"]
        blend(pictures, given[np.minimum(np.arange(len(pictures)), len(given) - 1)], strength["all"])
    first, last = fitted.get("start"), fitted.get("end")
    if first is None and last is None:
        return
    plan = dissolve(len(pictures), 0 if first is None else len(first), 0 if last is None else len(last))
    most = strength.get("start", 1.0) if last is None else 1.0

    def one(index: int) -> None:
        weight, share = float(plan[0][index]) * most, float(plan[1][index])
        blend_one(pictures[index], _end_frame(first, last, index, len(pictures), share), weight)

    for_each(len(pictures), one)


def _end_frame(first: Octets | None, last: Octets | None, index: int, count: int, share: float) -> Octets:
    """What is laid over one frame: of the first ones, of the last ones, or between both."""
    early = None if first is None else first[min(index, len(first) - 1)]
    late = None if last is None else last[max(0, index - count + len(last))]
    if early is None or late is None:
        given = early if late is None else late
        assert given is not None
        return given
    mixed = np.array(early)
    blend_one(mixed, late, share)
    return mixed


def dissolve(count: int, first: int, last: int) -> tuple[Floats, Floats]:
    """For each of `count` frames of which some first and last are given: how much of a given one is seen, and how
    much of that is the last. Given frames are seen fully; the others less, down to a floor."""
    known = max(1, count - first - last + 1) if first and last else max(1.0, count * BLEND_SHARE)
    if not first:
        weight, _ = dissolve(count, last, 0)
        return weight[::-1], np.ones(count, np.float32)
    way = np.clip((np.arange(count, dtype=np.float32) - (first - 1)) / np.float32(known), 0, 1)
    smooth = way * way * (3 - 2 * way)
    if not last:
        return 1 - smooth * np.float32(1 - FLOOR_AFTER_FIRST), np.zeros(count, np.float32)
    dip = np.square(np.sin(np.float32(np.pi) * way))
    return 1 - dip * np.float32(1 - FLOOR_BETWEEN), smooth


def _apply_base(pictures: Octets, sketch: Sketch, base: Latent, index: int) -> None:
    count, height, width = pictures.shape[:3]
    old = draw(base, width, height, count)
    old = old[(index % base.batch) * count :][:count]
    if base.mask is None:
        blend(pictures, old, sketch.keep)
        return
    mask = base.mask[index % len(base.mask)]
    small = Image.fromarray(mask).resize((width, height), Image.Resampling.BILINEAR)
    allowed = np.clip(np.asarray(small, np.float32), 0, 1)[None, :, :, None] * np.float32(1 - sketch.keep)
    mixed = old + (pictures.astype(np.float32) - old) * allowed
    pictures[:] = (mixed + 0.5).astype(np.uint8)


def _fit(art: Octets, batch: int, frames: int, width: int, height: int) -> Octets:
    have = max(1, len(art) // batch)
    if have != frames:
        chosen = np.minimum(
            np.round(np.linspace(0, have - 1, frames)).astype(int) if frames > 1 else [have // 2], have - 1
        )
        art = np.concatenate([art[entry * have : (entry + 1) * have][chosen] for entry in range(batch)])
    if art.shape[1:3] == (height, width):
        return art
    return np.stack(
        [np.asarray(Image.fromarray(one).resize((width, height), Image.Resampling.BILINEAR)) for one in art]
    )


# --- caption ---------------------------------------------------------------------------------------------------


def write_caption(pictures: Octets, text: str) -> None:
    """Writes a line on a dark bar at the foot of every picture, in place; tiny pictures stay clean."""
    height, width = pictures.shape[1:3]
    if width < 96 or height < 48:
        return
    keep, add = _bar(width, height, plain(text))
    strip = pictures[:, height - len(keep) :]
    strip[:] = ((strip * keep[..., None]) >> 8) + add[..., None]


def plain(text: str) -> str:
    """The text in characters that Pillow's own font has: accents go, other scripts become a question mark."""
    folded = unicodedata.normalize("NFKD", " ".join(text.split()))
    kept = (c for c in folded if not unicodedata.combining(c))
    return "".join(c if c.isascii() or c in "·…“”" else "?" for c in kept)


@lru_cache(maxsize=32)
def _bar(width: int, height: int, text: str) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """A strip as wide as the picture: what is kept of it (of 256), and the light of the letters."""
    size = max(9, min(28, height // 30, width // 30))
    font = ImageFont.load_default(size)
    strip = Image.new("L", (width, round(size * 1.9)), 0)
    pen = ImageDraw.Draw(strip)
    pen.text((size * 0.7, size * 0.36), _shorten(text, font, width - size * 1.4), fill=255, font=font)
    letters = np.asarray(strip, np.float32) / np.float32(255)
    return ((1 - letters) * SHADE * 256).astype(np.uint16), (letters * INK).astype(np.uint16)


def _shorten(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float) -> str:
    """Takes words from the prompt in the middle until the line fits; the ends say what it is and its seed."""
    head, _, rest = text.partition(" · ")
    middle, _, tail = rest.partition(" · ")
    while font.getlength(text) > room and middle:
        middle = middle[:-2].rstrip(" …") if len(middle) > 2 else ""
        text = " · ".join(part for part in (head, f"{middle}…" if middle else "", tail) if part)
    return text
