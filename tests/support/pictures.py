"""Small media files of every kind that tests upload, made on the spot."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import av
import numpy as np
from PIL import Image


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 48), mode: str = "RGB", **options: object) -> bytes:
    """A picture with a gradient."""
    out = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(out, kind, **options)
    return out.getvalue()


def turned() -> bytes:
    """A JPEG stored as 64 × 48 and displayed as 48 × 64 (EXIF orientation 6)."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture("JPEG", exif=exif)


def animation(kind: str = "GIF") -> bytes:
    """Three frames."""
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "lime", "blue")]
    out = io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], duration=100)
    return out.getvalue()


def claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims a size: a decompression bomb."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def video(frames: int = 8, fps: int = 16, size: tuple[int, int] = (64, 48)) -> bytes:
    """An H.264 MP4."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(frames):
            array = np.full((size[1], size[0], 3), index * 20, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return out.getvalue()


SAMPLES: dict[str, Callable[[], bytes]] = {
    "png": picture,
    "jpg": lambda: picture("JPEG"),
    "rgba.png": lambda: picture(mode="RGBA"),
    "16bit.png": lambda: picture(mode="I;16"),
    "turned.jpg": turned,
    "gif": animation,
    "webp": lambda: picture("WEBP"),
    "bmp": lambda: picture("BMP"),
    "mp4": video,
    "truncated.png": lambda: picture()[:-40],
    "no-end.png": lambda: picture()[:-12],
    "truncated.jpg": lambda: picture("JPEG")[:-200],
    "flipped.png": lambda: picture()[:60] + bytes([picture()[60] ^ 255]) + picture()[61:],
    "bomb.png": lambda: claims(30_000, 30_000),
    "wide.png": lambda: claims(9_000, 9_000),
    "short.png": lambda: claims(100, 100),
    "empty": lambda: b"",
    "text": lambda: b"hello, I am a picture\n" * 20,
    "html": lambda: b"<!doctype html><script>alert(1)</script>",
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "png-head": lambda: picture()[:8],
    "11MB": lambda: picture() + bytes(11 * 1024 * 1024),
    "polyglot.png": lambda: picture() + b"<html><script>alert(1)</script>",
}
"""Name → bytes."""
