"""Where faces, persons and named things are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._inputs import choice, image, number, text, whole

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ["face", "person", "label"]


class ComfycRegionDetect:
    """Finds faces, persons or what `label` names in each picture [B, H, W, C].

    Regions are boxes in pixels with a score, the largest score first, at most `max_regions` a picture. The mask
    [B, H, W] is 1 on what was found: the person's outline, else the boxes. Nothing found is no error: count is 0.
    Memory: the mask, about four copies of one picture, and the model.

    Errors: those of ops/optional.py: a missing library or weights file, by name; ValueError for a label that is
    missing.
    """

    DISPLAY_NAME = "Detect regions (comfyc)"
    CATEGORY = "comfyc/regions"
    DESCRIPTION = "Boxes around faces (OpenCV), persons (rembg) or named things (transformers)."
    FUNCTION = "detect"
    RETURN_TYPES = ("COMFYC_REGIONS", "MASK", "INT")
    RETURN_NAMES = ("regions", "mask", "count")
    OUTPUT_TOOLTIPS = ("The boxes, for region crop and paste.", "1 on what was found.", "How many regions there are.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {
            "required": {
                "image": image("The pictures."),
                "kind": choice(KINDS, "What to look for."),
                "label": text("", "For the kind label: what to find, in plain words."),
                "threshold": number(0.5, 0.0, 1.0, "Least score of a region."),
                "max_regions": whole(8, 1, 256, "Most regions a picture."),
            }
        }

    def detect(
        self, image: Tensor, kind: str, label: str, threshold: float, max_regions: int
    ) -> tuple[Any, Tensor, int]:
        """See the class."""
        from ..ops import detection  # here, so that the schema is read without torch

        return detection.detect(image, kind, label, threshold, max_regions)


NODES = (ComfycRegionDetect,)
