"""Masks from data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._inputs import MAX_SIDE, image, text, whole

if TYPE_CHECKING:
    from torch import Tensor

EXAMPLE = '{"shapes": [{"type": "ellipse", "x": 256, "y": 256, "rx": 180, "ry": 120}]}'


class ComfycMaskFromJson:
    """Draws a mask [1, H, W] from shapes in JSON: 1 where a shape is, 0 elsewhere, edges anti-aliased.

    The text is one object, or a list, which is its `shapes`:

    | key | value |
    | --- | --- |
    | `shapes` | list of shapes, drawn one after another |
    | `units` | `pixels` (the default) or `fraction`: 0 to 1 of width and height; the width of a stroke: of the shorter side |
    | `size` | `[width, height]` of the picture that pixels are counted in, if another than the mask's |
    | `invert` | true: swap inside and outside, at the end |

    | shape | keys |
    | --- | --- |
    | `polygon` | `points`: `[[x, y], …]`, three or more; or `rings`: several such lists, where a ring inside a ring is a hole (even-odd) |
    | `rectangle` | `x`, `y` (upper left), `width`, `height` |
    | `ellipse` | `x`, `y` (centre), `rx`, `ry` (radii) |
    | `stroke` | `points`, one or more, and `width`: a brush stroke with round ends and joints |
    | `rle` | COCO's uncompressed run lengths: `counts`, column by column, beginning with a run of 0, and `size`: `[height, width]`; scaled to the mask |

    Every shape may have `op`: `add` (the default) or `subtract`. Pixel coordinates are edges: a rectangle at 0, 0 of
    width 2 covers the pixels 0 and 1 in full.

    A polygon's own crossings follow the even-odd rule too. Adding takes the larger of two values, subtracting the
    smaller one, so shapes that touch or overlap are one.

    Limits: 4 MB of text, 2,000 shapes, 100,000 points, a side of 16,384 pixels. Memory: about 8 bytes a pixel of the
    mask, 24 with a feather, and 50 MB while a polygon is drawn.
    Errors: ValueError that names the shape, what is wrong and what to write.
    """  # noqa: E501 - tables of the docs page

    DISPLAY_NAME = "Mask from JSON (comfyc)"
    CATEGORY = "comfyc/mask"
    DESCRIPTION = "A mask from polygons, rectangles, ellipses, brush strokes and run lengths in JSON."
    FUNCTION = "draw"
    RETURN_TYPES = ("MASK",)
    RETURN_NAMES = ("mask",)
    OUTPUT_TOOLTIPS = ("1 where the shapes are.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {
            "required": {
                "mask_json": text(EXAMPLE, "The shapes; the node's page has the format.", lines=True),
                "width": whole(512, 1, MAX_SIDE, "Width of the mask in pixels, where no picture is linked."),
                "height": whole(512, 1, MAX_SIDE, "Height of the mask in pixels, where no picture is linked."),
                "feather": whole(
                    0, 0, 512, "Softens the edge: Gaussian blur with half of this as its sigma, in pixels."
                ),
            },
            "optional": {"image": image("The mask gets this picture's size.")},
        }

    def draw(self, mask_json: str, width: int, height: int, feather: int, image: Tensor | None = None) -> tuple[Tensor]:
        """See the class."""
        from ..ops import blur, mask_draw

        if image is not None:
            height, width = image.shape[1:3]
        return (blur.feathered(mask_draw.mask(mask_json, width, height), feather),)


NODES = (ComfycMaskFromJson,)
