"""Films and sound in files, through PyAV."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# PyAV's stubs leave out type arguments of its own generics.

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, Final

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from runner.engine.sandbox.ops.values import Audio, Floats, Octets, Picture, Video, octets

MOVFLAGS: Final = {"movflags": "use_metadata_tags"}
"""Lets an MP4 keep tags of any name."""
MAX_CHANNELS: Final = 2


@dataclass(frozen=True)
class FilmFormat:
    """How frames are encoded."""

    container: str
    codec: str
    pixels: str = "yuv420p"
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    container_options: Mapping[str, str] = field(default_factory=dict[str, str])


H264: Final = FilmFormat("mp4", "libx264", options={"preset": "superfast", "crf": "20"}, container_options=MOVFLAGS)


def write_film(target: Path | IO[bytes], video: Video, form: FilmFormat, tags: Mapping[str, str]) -> None:
    """Writes frames and, where there is any, sound; the rate to a thousandth, as ComfyUI writes it.

    Errors: av.FFmpegError where the codec refuses, e.g. for an odd side.
    """
    name = str(target) if isinstance(target, Path) else target
    rate = Fraction(round(video.fps * 1000), 1000)
    with av.open(name, "w", format=form.container, options=dict(form.container_options)) as container:
        container.metadata.update(tags)
        stream: Any = container.add_stream(form.codec, rate=rate, options=dict(form.options))
        stream.height, stream.width = video.images.shape[1:3]
        stream.pix_fmt = form.pixels
        stream.thread_type = "AUTO"
        sound = _sound_stream(container, "aac", video.audio.rate, video.audio.waveform[0]) if video.audio else None
        _encode_frames(container, stream, video.images, form.pixels)
        if sound is not None and video.audio is not None:
            samples = math.ceil(video.audio.rate / rate * len(video.images))
            _encode_sound(container, sound, video.audio.waveform[0, :, :samples], video.audio.rate)


def _encode_frames(container: OutputContainer, stream: VideoStream, images: Picture, pixels: str) -> None:
    for one in images:
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(octets(one)[..., :3]), format="rgb24")
        container.mux(stream.encode(frame.reformat(format=pixels)))
    container.mux(stream.encode(None))


def read_film(path: Path) -> Video:
    """All frames, the rate and the first sound track of a file."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames: list[Any] = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        fps = float(stream.average_rate or stream.guessed_rate or 1)
    return Video(np.stack(frames), fps, read_sound(path))


def through(picture: Octets, form: FilmFormat) -> Octets:
    """What a codec makes of one picture; an odd last row or column is cut."""
    from io import BytesIO

    target = BytesIO()
    even = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2, :3]
    write_film(target, Video(even[None], 1.0), form, {})
    target.seek(0)
    with av.open(target, "r") as container:
        made: Any = next(iter(container.decode(container.streams.video[0]))).to_ndarray(format="rgb24")
    return made


# --- sound -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SoundFormat:
    """How sound is encoded."""

    container: str
    codec: str
    rates: tuple[int, ...] = ()
    """Rates that the codec has; another one goes to the next higher. Empty: any."""


SOUND: Final[Mapping[str, SoundFormat]] = {
    "flac": SoundFormat("flac", "flac"),
    "mp3": SoundFormat("mp3", "libmp3lame"),
    "opus": SoundFormat("opus", "libopus", (8000, 12000, 16000, 24000, 48000)),
}
"""By file name ending."""


def write_sound(
    target: Path, waveform: Floats, rate: int, form: SoundFormat, quality: str, tags: Mapping[str, str]
) -> None:
    """One file of [C,T]. `quality` is empty, `V0`, or a bit rate such as `128k`."""
    out_rate = next((known for known in form.rates if known >= rate), form.rates[-1]) if form.rates else rate
    with av.open(str(target), "w", format=form.container) as container:
        container.metadata.update(tags)
        stream = _sound_stream(container, form.codec, out_rate, waveform)
        if quality == "V0":
            stream.codec_context.qscale = 1  # type: ignore[attr-defined]
        elif quality:
            stream.bit_rate = int(quality.removesuffix("k")) * 1000
        _encode_sound(container, stream, waveform, rate)


def _sound_stream(container: OutputContainer, codec: str, rate: int, waveform: Floats) -> AudioStream:
    stream: Any = container.add_stream(codec, rate=rate, layout=_layout(waveform))
    return stream


def _layout(waveform: Floats) -> str:
    return "mono" if len(waveform) == 1 else "stereo"


def _encode_sound(container: OutputContainer, stream: AudioStream, waveform: Floats, rate: int) -> None:
    samples = np.ascontiguousarray(waveform[:MAX_CHANNELS].T.reshape(1, -1), np.float32)
    frame = AudioFrame.from_ndarray(samples, format="flt", layout=_layout(waveform))
    frame.sample_rate = rate
    frame.pts = 0
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def read_sound(path: Path) -> Audio | None:
    """The first sound track of a file; None if there is none."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp")
        parts = [_planes(part) for part in _resampled(resampler, container.decode(stream))]
        return Audio(np.concatenate(parts, axis=1)[None], stream.rate) if parts else None


def _resampled(resampler: Any, frames: Iterable[Any]) -> Iterable[Any]:
    for frame in frames:
        yield from resampler.resample(frame)
    yield from resampler.resample(None)


def _planes(frame: Any) -> Floats:
    return frame.to_ndarray().astype(np.float32)
