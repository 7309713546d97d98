"""Fusara's local video provider: 103."""

from __future__ import annotations

from math import ceil
from typing import Any, Final

from compiler.binding import Bench, with_guidance
from compiler.errors import Fault, RequestError
from compiler.media import Media
from compiler.providers.fusara.base import FusaraProvider
from compiler.providers.fusara.requests.base import FIRST_FRAME, LAST_FRAME, PRESET_NAMES, PREVIOUS_VIDEO
from compiler.providers.fusara.requests.local_media import WanVideoTask
from compiler.sizes import both_up, completed, round_near
from compiler.template.manifest import Profile, Stack

SIZES: Final = {"16:9": (832, 480), "9:16": (480, 832), "1:1": (624, 624)}
"""AspectRatio → pixels at 480p: Wan's own list."""
LARGEST: Final = 2048
MOST_FRAMES: Final = 4096
"""Of an earlier video: ImageFromBatch counts no further (ComfyUI 0.3.64)."""
WINDOW: Final = 81
"""Frames that the model was trained on."""
EVEN: Final = 2
"""H.264 has even sides."""


class Wan22VideoCreate(FusaraProvider):
    """Video with Wan 2.2, from text, a first frame, a last frame, or on from an earlier video, which keeps its size.

    Up to 8 steps and a guidance scale of 1.5 it samples with the Lightning LoRA, else without: 20 steps, 3.5. More
    than 81 frames are made in overlapping windows from text, in segments from frames.
    """

    name, discriminator = "Wan22VideoCreate", "103"
    Request = WanVideoTask
    PRESETS = frozenset({FIRST_FRAME, LAST_FRAME, PREVIOUS_VIDEO})
    LORA = True
    IGNORED = {"Model": "there is one model"}

    def check(self, request: Any) -> None:
        super().check(request)
        seen: dict[int, str] = {}
        for field, preset in request.presets():
            if preset.type_ in self.PRESETS and preset.type_ in seen:
                what = f"{PRESET_NAMES[preset.type_]} is given twice, also at {seen[preset.type_]}"
                raise RequestError(Fault(field, what, "Send one", code="twice"))
            seen[preset.type_] = field

    def bind(self, request: Any, bench: Bench) -> None:
        bench.template, bench.outputs = "wan2x/video", ("video",)
        frames = {preset.type_: (field, preset.source) for field, preset in self.visual(request)}
        stack = bench.library.stack("wan22_i2v" if frames else "wan22_t2v")
        profile = _profile(request, stack)
        bench.sample(stack, profile)
        prompt = self.prompt(request, bench, self.loras(request, bench, stack, profile))
        bench.set(prompt=prompt, negative_prompt=self.negative(request, bench, profile), seed=self.seed(request))
        self._unheard(request, bench)
        length = 4 * round((request.Duration or 5) * stack.fps / 4) + 1
        previous = bench.picture(*frames[PREVIOUS_VIDEO]) if PREVIOUS_VIDEO in frames else None
        size = self._size(request, bench, stack, previous)
        if previous is not None:
            self._go_on(frames, bench, previous, size, length)
        self._frames(request, bench, frames, length)

    def _unheard(self, request: Any, bench: Bench) -> None:
        if request.GenerateAudio:
            bench.unsupported("GenerateAudio", "Wan 2.2 makes no sound")
        for field, preset in request.presets():
            if preset.type_ in self.PRESETS and preset.weight != 1:
                bench.unsupported(f"{field}.Weight", "a frame is given or not: it has no weight")

    def _size(self, request: Any, bench: Bench, stack: Stack, previous: Media | None) -> tuple[int, int]:
        """Pixels that are sampled. What stands over is cropped away; a video that goes on keeps its size."""
        given = bool(request.Width or request.Height)
        for field in ("Width", "Height", "AspectRatio"):
            if request.gives(field) and (previous is not None or (given and field == "AspectRatio")):
                why = "the earlier video's size counts" if previous is not None else "Width and Height count"
                bench.unsupported(field, why)
        if previous is not None:
            asked = _as_before(previous, stack)
        else:
            default = SIZES[request.AspectRatio or "16:9"]
            asked = completed(request.Width, request.Height, default, stack.size_multiple, LARGEST)
        made, shown = both_up(asked, stack.size_multiple), both_up(asked, EVEN)
        bench.set(width=made[0], height=made[1])
        bench.crop(made, shown)
        if shown != asked:
            bench.unsupported("Width", f"H.264 video has even sides: {shown[0]}×{shown[1]}", "size_rounded")
        return made

    def _go_on(
        self, frames: dict[int, tuple[str, str]], bench: Bench, previous: Media, size: tuple[int, int], length: int
    ) -> None:
        """The earlier video's last frame is the first one; the new frames come after it."""
        if FIRST_FRAME in frames:
            bench.unsupported(frames[FIRST_FRAME][0], "the earlier video's last frame is the first frame")
        if previous.frames > MOST_FRAMES:
            what = f"the video has {previous.frames} frames, more than {MOST_FRAMES}"
            raise RequestError(Fault(frames[PREVIOUS_VIDEO][0], what, "Send a shorter one", code="out_of_range"))
        bench.attach("load_previous", video=previous.name)
        fps = bench.params["fps"]
        field = frames[PREVIOUS_VIDEO][0]
        if previous.fps and abs(previous.fps - fps) > FPS_TOLERANCE:
            bench.attach("fit_previous", fields={"previous_fps": field}, previous_fps=previous.fps, fps=fps)
        elif (previous.width, previous.height) != size:
            bench.attach("fit_previous_core")
        bench.attach("first_from_previous")
        bench.attach("append_to_previous", new_count=length - 1, fps=fps)

    def _frames(self, request: Any, bench: Bench, frames: dict[int, tuple[str, str]], length: int) -> None:
        """First and last frame; the windows or segments of a video that is longer than the model's."""
        first = FIRST_FRAME in frames or PREVIOUS_VIDEO in frames
        if FIRST_FRAME in frames and PREVIOUS_VIDEO not in frames:
            bench.load(*frames[FIRST_FRAME], "first")
        if LAST_FRAME in frames:
            bench.load(*frames[LAST_FRAME], "last")
        lengths = segments(length) if first else [length]
        bench.set(length=lengths[0])
        last = LAST_FRAME in frames and len(lengths) == 1
        if first or last:
            bench.attach(
                {(1, 0): "wan_first_frame", (0, 1): "wan_last_frame"}.get((first, last), "wan_first_last_frame")
            )
        if not first and length > WINDOW:
            bench.attach("wan_context_windows")
        self._segments(request, bench, lengths, LAST_FRAME in frames)

    def _segments(self, request: Any, bench: Bench, lengths: list[int], last: bool) -> None:
        made = lengths[0]
        for number, length in enumerate(lengths[1:], 1):
            end = {"end": "last"} if last and number == len(lengths) - 1 else None
            seed = (self.seed(request) + number) % 2**64
            bench.attach("wan_next_segment", end, segment_length=length, start_index=made - 1, segment_seed=seed)
            made += length - 1


FRAMES: Final = {
    (True, False): "wan_first_frame",
    (False, True): "wan_last_frame",
    (True, True): "wan_first_last_frame",
}
"""(first frame, last frame) → the fragment that gives them to the model."""
FPS_TOLERANCE: Final = 0.01
"""Frames a second: rates as near as this are the same."""


def _profile(request: Any, stack: Stack) -> Profile:
    """Lightning or not, with the steps, guidance scale and shift that were asked."""
    fast = (request.NumberOfInferenceSteps or 4) <= 8 and (request.GuidanceScale or 1.0) <= 1.5
    base = stack.profiles["lightning" if fast else "quality"]
    scale = base.cfg if request.GuidanceScale is None else request.GuidanceScale
    made = with_guidance(base, request.NumberOfInferenceSteps or base.steps, scale)
    shift = base.shift if request.SamplingShift is None else request.SamplingShift
    return made.model_copy(update={"shift": shift})


def _as_before(previous: Media, stack: Stack) -> tuple[int, int]:
    """The video's size in whole multiples, no side longer than the contract allows."""
    scale = min(1.0, LARGEST / max(previous.width, previous.height))
    multiple = stack.size_multiple
    return round_near(previous.width * scale, multiple), round_near(previous.height * scale, multiple)


def segments(length: int) -> list[int]:
    """Frames of each segment, 4n+1, of a video of 4n+1 frames: as equal as can be, none above the model's window.
    Each begins with the last frame of the one before."""
    count = ceil((length - 1) / (WINDOW - 1))
    quarters = (length - 1) // 4
    return [4 * (quarters // count + (number < quarters % count)) + 1 for number in range(count)]


PROVIDERS = (Wan22VideoCreate(),)
