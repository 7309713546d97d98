"""Closed providers' HTTP APIs: a declared payload and pictures in, pictures or a video out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..providers import of_kind
from ._inputs import choice, image, link, mask, text, whole

if TYPE_CHECKING:
    from torch import Tensor

SEED = "Never sent: it tells two calls apart that would else be one. A seed for the provider goes into the payload."


def _inputs(kind: str, timeout: int, last: dict[str, Any]) -> dict[str, Any]:
    seed = {"default": 0, "min": 0, "max": 2**64 - 1, "control_after_generate": True, "tooltip": SEED}
    body = "The JSON body of the provider's own API, its media left out; “model” stays in it."
    return {
        "required": {
            "provider": choice(list(of_kind(kind)), "Whose API is called; its key is in ComfyUI's environment."),
            "payload": text("{}", body, lines=True),
            "seed": ("INT", seed),
            "timeout": whole(timeout, 1, 7200, "Seconds for the whole call."),
        },
        "optional": {
            **{f"image{number}": image("A picture for the provider; a batch is several.") for number in range(1, 5)},
            **last,
        },
    }


class ComfycProviderImage:
    """Calls a closed provider's HTTP API and gives its pictures.

    `payload` is the JSON body of that API without its media: the pictures [B, H, W, C] and the mask [B, H, W] (1 = to
    be changed) go where the provider's declaration says, or where the payload has `{"$media": "image1"}`. Results of
    one call are one batch; a smaller picture lies in the middle of black. `response` is the provider's last answer as
    JSON, its media left out. Equal calls are one: ComfyUI keeps the result until an input changes.
    Memory: the results about three times, and what is sent as files.

    Errors: those of providers/errors.py; each message begins with `[comfyc:<category>]`.
    """

    DISPLAY_NAME = "Provider image (comfyc)"
    CATEGORY = "comfyc/providers"
    DESCRIPTION = "Pictures from a closed provider's HTTP API. Keys come from ComfyUI's environment alone."
    FUNCTION = "call"
    RETURN_TYPES = ("IMAGE", "STRING")
    RETURN_NAMES = ("images", "response")
    OUTPUT_TOOLTIPS = ("The pictures, as one batch.", "The provider's last answer as JSON, its media left out.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return _inputs("image", 300, {"mask": mask("White is changed, black is kept.")})

    def call(
        self,
        provider: str,
        payload: str,
        seed: int,
        timeout: int,
        image1: Tensor | None = None,
        image2: Tensor | None = None,
        image3: Tensor | None = None,
        image4: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, str]:
        """See the class."""
        from ..ops import pictures  # here, so that the schema is read without torch
        from ..providers.call import call

        declared = of_kind("image")[provider]
        given = pictures.singles(image1, image2, image3, image4)
        images = [pictures.to_file(one, declared.image_bytes) for one in given]
        like = given[0] if given else None
        masks = [] if mask is None else [pictures.mask_to_file(mask, like, declared.mask_alpha)]
        files, response = call(declared, payload, timeout, images=images, masks=masks)
        return pictures.batch(files), response


class ComfycProviderVideo:
    """Calls a closed provider's HTTP API and gives its video.

    As ComfycProviderImage; pictures [B, H, W, C] are frames or references, `video` is one to extend or edit.
    Memory: the video as a file, and what is sent as files.

    Errors: those of providers/errors.py; each message begins with `[comfyc:<category>]`.
    """

    DISPLAY_NAME = "Provider video (comfyc)"
    CATEGORY = "comfyc/providers"
    DESCRIPTION = "A video from a closed provider's HTTP API. Keys come from ComfyUI's environment alone."
    FUNCTION = "call"
    RETURN_TYPES = ("VIDEO", "STRING")
    RETURN_NAMES = ("video", "response")
    OUTPUT_TOOLTIPS = ("The video, as the provider encoded it.", "The provider's last answer as JSON.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return _inputs("video", 900, {"video": link("VIDEO", "A video to extend or edit.")})

    def call(
        self,
        provider: str,
        payload: str,
        seed: int,
        timeout: int,
        image1: Tensor | None = None,
        image2: Tensor | None = None,
        image3: Tensor | None = None,
        image4: Tensor | None = None,
        video: Any = None,
    ) -> tuple[Any, str]:
        """See the class."""
        from ..ops import pictures, videos  # here, so that the schema is read without torch
        from ..providers.call import call

        declared = of_kind("video")[provider]
        given = pictures.singles(image1, image2, image3, image4)
        images = [pictures.to_file(one, declared.image_bytes) for one in given]
        clips = [] if video is None else [videos.to_file(video)]
        files, response = call(declared, payload, timeout, images=images, videos=clips)
        return videos.from_file(files[0]), response


NODES = (ComfycProviderImage, ComfycProviderVideo)
