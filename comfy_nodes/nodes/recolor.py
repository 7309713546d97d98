"""Another colour for a background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._inputs import choice, image, mask, number, whole

if TYPE_CHECKING:
    from torch import Tensor

STRATEGIES = ["shift", "multiply", "replace"]


class ComfycBackgroundRecolor:
    """Brings the background of pictures [B, H, W, C] to the colour of a palette picture; shadows and subject stay.

    The wanted colour is the most frequent one of the palette [1 or B, h, w, C]. The present one is the mean of what is
    outside the subject, weighed as below. Pixels brighter than `light_threshold` change in full, those darker than
    `shadow_threshold` not at all, between by a smooth step (brightness: Rec. 709 luma, 0 to 255).

    | strategy | what |
    | --- | --- |
    | `shift` | adds the difference of the two colours in CIELAB: light and shade stay as they are |
    | `multiply` | multiplies linear RGB by the ratio of the two colours, as light of another colour would |
    | `replace` | puts the palette's colour in place: a flat background |

    The subject is the mask [B, H, W] (1 = subject); without one, what differs from the colour of the picture's border,
    its shadow too. It is grown by `mask_expansion` of the longer side, and its edge blurred by `edge_blur_sigma` pixels
    to both sides: grow it by more, or blur it less, to keep light edges of the subject free of the new colour. Alpha
    stays. Outputs: the pictures, and how much each pixel changed [B, H, W].
    Memory: the batch three times in float32, and eight copies of one picture.
    """

    DISPLAY_NAME = "Background recolor (comfyc)"
    CATEGORY = "comfyc/image"
    DESCRIPTION = "Gives a light background another colour, without touching the subject and its shadows."
    FUNCTION = "recolor"
    RETURN_TYPES = ("IMAGE", "MASK")
    RETURN_NAMES = ("image", "mask")
    OUTPUT_TOOLTIPS = ("The picture with its new background.", "How much of the change each pixel got.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {
            "required": {
                "image": image("The picture whose background is to change."),
                "palette": image("A picture of the wanted background, or with it."),
                "strategy": choice(STRATEGIES, "shift keeps light and shade, multiply tints, replace makes it flat."),
                "edge_blur_sigma": number(20.0, 0.0, 200.0, "Blur of the edge towards the subject, in pixels.", 0.5),
                "light_threshold": whole(220, 0, 255, "Pixels brighter than this change in full."),
                "shadow_threshold": whole(150, 0, 255, "Pixels darker than this do not change."),
                "mask_expansion": number(0.005, 0.0, 0.2, "Grows the subject by this share of the longer side.", 0.001),
            },
            "optional": {"mask": mask("1 on the subject; found by itself on a plain background if not linked.")},
        }

    def recolor(
        self,
        image: Tensor,
        palette: Tensor,
        strategy: str,
        edge_blur_sigma: float,
        light_threshold: int,
        shadow_threshold: int,
        mask_expansion: float,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
        from ..ops import recolor

        edge = recolor.Edge(edge_blur_sigma, mask_expansion)
        tones = recolor.Tones(light_threshold / 255, shadow_threshold / 255)
        return recolor.recolored(image, palette, strategy, edge, tones, mask)


NODES = (ComfycBackgroundRecolor,)
