"""Subject and background apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._inputs import choice, image, number, whole

if TYPE_CHECKING:
    from torch import Tensor

BACKGROUNDS = ["Alpha", "black", "white", "gray", "green", "blue", "red"]
MODELS = [
    "BEN2",
    "BEN",
    "RMBG-2.0",
    "INSPYRENET",
    "u2net",
    "u2netp",
    "u2net_human_seg",
    "u2net_cloth_seg",
    "silueta",
    "isnet-general-use",
    "isnet-anime",
    "birefnet-general",
    "birefnet-general-lite",
    "birefnet-portrait",
    "birefnet-dis",
    "birefnet-hrsod",
    "birefnet-cod",
    "birefnet-massive",
    "bria-rmbg",
]


class ComfycRemoveBackground:
    """Finds the subject of each picture [B, H, W, C] and takes the background away, or puts a colour there.

    The mask [B, H, W] is 1 on the subject, after sensitivity, offset, blur and inversion. `Alpha` gives RGBA pictures
    whose alpha is the mask, other backgrounds RGB ones.
    Memory: the result, up to three copies of the batch for an offset or a colour, and the model.

    Errors: those of ops/optional.py: a missing library or weights file, by name, with what to do about it.
    """

    DISPLAY_NAME = "Remove background (comfyc)"
    CATEGORY = "comfyc/image"
    DESCRIPTION = "Cuts out the subject, with rembg, onnxruntime or transparent-background, which are optional."
    FUNCTION = "remove"
    RETURN_TYPES = ("IMAGE", "MASK")
    RETURN_NAMES = ("image", "mask")
    OUTPUT_TOOLTIPS = ("RGBA for Alpha, else RGB on the colour.", "1 on the subject.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {
            "required": {
                "image": image("The pictures."),
                "model": choice(MODELS, "BEN2, BEN, RMBG-2.0, INSPYRENET; all others are rembg's."),
                "process_res": whole(1024, 256, 2048, "Most pixels on the longer side of what the model sees.", 8),
                "sensitivity": number(0.5, 0.0, 1.0, "Above 0.5 keeps more, below less."),
                "mask_blur": whole(0, 0, 64, "Pixels; softens the edge."),
                "mask_offset": whole(0, -64, 64, "Pixels; grows the subject, or shrinks it below 0."),
                "invert_output": ("BOOLEAN", {"default": False, "tooltip": "Keeps the background instead."}),
                "background": choice(BACKGROUNDS, "What takes the background's place; Alpha is transparent."),
            }
        }

    def remove(
        self,
        image: Tensor,
        model: str,
        process_res: int,
        sensitivity: float,
        mask_blur: int,
        mask_offset: int,
        invert_output: bool,
        background: str,
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
        from ..ops import cutout, matting  # here, so that the schema is read without torch

        found = matting.subject(image, model, process_res)
        mask = cutout.refined(found, sensitivity, mask_offset, mask_blur, invert_output)
        return cutout.on_background(image, mask, background), mask


NODES = (ComfycRemoveBackground,)
