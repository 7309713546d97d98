"""Writes the sound that the example of audio separation starts from: `python examples/media/make_chord.py`."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

RATE, SECONDS = 22050, 3
NOTES = ((220.0, 0.0), (277.2, 0.25), (329.6, 0.5), (440.0, 0.75))
"""(hertz, seconds from the beginning of each bar of 1.5 seconds)"""


def main() -> None:
    time = np.arange(RATE * SECONDS) / RATE
    wave = sum(np.sin(2 * np.pi * hertz * time) * np.exp(-((time - start) % 1.5) * 2) for hertz, start in NOTES)
    frame = av.AudioFrame.from_ndarray((5000 * wave).astype(np.int16)[None], format="s16", layout="mono")
    frame.sample_rate = RATE
    with av.open(str(Path(__file__).with_name("chord.flac")), "w") as file:
        stream = file.add_stream("flac", rate=RATE)
        stream.layout = "mono"
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


if __name__ == "__main__":
    main()
