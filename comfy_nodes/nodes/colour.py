"""Colours of one picture for another, and whether an edit kept its structure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._inputs import choice, image, mask, number

if TYPE_CHECKING:
    from torch import Tensor

METHODS = ["lab", "histogram"]


class ComfycColorMatch:
    """Gives a picture [B, H, W, C] the colours of a reference [B or 1, h, w, C], which may have any size.

    `lab` moves mean and spread of each channel of CIELAB (D65), as Reinhard et al. 2001; it keeps the tones' order and
    suits small shifts. `histogram` maps each RGB channel so that its distribution is the reference's. With a mask,
    only what is under it is measured in the picture, and only that is changed. Alpha stays. Memory: the batch
    twice in float32, and four copies of one picture.
    """

    DISPLAY_NAME = "Color match (comfyc)"
    CATEGORY = "comfyc/image"
    DESCRIPTION = "Gives a picture the colours of a reference, by mean and spread in Lab or by histograms."
    FUNCTION = "match"
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("image",)
    OUTPUT_TOOLTIPS = ("The picture in the reference's colours.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {
            "required": {
                "image": image("The picture to change."),
                "reference": image("The picture whose colours are wanted; one, or one for each picture."),
                "method": choice(METHODS, "lab: mean and spread in CIELAB. histogram: the whole distribution."),
                "strength": number(1.0, 0.0, 1.0, "0 leaves the picture as it is, 1 matches in full."),
            },
            "optional": {"mask": mask("Where the picture is measured and changed; everywhere if not linked.")},
        }

    def match(
        self, image: Tensor, reference: Tensor, method: str, strength: float, mask: Tensor | None = None
    ) -> tuple[Tensor]:
        """See the class."""
        from ..ops import color_match

        return (color_match.matched(image, reference, method, strength, mask),)


class ComfycSimilarityGate:
    """Lets an edit through if it kept the original's structure, else gives the original back.

    Structural similarity (Wang et al. 2004): Gaussian window of 11 pixels with σ 1.5, mean over RGB and over all
    pixels whose window lies inside the picture. Each picture of a batch [B, H, W, C] is judged on its own. An edit of
    another size is measured at the original's size; an original that goes out instead has the edit's size and
    channels. `ssim` is the lowest of the batch. Memory: about five float32 copies of one picture.
    """

    DISPLAY_NAME = "Similarity gate (comfyc)"
    CATEGORY = "comfyc/image"
    DESCRIPTION = "The edited picture if its SSIM to the original is high enough, else the original."
    FUNCTION = "gate"
    RETURN_TYPES = ("IMAGE", "FLOAT")
    RETURN_NAMES = ("image", "ssim")
    OUTPUT_TOOLTIPS = ("The edit, or the original where the edit strayed.", "The lowest similarity of the batch.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {
            "required": {
                "original": image("The picture before the edit; one, or one for each edited picture."),
                "edited": image("The picture after it."),
                "ssim_min": number(0.9, 0.0, 1.0, "The least similarity that passes; 0 lets everything pass."),
            }
        }

    def gate(self, original: Tensor, edited: Tensor, ssim_min: float) -> tuple[Tensor, float]:
        """See the class."""
        from ..ops import similarity

        return similarity.gated(original, edited, ssim_min)


NODES = (ComfycColorMatch, ComfycSimilarityGate)
