"""Videos: frames with a rate, H.264 and VP9 files."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from runner.engine.sandbox.node import NodeContext, NodeResult
from runner.engine.sandbox.ops.files import annotated_path, metadata, place
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.values import Audio, Octets, Picture, Video, octets

H264_OPTIONS: Final = {"preset": "veryfast", "crf": "20"}


@op("CreateVideo", raw=True)
def create_video(images: Picture, fps: float, audio: Audio | None = None) -> Video:
    return Video(images, fps, audio)


@op("GetVideoComponents", raw=True)
def get_video_components(video: Video) -> tuple[Picture, Audio | None, float]:
    return video.images, video.audio, float(video.fps)


@op("SaveVideo", raw=True)
def save_video(
    video: Video,
    context: NodeContext,
    filename_prefix: str = "video/ComfyUI",
    format: str = "auto",
    codec: str = "auto",
) -> NodeResult:
    """An MP4 with H.264 in yuv420p, AAC sound if there is any, and the prompt in its tags."""
    height, width = video.images.shape[1:3]
    path, entry = place(filename_prefix, context, width=width, height=height).file("mp4")
    write_mp4(video, path, metadata(context))
    return NodeResult((), {"images": [entry], "animated": [True]})


@op("LoadVideo", raw=True)
def load_video(file: str, context: NodeContext) -> Video:
    return read_video(annotated_path(file, context))


# --- files -----------------------------------------------------------------------------------------------------


def write_mp4(video: Video, path: Path, tags: dict[str, str]) -> None:
    """Writes the file. Errors: ValueError where a side is odd (yuv420p has none)."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update(tags)
        rate = Fraction(round(video.fps * 1000), 1000)
        stream = container.add_stream("libx264", rate=rate, options=dict(H264_OPTIONS))
        _set_size(stream, video.images)
        sound = _aac_stream(container, video.audio)
        _encode_frames(container, stream, video.images)
        if sound is not None and video.audio is not None:
            samples = math.ceil(video.audio.rate / float(rate) * len(video.images))
            _encode_sound(container, sound, video.audio.waveform[0, :, :samples], video.audio.rate)


def _set_size(stream: VideoStream, images: Picture) -> None:
    stream.height, stream.width = images.shape[1:3]
    stream.pix_fmt = "yuv420p"


def _encode_frames(container: Any, stream: VideoStream, images: Picture) -> None:
    for one in images:
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(octets(one)[..., :3]), format="rgb24")
        container.mux(stream.encode(frame.reformat(format="yuv420p")))
    container.mux(stream.encode(None))


def _aac_stream(container: Any, audio: Audio | None) -> AudioStream | None:
    if audio is None:
        return None
    layout = "mono" if audio.waveform.shape[1] == 1 else "stereo"
    return cast("AudioStream", container.add_stream("aac", rate=audio.rate, layout=layout))


def _encode_sound(container: Any, stream: AudioStream, waveform: Any, rate: int) -> None:
    layout = "mono" if waveform.shape[0] == 1 else "stereo"
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(waveform[:2], np.float32), format="fltp", layout=layout)
    frame.sample_rate = rate
    frame.pts = 0
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def read_video(path: Path) -> Video:
    """All frames, the rate and the first sound track of a file."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames: list[Octets] = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        fps = float(stream.average_rate or stream.guessed_rate or 1)
    return Video(np.stack(frames), fps, read_sound(path))


def read_sound(path: Path) -> Audio | None:
    """The first sound track of a file; None if there is none."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp")
        parts = [part.to_ndarray() for frame in container.decode(stream) for part in resampler.resample(frame)]
        return Audio(np.concatenate(parts, axis=1)[None].astype(np.float32), stream.rate) if parts else None
