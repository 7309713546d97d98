"""Videos: frames with a rate and maybe sound."""

from __future__ import annotations

from runner.engine.sandbox.node import NodeContext, NodeResult
from runner.engine.sandbox.ops.codec import H264, read_film, write_film
from runner.engine.sandbox.ops.files import annotated_path, metadata, place
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.values import Audio, Picture, Video


@op("CreateVideo", raw=True)
def create_video(images: Picture, fps: float, audio: Audio | None = None) -> Video:
    return Video(images, fps, audio)


@op("GetVideoComponents", raw=True)
def get_video_components(video: Video) -> tuple[Picture, Audio | None, float]:
    return video.images, video.audio, float(video.fps)


@op("SaveVideo", raw=True)
def save_video(video: Video, context: NodeContext, filename_prefix: str = "video/ComfyUI") -> NodeResult:
    """An MP4 with H.264 in yuv420p, AAC sound if there is any, and the prompt in its tags."""
    height, width = video.images.shape[1:3]
    path, entry = place(filename_prefix, context, width=width, height=height).file("mp4")
    write_film(path, video, H264, metadata(context))
    return NodeResult((), {"images": [entry], "animated": [True]})


@op("LoadVideo", raw=True)
def load_video(file: str, context: NodeContext) -> Video:
    return read_film(annotated_path(file, context))
