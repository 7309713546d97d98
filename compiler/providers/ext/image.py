"""ext.systems image models: POST /api/v1/img."""

from __future__ import annotations

from typing import Any, Final

from compiler.binding import Bench
from compiler.errors import Fault, RequestError, nearest
from compiler.providers.ext.base import ExtProvider
from compiler.providers.ext.requests import CreateImageRequest
from compiler.sizes import fit_to_area
from compiler.template.expand import Attachment
from compiler.template.manifest import Profile, Stack

_EDIT_ONLY: Final = "Leave it out, or use qwen-edit-advanced"
EDIT_FIELDS: Final = ("file_id", "instruction", "target_size", "target_vl_size", "upscale_method", "crop_method")


class TextToImage(ExtProvider):
    """Text to image: width and height as asked, 1024² by default."""

    operation = "image"
    Request = CreateImageRequest
    OUTPUT = "image"
    REFUSED = dict.fromkeys(EDIT_FIELDS, _EDIT_ONLY)

    def shape(self, request: Any, bench: Bench, stack: Stack, profile: Profile) -> None:
        self.size(request, bench, stack, (1024, 1024))


class Wan22TextToImage(TextToImage):
    """Wan 2.2 with both experts, one frame: sampled in 4 steps with the Lightning LoRA."""

    name = "wan22-t2i"
    TEMPLATE, STACK = "wan2x/video", "wan22_t2v"

    def shape(self, request: Any, bench: Bench, stack: Stack, profile: Profile) -> None:
        super().shape(request, bench, stack, profile)
        bench.set(length=1)


class IllustriousRx(TextToImage):
    """An opaque model id: the SDXL checkpoint of that name in the asset table."""

    name = "illustrious-hentai-rx"
    TEMPLATE, STACK, PROFILE = "checkpoint/text_to_image", "sdxl", "illustrious"
    FILES = {"checkpoint": "illustrious-hentai-rx"}


class QwenEditAdvanced(ExtProvider):
    """Edits a picture by text; sizes of the result and of the picture that the language model sees are free."""

    name, operation = "qwen-edit-advanced", "image"
    Request = CreateImageRequest
    TEMPLATE, STACK, OUTPUT = "reference_edit/image", "qwen_edit", "image"
    MEDIA = ("file_id",)
    REQUIRED = {"file_id": "Upload the picture with POST /api/v1/files"}
    IGNORED = dict.fromkeys(("width", "height"), "is for text-to-image models; target_size sets the size here")
    UPSCALE = {"lanczos": "lanczos", "nearest": "nearest-exact", "bilinear": "bilinear", "bicubic": "bicubic"}
    """The contract's word → ComfyUI's."""
    CROP = {"pad": "pad", "center": "center", "random": "random"}

    def check(self, request: Any) -> None:
        super().check(request)
        _choice("upscale_method", request.upscale_method, self.UPSCALE)
        _choice("crop_method", request.crop_method, self.CROP)

    def shape(self, request: Any, bench: Bench, stack: Stack, profile: Profile) -> None:
        source = bench.load("file_id", request.file_id, "input_image")
        bench.set(image=source.name)
        side, method = request.target_size or 1024, request.crop_method or "pad"
        fit = fit_to_area(source.width, source.height, side, stack.size_multiple, method, request.seed or 0)
        params = {
            "instruction": request.instruction or "",
            "target_size": side,
            "target_vl_size": request.target_vl_size or 384,
            "upscale_method": self.UPSCALE[request.upscale_method or "lanczos"],
            "crop_method": method,
            "fit": fit.facts(),
        }
        asked = {name: name for name in EDIT_FIELDS if getattr(request, name, None) is not None}
        bench.attached.append(Attachment("qwen_edit_encode", params, fields=asked))


def _choice(field: str, value: str | None, known: dict[str, str]) -> None:
    if value is not None and value not in known:
        cure = nearest(value, known) or f"One of: {', '.join(known)}"
        raise RequestError(Fault(field, f"{value!r} is not known", cure, code="unknown"))


PROVIDERS = (Wan22TextToImage(), IllustriousRx(), QwenEditAdvanced())
