"""Fusara's closed image models: 15–19, 22, 23, 26, 28–30. What they are asked with is in graphs/partners/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from compiler.binding import Bench
from compiler.errors import Fault, RequestError
from compiler.providers.fusara.fill import BACKGROUND
from compiler.providers.fusara.partner import PartnerProvider
from compiler.providers.fusara.requests.base import IMAGE
from compiler.providers.fusara.requests.closed_image import (
    KONTEXT_SIZES,
    SEEDREAM_SIZES,
    GeminiCreateTask,
    GeminiEditTask,
    GptImageCreateTask,
    GptImageEditTask,
    GrokImageCreateTask,
    GrokImageEditTask,
    ImagenTask,
    KontextOutpaintTask,
    SeededitTask,
    SeedreamTask,
    TopazTask,
)
from compiler.sizes import on_canvas

LARGEST: Final = 32_000
"""Pixels: the longest side that Topaz makes."""


class GoogleImagenCreate(PartnerProvider):
    """Google Imagen 4 over Vertex AI; ComfyUI has no node for it. More than four pictures are made by two calls."""

    name, discriminator = "GoogleImagenCreate", "15"
    Request = ImagenTask
    TABLE = "imagen"


class OpenAIGptImage1Create(PartnerProvider):
    """OpenAI's gpt-image-1."""

    name, discriminator = "OpenAIGptImage1Create", "16"
    Request = GptImageCreateTask
    TABLE, PRESETS, PICTURES = "gpt_image", frozenset({IMAGE}), 16


class OpenAIGptImage1Edit(PartnerProvider):
    """Edits pictures with OpenAI's gpt-image-1."""

    name, discriminator = "OpenAIGptImage1Edit", "17"
    Request = GptImageEditTask
    TABLE, MEDIA, PICTURES = "gpt_image", (1, 16), 16


class GoogleGeminiCreate(PartnerProvider):
    """Gemini's image models. Several pictures are made by one node each, with consecutive seeds."""

    name, discriminator = "GoogleGeminiCreate", "18"
    Request = GeminiCreateTask
    TABLE, PRESETS, PICTURES = "gemini", frozenset({IMAGE}), 14


class GoogleGeminiEdit(PartnerProvider):
    """Edits pictures with Gemini's image models; the result has the shape of the first."""

    name, discriminator = "GoogleGeminiEdit", "19"
    Request = GeminiEditTask
    TABLE, MEDIA, PICTURES = "gemini", (1, 14), 14

    def derived(self, request: Any, bench: Bench, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"aspect_ratio": "auto"}


class Seedream(PartnerProvider):
    """ByteDance Seedream: sizes of 1K without a reference by Seedream 3, all others by Seedream 4."""

    name, discriminator = "Seedream", "22"
    Request = SeedreamTask
    TABLE, PRESETS, PICTURES = "seedream", frozenset({IMAGE}), 10
    DERIVED = frozenset({"size"})

    def derived(self, request: Any, bench: Bench, params: Mapping[str, Any]) -> dict[str, Any]:
        quality = next(name for name, sizes in SEEDREAM_SIZES.items() if params["size"] in sizes)
        width, height = pixels(params["size"])
        return {"quality": quality, "width": width, "height": height, "longest": max(width, height)}

    def size(self, request: Any, bench: Bench, params: Mapping[str, Any]) -> tuple[int, int]:
        return params["width"], params["height"]


class Seededit(PartnerProvider):
    """ByteDance SeedEdit 3, whose results have about the size of the input. Sizes of 2K and 4K are made by Seedream 4,
    at the contract's size that is nearest in shape."""

    name, discriminator = "Seededit", "23"
    Request = SeededitTask
    TABLE, MEDIA, PICTURES = "seededit", (1, 1), 1

    def derived(self, request: Any, bench: Bench, params: Mapping[str, Any]) -> dict[str, Any]:
        field, reference = request.media()[0]
        source = bench.picture(field, reference)
        sizes = [pixels(size) for size in SEEDREAM_SIZES["4K" if params["size"] == "4K" else "2K"]]
        shape = source.width / max(1, source.height)
        width, height = min(sizes, key=lambda size: max(size[0] / size[1] / shape, shape * size[1] / size[0]))
        return {"width": width, "height": height}


def pixels(size: str) -> tuple[int, int]:
    """Width and height of `1280x720`."""
    width, _, height = size.partition("x")
    return int(width), int(height)


class Flux1KontextMaxOutpaint(PartnerProvider):
    """FLUX.1 Kontext Max with the picture on a grey canvas. Width×Height is one of thirteen sizes."""

    name, discriminator, operation = "Flux1KontextMaxOutpaint", "26", "outpaint"
    Request = KontextOutpaintTask
    TABLE, MEDIA, PICTURES = "kontext_max", (1, 1), 1
    DERIVED = frozenset({"width", "height", "mask_feather_size", "merge_into_original", "auto_background_prompt"})
    PREFIX: Final = "Extend the image to fill the grey border. "
    GUIDANCE: Final = 3.0
    """The node's; the contract's 1.0 belongs to the local outpainters."""

    def check(self, request: Any) -> None:
        super().check(request)
        asked = request.Width or 1024, request.Height or 1024
        if asked not in KONTEXT_SIZES.values():
            known = ", ".join(f"{width}×{height} ({ratio})" for ratio, (width, height) in KONTEXT_SIZES.items())
            what = f"{asked[0]}×{asked[1]} is not a size of {self.name}"
            raise RequestError(Fault("Width", what, f"One of: {known}", "unknown"))

    def derived(self, request: Any, bench: Bench, params: Mapping[str, Any]) -> dict[str, Any]:
        asked = request.Width or 1024, request.Height or 1024
        text = params["prompt"] or (BACKGROUND if request.AutoBackgroundPrompt else "")
        return {
            "prompt": (self.PREFIX + text).strip(),
            "aspect_ratio": next(ratio for ratio, size in KONTEXT_SIZES.items() if size == asked),
            "guidance_scale": self.GUIDANCE if request.GuidanceScale is None else request.GuidanceScale,
            "number_of_inference_steps": request.NumberOfInferenceSteps or 20,
        }

    def prepare(self, request: Any, bench: Bench, params: Mapping[str, Any]) -> Mapping[str, str]:
        """The canvas, and the result at the size that was asked, with the input's pixels on it if wanted."""
        asked = request.Width or 1024, request.Height or 1024
        field, reference = request.media()[0]
        source = bench.load(field, reference, "input_image")
        place = on_canvas(source.width, source.height, asked)
        if (place.width, place.height) == asked:
            shown = f"{source.width}×{source.height}"
            cure = "Ask for a canvas of another shape, or a larger one"
            raise RequestError(Fault("Width", f"the picture ({shown}) fills {asked[0]}×{asked[1]}", cure))
        feather = 24 if request.MaskFeatherSize is None else request.MaskFeatherSize
        canvas = {"feather": feather if request.MergeIntoOriginal else 0, "fit": place.facts()}
        bench.attach("pad_canvas", None, "", None, canvas_width=asked[0], canvas_height=asked[1], **canvas)
        bench.attach("restore_size", restored_width=asked[0], restored_height=asked[1], restored_crop="center")
        if request.MergeIntoOriginal:
            bench.attach("merge_original", {"original": "canvas"}, amount=request.NumberOfImages or 1)
        elif request.gives("MaskFeatherSize"):
            bench.unsupported("MaskFeatherSize", "has no effect without MergeIntoOriginal")
        return {"image_1": "canvas"}


class TopazUpscale(PartnerProvider):
    """Topaz at ScaleFactor times width and height."""

    name, discriminator, operation = "TopazUpscale", "28", "upscale"
    Request = TopazTask
    TABLE, MEDIA, PICTURES = "topaz", (1, 1), 1
    DERIVED = frozenset({"scale_factor"})

    def derived(self, request: Any, bench: Bench, params: Mapping[str, Any]) -> dict[str, Any]:
        field, reference = request.media()[0]
        source = bench.picture(field, reference)
        width, height = source.width * params["scale_factor"], source.height * params["scale_factor"]
        if max(width, height) > LARGEST:
            what = f"{params['scale_factor']} makes {width}×{height} pixels, more than {LARGEST}"
            raise RequestError(Fault("ScaleFactor", what, "Ask for less", "out_of_range"))
        return {"width": width, "height": height}


class GrokImageCreate(PartnerProvider):
    """xAI's Grok Imagine; with a reference its edit. Six pictures by default, as the contract has it."""

    name, discriminator = "GrokImageCreate", "29"
    Request = GrokImageCreateTask
    TABLE, PRESETS, PICTURES = "grok_image", frozenset({IMAGE}), 3


class GrokImageEdit(PartnerProvider):
    """Edits pictures with xAI's Grok Imagine."""

    name, discriminator = "GrokImageEdit", "30"
    Request = GrokImageEditTask
    TABLE, MEDIA, PICTURES = "grok_image", (1, 3), 3
    DERIVED = frozenset({"width", "height"})

    def check(self, request: Any) -> None:
        super().check(request)
        for one, other in (("Width", "Height"), ("Height", "Width")):
            if request.gives(one) and not request.gives(other):
                raise RequestError(Fault(other, f"is required beside {one}", "Give both or none", "required"))

    def prepare(self, request: Any, bench: Bench, params: Mapping[str, Any]) -> None:
        if request.Width and request.Height:
            size = {"restored_width": request.Width, "restored_height": request.Height}
            bench.attach("restore_size", **size, restored_crop="center")


PROVIDERS = (
    GoogleImagenCreate(),
    OpenAIGptImage1Create(),
    OpenAIGptImage1Edit(),
    GoogleGeminiCreate(),
    GoogleGeminiEdit(),
    Seedream(),
    Seededit(),
    Flux1KontextMaxOutpaint(),
    TopazUpscale(),
    GrokImageCreate(),
    GrokImageEdit(),
)
