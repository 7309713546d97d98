"""A picture on a larger canvas, for outpainting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._inputs import MAX_SIDE, choice, image, whole

if TYPE_CHECKING:
    from torch import Tensor

ANCHORS = ["center", "top", "bottom", "left", "right", "top-left", "top-right", "bottom-left", "bottom-right"]
FILLS = ["gray", "black", "white", "edge"]


class ComfycPadToCanvas:
    """Places a picture [B, H, W, C] on a canvas of `width` × `height` pixels; one that is larger is scaled down to fit.

    Outputs: the canvas [B, height, width, C]; the mask [1, height, width]: 1 on what is new, falling as a square to 0
    within `feather` pixels inside the picture, at the edges that touch new area only (at most half of the picture);
    and `x`, `y` of the picture's upper left corner. New area of a picture with alpha is opaque, or repeats the alpha
    of the edge. Memory: the canvas once more than the result.
    """

    DISPLAY_NAME = "Pad to canvas (comfyc)"
    CATEGORY = "comfyc/image"
    DESCRIPTION = "A picture on a canvas of a given size, with the mask of what is to be painted around it."
    FUNCTION = "pad"
    RETURN_TYPES = ("IMAGE", "MASK", "INT", "INT")
    RETURN_NAMES = ("image", "mask", "x", "y")
    OUTPUT_TOOLTIPS = (
        "The canvas.",
        "1 on what is new, feathered into the picture.",
        "Where the picture begins, from the left.",
        "Where the picture begins, from the top.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {
            "required": {
                "image": image("The picture to place."),
                "width": whole(1024, 16, MAX_SIDE, "Width of the canvas in pixels."),
                "height": whole(1024, 16, MAX_SIDE, "Height of the canvas in pixels."),
                "anchor": choice(ANCHORS, "Where on the canvas the picture lies."),
                "feather": whole(24, 0, 1024, "How far the mask reaches into the picture, in pixels."),
                "fill": choice(FILLS, "What new area is filled with; edge repeats the picture's border."),
            }
        }

    def pad(
        self, image: Tensor, width: int, height: int, anchor: str, feather: int, fill: str
    ) -> tuple[Tensor, Tensor, int, int]:
        """See the class."""
        from ..ops import pad

        return pad.to_canvas(image, width, height, anchor, feather, fill)


NODES = (ComfycPadToCanvas,)
