"""A picture brought to a size or an aspect ratio, around its subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._inputs import MAX_SIDE, choice, image, number, text, whole

if TYPE_CHECKING:
    from torch import Tensor

MODES = ["auto", "crop", "pad", "scale"]
POSITIONS = ["center", "top", "bottom", "left", "right"]
RESAMPLING = ["lanczos", "bicubic", "bilinear", "area", "nearest-exact"]


class ComfycImageAdjust:
    """Crops, pads or scales pictures [B, H, W, C] to a target.

    The target is `target_width` × `target_height`; or an `aspect_ratio` such as `3:4`, `3/4` or `0.75`, at the
    picture's own resolution, or with one of the two sides; or neither: the picture's own shape, if margins are asked.

    | mode | what |
    | --- | --- |
    | `crop` | fills the target and cuts off what stands over, at the side away from `cropping_position` |
    | `pad` | keeps all of the picture, centred, and fills the rest with `fill` |
    | `auto` | `pad` if the aspect ratios are more than 5 % apart, else `crop` |
    | `scale` | by `scaling_proportions`: 1 makes heights match, 0 widths, between is between; then crops and fills |

    Margins are the least distances from the subject to the edges of the result, as shares of its height and width.
    `scale` makes those of the height exact at `scaling_proportions` 1, and centres the subject where it may. Where
    margins need more room than there is, the picture is padded also in `crop`. The subject is what is opaque in a
    picture with alpha, else what differs from the colour of the picture's border by more than 10 (CIE76); if there is
    no such thing, all of the picture. A reference gives its own subject's margins for each margin that is 0. One place
    is used for all pictures of a batch.

    A picture that is within `tolerance` of the target (aspect ratio, size, margins) is left as it is.

    Outputs: the pictures, and a mask [1, H, W] with 1 on what was filled. Memory: about three copies of the result.
    Errors: ValueError for an aspect ratio or colour that cannot be read, for margins that leave no room, and for a
    result with a side of more than 16,384 pixels.
    """

    DISPLAY_NAME = "Image adjust (comfyc)"
    CATEGORY = "comfyc/image"
    DESCRIPTION = "Crops, pads or scales a picture to a size or an aspect ratio, with margins around its subject."
    FUNCTION = "adjust"
    RETURN_TYPES = ("IMAGE", "MASK")
    RETURN_NAMES = ("image", "mask")
    OUTPUT_TOOLTIPS = ("The picture at the target.", "1 on what was filled.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        def margin(side: str, of: str) -> Any:
            return number(0.0, 0.0, 0.95, f"The least {side} margin of the subject, as a share of the result's {of}.")

        return {
            "required": {
                "image": image("The picture to adjust."),
                "mode": choice(MODES, "auto pads if more than 5 % of the aspect ratio would be lost, else crops."),
                "aspect_ratio": text("", "Width to height: 3:4, 3/4 or 0.75. Empty: that of the target size."),
                "target_width": whole(0, 0, MAX_SIDE, "Width of the result in pixels; 0: from the height or picture."),
                "target_height": whole(0, 0, MAX_SIDE, "Height of the result in pixels; 0: from the width or picture."),
                "margin_top": margin("top", "height"),
                "margin_right": margin("right", "width"),
                "margin_bottom": margin("bottom", "height"),
                "margin_left": margin("left", "width"),
                "cropping_position": choice(POSITIONS, "crop: which part of the picture is kept."),
                "resampling": choice(RESAMPLING, "How pictures are scaled."),
                "tolerance": number(0.0, 0.0, 1.0, "Leave the picture as it is if it is off by no more than this."),
                "scaling_proportions": number(1.0, 0.0, 1.0, "scale: 1 goes by heights, 0 by widths.", 0.05),
                "fill": text("#ffffff", "Colour of what is filled: #rrggbb, #rrggbbaa or a name; edge: the border."),
            },
            "optional": {"reference": image("A picture whose subject has the margins that are wanted.")},
        }

    def adjust(
        self,
        image: Tensor,
        mode: str,
        aspect_ratio: str,
        target_width: int,
        target_height: int,
        margin_top: float,
        margin_right: float,
        margin_bottom: float,
        margin_left: float,
        cropping_position: str,
        resampling: str,
        tolerance: float,
        scaling_proportions: float,
        fill: str,
        reference: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
        from ..ops import adjust, placement

        wish = placement.Wish(
            mode=mode,
            aspect=placement.aspect_of(aspect_ratio),
            width=target_width,
            height=target_height,
            margins=placement.Margins(margin_top, margin_right, margin_bottom, margin_left),
            position=cropping_position,
            tolerance=tolerance,
            proportion=scaling_proportions,
        )
        return adjust.adjusted(image, wish, resampling, fill, reference)


NODES = (ComfycImageAdjust,)
