"""Draws README's picture from a video that `make run` made: `python docs/make_picture.py [VIDEO] [PICTURE]`."""

from __future__ import annotations

import sys
from pathlib import Path

import av
from PIL import Image

HERE = Path(__file__).parent
WIDTH, GAP = 416, 8


def main(video: Path, picture: Path) -> None:
    """First, middle and last frame side by side."""
    with av.open(str(video)) as container:
        frames = [frame.to_image() for frame in container.decode(video=0)]
    height = WIDTH * frames[0].height // frames[0].width
    shown = [frames[0], frames[len(frames) // 2], frames[-1]]
    strip = Image.new("RGB", (len(shown) * (WIDTH + GAP) - GAP, height), "white")
    for index, frame in enumerate(shown):
        strip.paste(frame.resize((WIDTH, height), Image.Resampling.LANCZOS), (index * (WIDTH + GAP), 0))
    strip.save(picture, optimize=True)


if __name__ == "__main__":
    given = [Path(word) for word in sys.argv[1:]]
    main(*given, *(HERE.parent / "out/wan22-i2v/video-1.mp4", HERE / "run.png")[len(given) :])
