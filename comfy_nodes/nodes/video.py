"""Frames of a video as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._inputs import MAX_SIDE, image, number, whole

if TYPE_CHECKING:
    from torch import Tensor


class ComfycVideoResample:
    """Brings frames [F, H, W, C] to another rate and size; the length in seconds stays.

    Each new frame is the old one that is shown at its middle, so that nothing is blended. Sizes are scaled with an
    anti-aliased cubic, sixteen frames at a time; with one of width and height at 0 the aspect ratio stays. Memory: the
    result, and sixteen frames twice. Errors: ValueError for more than 20,000 frames, or a side of more than 16,384.
    """

    DISPLAY_NAME = "Video resample (comfyc)"
    CATEGORY = "comfyc/video"
    DESCRIPTION = "Frames at another rate and size; the video keeps its length in seconds."
    FUNCTION = "resample"
    RETURN_TYPES = ("IMAGE", "FLOAT")
    RETURN_NAMES = ("images", "fps")
    OUTPUT_TOOLTIPS = ("The frames.", "Their rate, for Create Video.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {
            "required": {
                "images": image("The frames of the video."),
                "fps_in": number(24.0, 0.01, 1000.0, "Frames a second that they have now."),
                "fps_out": number(16.0, 0.01, 1000.0, "Frames a second that are wanted."),
                "width": whole(
                    0, 0, MAX_SIDE, "Width in pixels; 0 keeps it, or the aspect ratio if a height is given."
                ),
                "height": whole(
                    0, 0, MAX_SIDE, "Height in pixels; 0 keeps it, or the aspect ratio if a width is given."
                ),
            }
        }

    def resample(self, images: Tensor, fps_in: float, fps_out: float, width: int, height: int) -> tuple[Tensor, float]:
        """See the class."""
        from ..ops import frames

        return frames.resampled(images, fps_in, fps_out, width, height), fps_out


class ComfycVideoEnds:
    """The first and the last frame of [F, H, W, C], each [1, H, W, C], and how many frames there are."""

    DISPLAY_NAME = "Video ends (comfyc)"
    CATEGORY = "comfyc/video"
    DESCRIPTION = "The first and the last frame of a video."
    FUNCTION = "ends"
    RETURN_TYPES = ("IMAGE", "IMAGE", "INT")
    RETURN_NAMES = ("first", "last", "count")
    OUTPUT_TOOLTIPS = ("The first frame.", "The last frame.", "How many frames there are.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {"required": {"images": image("The frames of the video.")}}

    def ends(self, images: Tensor) -> tuple[Tensor, Tensor, int]:
        """See the class."""
        return images[:1], images[-1:], len(images)


NODES = (ComfycVideoResample, ComfycVideoEnds)
