"""Video conditionings that take first, last, control and reference frames: Wan and its relatives, as one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from runner.engine.sandbox.node import NodeContext, NodeResult
from runner.engine.sandbox.ops.latents import HUNYUAN15, LTXV, WAN, WAN22, Format, empty_latent, encode
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.resample import common_upscale
from runner.engine.sandbox.ops.values import (
    Conditioning,
    Guide,
    Latent,
    Octets,
    Picture,
    Reference,
    Symbol,
    changed,
    digest,
    floats,
    octets,
)

GUIDES: Final[Mapping[str, tuple[str, float]]] = {
    "start_image": ("start", 1.0),
    "image": ("start", 1.0),
    "init_image": ("start", 1.0),
    "end_image": ("end", 1.0),
    "control_video": ("all", 0.4),
    "pose_video": ("all", 0.4),
    "background_video": ("all", 0.4),
    "face_video": ("all", 0.15),
}
"""Inputs that give frames: where they stand in the video, and how much they are seen there."""

REFERENCES: Final[Mapping[str, float]] = {"reference_image": 0.45, "ref_image": 0.45, "images": 0.4, "ref_motion": 0.2}
"""Inputs that only lend their looks, and how much they are seen."""


@dataclass(frozen=True)
class VideoNode:
    """A class that makes conditionings and the latent of one video."""

    form: Format = WAN
    reference_frames: tuple[str, ...] | None = None
    """Inputs any of which adds a latent frame at the start, to be trimmed after sampling; none named: always."""
    in_latent: bool = False
    """The frames go into the latent, not into the conditionings."""


VIDEO_NODES: Final[Mapping[str, VideoNode]] = {
    "WanImageToVideo": VideoNode(),
    "WanFirstLastFrameToVideo": VideoNode(),
    "WanFunInpaintToVideo": VideoNode(),
    "WanFunControlToVideo": VideoNode(),
    "Wan22FunControlToVideo": VideoNode(),
    "WanCameraImageToVideo": VideoNode(),
    "WanTrackToVideo": VideoNode(),
    "WanMoveTrackToVideo": VideoNode(),
    "WanHuMoImageToVideo": VideoNode(),
    "WanSoundImageToVideo": VideoNode(),
    "WanVaceToVideo": VideoNode(reference_frames=("reference_image",)),
    "WanAnimateToVideo": VideoNode(reference_frames=()),
    "WanPhantomSubjectToVideo": VideoNode(),
    "Wan22ImageToVideoLatent": VideoNode(WAN22, in_latent=True),
    "HunyuanImageToVideo": VideoNode(),
    "HunyuanVideo15ImageToVideo": VideoNode(HUNYUAN15),
    "LTXVImgToVideo": VideoNode(LTXV, in_latent=True),
    "CosmosImageToVideoLatent": VideoNode(Format(16, 8, 8, video=True), in_latent=True),
    "CosmosPredict2ImageToVideoLatent": VideoNode(in_latent=True),
}


def fitted(frames: Picture, width: int, height: int) -> Octets:
    """Frames cropped to the middle and scaled to the video's size, as these nodes do it."""
    return octets(common_upscale(floats(frames)[..., :3], width, height, "bilinear", "center"))


def guides_of(inputs: Mapping[str, Any], latent: Latent) -> tuple[Guide, ...]:
    """The frames given among the inputs, in the video's size; more than the video has are cut."""
    count = latent.pictures
    return tuple(
        Guide(where, fitted(inputs[name][-count:] if where == "end" else inputs[name][:count], *_size(latent)), weight)
        for name, (where, weight) in GUIDES.items()
        if inputs.get(name) is not None
    )


def _size(latent: Latent) -> tuple[int, int]:
    return latent.width, latent.height


def references_of(inputs: Mapping[str, Any]) -> Iterator[Reference]:
    """The pictures given that only lend their looks."""
    for name, weight in REFERENCES.items():
        if inputs.get(name) is not None:
            yield from (Reference(octets(one)[None], weight) for one in inputs[name][:4])


def _make(kind: str, node: VideoNode, inputs: Mapping[str, Any]) -> tuple[dict[str, Conditioning], Latent, int]:
    """The conditionings by the input they come from, the latent, and how many latent frames are to be trimmed."""
    latent = empty_latent(node.form, inputs["width"], inputs["height"], inputs["length"], inputs["batch_size"])
    guides, references = guides_of(inputs, latent), tuple(references_of(inputs))
    named = node.reference_frames
    trim = int(named is not None and (not named or any(inputs.get(name) is not None for name in named)))
    if trim:
        latent = changed(latent, "reference", frames=latent.frames + trim)
    if node.in_latent:
        latent = changed(latent, kind, guides=guides) if guides else latent
        guides = ()
    given = {name: value for name, value in inputs.items() if not isinstance(value, Conditioning)}
    made = {
        name: replace(
            value,
            digest=digest(kind, value, name, given),
            guides=value.guides + guides,
            references=value.references + references,
        )
        for name, value in inputs.items()
        if isinstance(value, Conditioning)
    }
    return made, latent, trim


def run_video_node(inputs: Mapping[str, Any], context: NodeContext) -> NodeResult:
    """The outputs in the order that the class declares."""
    kind = context.schema.name
    made, latent, trim = _make(kind, VIDEO_NODES[kind], inputs)
    conditionings = list(made.values())
    outputs: list[Any] = []
    for type_, name in context.schema.outputs:
        if type_ == "CONDITIONING":
            outputs.append(conditionings.pop(0) if len(conditionings) > 1 else conditionings[0])
        elif type_ == "LATENT":
            outputs.append(latent)
        else:
            outputs.append(_number(name, trim, inputs))
    return NodeResult(tuple(outputs))


def _number(name: str, trim: int, inputs: Mapping[str, Any]) -> int:
    """`trim_latent`, `trim_image` and `video_frame_offset` of the classes that have them."""
    motion = inputs.get("continue_motion")
    again = 0 if motion is None else min(len(motion), int(inputs["continue_motion_max_frames"]))
    if name == "video_frame_offset":
        return max(0, int(inputs["video_frame_offset"]) - again) + int(inputs["length"])
    return trim if name == "trim_latent" else again


for _kind in VIDEO_NODES:
    op(_kind, raw=True)(run_video_node)


# --- relatives with other inputs -------------------------------------------------------------------------------


@op("Kandinsky5ImageToVideo", raw=True)
def kandinsky5(positive: Conditioning, negative: Conditioning, inputs: Mapping[str, Any]) -> tuple[Any, ...]:
    """The first frame also comes as a latent of its own."""
    del positive, negative
    made, latent, _ = _make("Kandinsky5ImageToVideo", VideoNode(), inputs)
    start = inputs.get("start_image")
    alone = latent if start is None else encode(fitted(start, *_size(latent)), inputs["vae"])
    return made["positive"], made["negative"], latent, alone


@op("LTXVImgToVideoInplace", raw=True)
def ltxv_in_place(image: Picture, latent: Latent, strength: float, bypass: bool) -> Latent:
    """Puts the first frame into a latent."""
    if bypass:
        return latent
    guide = Guide("start", fitted(image, *_size(latent)), strength)
    return changed(latent, "in place", guides=(*latent.guides, guide))


@op("SVD_img2vid_Conditioning", "SV3D_Conditioning", raw=True)
def svd(vae: Symbol, init_image: Picture, width: int, height: int, video_frames: int, inputs: Mapping[str, Any]) -> Any:
    """Conditionings that hold the picture, and a latent with one entry for each frame."""
    latent = empty_latent(Format(4, 8), width, height)
    latent = changed(latent, "svd", video_frames, frames=video_frames, time=1)
    mark = digest("svd", vae, inputs)
    picture = Guide("start", fitted(init_image, *_size(latent)))
    asked = Conditioning(mark, "", (), (picture,))
    return asked, Conditioning(digest(mark, "negative")), latent


@op("StableZero123_Conditioning", "StableZero123_Conditioning_Batched", raw=True)
def zero123(init_image: Picture, width: int, height: int, batch_size: int, inputs: Mapping[str, Any]) -> Any:
    latent = empty_latent(Format(4, 8), width, height, 1, batch_size)
    mark = digest("zero123", inputs)
    asked = Conditioning(mark, "", (Reference(fitted(init_image, *_size(latent)), 0.6),))
    return asked, Conditioning(digest(mark, "negative")), latent


@op("WanCameraEmbedding")
def wan_camera(width: int, height: int, length: int, inputs: Mapping[str, Any]) -> tuple[Symbol, int, int, int]:
    return Symbol("WAN_CAMERA_EMBEDDING", digest("camera", inputs)), width, height, length


@op("HunyuanRefinerLatent", "HunyuanVideo15SuperResolution", raw=True)
def refined(positive: Conditioning, negative: Conditioning, latent: Latent, inputs: Mapping[str, Any]) -> Any:
    """Conditionings that know the latent to be refined; the latent starts anew from it."""
    mark = digest("refine", inputs)
    asked, avoided = (replace(each, digest=digest(mark, each)) for each in (positive, negative))
    return asked, avoided, changed(latent, mark)
