"""Text and picture encoding for Qwen-Image-Edit with free sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..ops.fit import fit_to_area

if TYPE_CHECKING:
    from torch import Tensor

    from ..ops.fit import Fit

MULTIPLE = 16
"""Pixels: 8 a latent cell, 2 cells a patch of the model."""
UPSCALE = ["lanczos", "bicubic", "bilinear", "area", "nearest-exact"]
CROP = ["pad", "center", "random"]


class ComfycQwenEditEncode:
    """Encodes a prompt and up to three pictures for Qwen-Image-Edit.

    Each picture [B, H, W, C] is brought to the area of `target_size`² on whole multiples of 16 and VAE-encoded, as
    reference latent and, the first one, as the latent to sample: [B, 16, 1, height / 8, width / 8]. The language model
    sees what is visible of it at `target_vl_size`² pixels. A batch is a batch of edits, each picture on its own.

    Outputs: both conditionings, the latent, and where the picture lies on the decoded result: `x`, `y`, `width` and
    `height` in pixels, as ImageCrop takes them. Errors: ValueError if the text encoder cannot see pictures.
    Memory: about four float32 copies of the pictures, beside encoder and VAE.
    """

    DISPLAY_NAME = "Qwen edit encode (comfyc)"
    CATEGORY = "comfyc/conditioning"
    DESCRIPTION = "Prompt and pictures for Qwen-Image-Edit: any target size, any size for the language model."
    FUNCTION = "encode"
    RETURN_TYPES = ("CONDITIONING", "CONDITIONING", "LATENT", "INT", "INT", "INT", "INT")
    RETURN_NAMES = ("positive", "negative", "latent", "x", "y", "width", "height")
    OUTPUT_TOOLTIPS = (
        "The prompt and what the pictures show.",
        "The negative prompt and the same pictures.",
        "The first picture, encoded.",
        "Where the picture begins on the result, from the left.",
        "Where the picture begins on the result, from the top.",
        "Width of the picture without its padding.",
        "Height of the picture without its padding.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        def text(tooltip: str) -> tuple[str, dict[str, Any]]:
            return "STRING", {"multiline": True, "default": "", "tooltip": tooltip}

        def pixels(default: int, least: int, most: int, step: int, tooltip: str) -> tuple[str, dict[str, Any]]:
            return "INT", {"default": default, "min": least, "max": most, "step": step, "tooltip": tooltip}

        seed = {"default": 0, "min": 0, "max": 2**64 - 1, "control_after_generate": True}
        return {
            "required": {
                "clip": ("CLIP", {"tooltip": "Qwen2.5-VL: CLIPLoader with the type qwen_image."}),
                "vae": ("VAE", {"tooltip": "The VAE of Qwen-Image."}),
                "image1": ("IMAGE", {"tooltip": "The picture to edit; a batch gives one edit for each picture."}),
                "prompt": text("What to change."),
                "negative_prompt": text("What to keep out; without effect at guidance scale 1."),
                "instruction": text("System instruction for the language model; empty for the encoder's own."),
                "target_size": pixels(1024, 64, 4096, 8, "The result has the area of a square of this side."),
                "target_vl_size": pixels(384, 56, 2048, 1, "The same for the picture that the language model sees."),
                "upscale_method": (UPSCALE, {"tooltip": "How pictures are scaled."}),
                "crop_method": (CROP, {"tooltip": "pad: keep all of the picture. center, random: fill and crop."}),
                "seed": ("INT", {**seed, "tooltip": "Where a random crop falls."}),
            },
            "optional": {
                "image2": ("IMAGE", {"tooltip": "“Picture 2” of the prompt."}),
                "image3": ("IMAGE", {"tooltip": "“Picture 3” of the prompt."}),
            },
        }

    def encode(
        self,
        clip: Any,
        vae: Any,
        image1: Tensor,
        prompt: str,
        negative_prompt: str,
        instruction: str,
        target_size: int,
        target_vl_size: int,
        upscale_method: str,
        crop_method: str,
        seed: int,
        image2: Tensor | None = None,
        image3: Tensor | None = None,
    ) -> tuple[Any, Any, dict[str, Any], int, int, int, int]:
        """See the class."""
        from ..ops import canvas, conditioning  # here, so that the schema is read without torch

        given = [canvas.as_rgb(one) for one in (image1, image2, image3) if one is not None]
        pictures = conditioning.as_long_as(given[0].shape[0], given)
        fits = [_fit(one, target_size, crop_method, seed) for one in pictures]
        canvases = [canvas.on_canvas(one, fit, upscale_method) for one, fit in zip(pictures, fits, strict=True)]
        views = [canvas.in_view(one, fit) for one, fit in zip(pictures, fits, strict=True)]
        seen = [canvas.at_area(view, target_vl_size, upscale_method) for view in views]
        references = [conditioning.encoded(vae, one) for one in canvases]
        positive, negative = (
            conditioning.with_references(conditioning.asked(clip, text, instruction, seen), references)
            for text in (prompt, negative_prompt)
        )
        fit = fits[0]
        place = fit.left, fit.top, fit.result_width, fit.result_height
        return positive, negative, {"samples": references[0]}, *place


def _fit(pictures: Tensor, side: int, method: str, seed: int) -> Fit:
    return fit_to_area(pictures.shape[2], pictures.shape[1], side, MULTIPLE, method, seed)


NODES = (ComfycQwenEditEncode,)
