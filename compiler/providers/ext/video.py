"""ext.systems video models: POST /api/v1/video. 16 frames a second, so a duration of d seconds is 16·d + 1 frames."""

from __future__ import annotations

from typing import Any

from compiler.binding import Bench
from compiler.providers.ext.base import LARGEST, ExtProvider, lora_uses
from compiler.providers.ext.requests import CreateVideoRequest
from compiler.sizes import of_area
from compiler.template.manifest import Profile, Stack

BRIDGE_FRAMES = 33
"""Length of the second pass that leads from the last frame back to the first, where `loop` has no picture."""


class WanVideo(ExtProvider):
    """Wan 2.2 with both experts, sampled in 4 steps with the Lightning LoRA."""

    operation = "video"
    Request = CreateVideoRequest
    TEMPLATE, OUTPUT = "wan2x/video", "video"


class Wan22TextToVideo(WanVideo):
    """Text to video, 832×480 by default. `loop` adds a bridge from the last frame back to the first."""

    name, STACK = "wan22-t2v", "wan22_t2v"
    REFUSED = dict.fromkeys(("file_id", "end_frame_file_id"), "Leave it out, or use wan22-i2v")
    BRIDGE_STACK = "wan22_i2v"

    def shape(self, request: Any, bench: Bench, stack: Stack, profile: Profile) -> None:
        self.size(request, bench, stack, stack.default_size, even=2)
        length = request.duration * stack.fps + 1
        bench.set(length=length)
        if request.loop:
            self._bridge(request, bench, length)

    def _bridge(self, request: Any, bench: Bench, length: int) -> None:
        stack = bench.library.stack(self.BRIDGE_STACK)
        profile = stack.profiles[stack.default_profile]
        wires = {"model_high": "bridge_high", "model_low": "bridge_low"}
        bench.attach("wan_bridge_experts", files=stack.files)
        bench.lora(stack, profile, lora_uses(request), wires=wires, label="bridge_")
        bench.attach("wan_loop_bridge", length=BRIDGE_FRAMES, last_index=length - 1, seed=(request.seed or 0) + 1)


class Wan22ImageToVideo(WanVideo):
    """Video from a first frame, to a last frame if one is given; `loop` ends where it began."""

    name, STACK = "wan22-i2v", "wan22_i2v"
    MEDIA = ("file_id", "end_frame_file_id")
    REQUIRED = {"file_id": "Upload the first frame with POST /api/v1/files"}

    def shape(self, request: Any, bench: Bench, stack: Stack, profile: Profile) -> None:
        first = bench.load("file_id", request.file_id, "first")
        area = stack.default_size[0] * stack.default_size[1]
        natural = of_area(first.width, first.height, area, stack.size_multiple, LARGEST)
        self.size(request, bench, stack, natural, even=2)
        if request.loop and request.end_frame_file_id:
            self._through(request, bench, stack)
        elif request.loop:
            self._closed(request, bench, stack)
        else:
            self._open(request, bench, stack)

    def _open(self, request: Any, bench: Bench, stack: Stack) -> None:
        bench.set(length=request.duration * stack.fps + 1)
        if request.end_frame_file_id:
            bench.load("end_frame_file_id", request.end_frame_file_id, "last")
            bench.attach("wan_first_last_frame")
        else:
            bench.attach("wan_first_frame")

    def _closed(self, request: Any, bench: Bench, stack: Stack) -> None:
        """Ends on its first frame; that frame is dropped at the end, so that it is not shown twice."""
        length = request.duration * stack.fps + 1
        bench.set(length=length)
        bench.attach("wan_first_last_frame", {"last": "first"})
        bench.attach("keep_frames", count=length - 1)

    def _through(self, request: Any, bench: Bench, stack: Stack) -> None:
        """Two halves, first → last → first: the end frame is the turning point of the loop."""
        half = request.duration * stack.fps // 2 + 1
        bench.set(length=half)
        bench.load("end_frame_file_id", request.end_frame_file_id, "last")
        bench.attach("wan_first_last_frame")
        bench.attach("wan_return", seed=(request.seed or 0) + 1)


PROVIDERS = (Wan22TextToVideo(), Wan22ImageToVideo())
