"""Fusara's providers that are one node each: background removal (6) and audio separation (200)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from compiler.binding import Bench
from compiler.providers.fusara.base import FusaraProvider
from compiler.providers.fusara.requests.edit import RemoveBackgroundTask
from compiler.providers.fusara.requests.local_media import SeparateAudioTask
from compiler.sizes import round_near

MOST_RESOLUTION: Final = 2048
RESOLUTION_STEP: Final = 128
"""Pixels; of ProcessingResolution."""
NO_PROMPT: Final[Mapping[str, str]] = dict.fromkeys(
    ("Prompt", "NegativePrompt", "LoRATriggerString", "Seed", "WorkflowVariantId"), "has no effect here"
)


class Rmbg(FusaraProvider):
    """Takes the background away with comfyc's own node, whose models are extras: its error says which file is
    missing. The weights of RMBG-2.0 are for non-commercial use."""

    name, discriminator = "RMBG", "6"
    Request = RemoveBackgroundTask
    MEDIA = (1, 1)
    SEED_FIELD = ""
    IGNORED = NO_PROMPT

    def bind(self, request: Any, bench: Bench) -> None:
        bench.template, bench.outputs = "remove_background/image", ("image",)
        field, reference = request.media()[0]
        source = bench.load(field, reference, "input_image")
        resolution = min(MOST_RESOLUTION, round_near(request.ProcessingResolution, RESOLUTION_STEP))
        if resolution != request.ProcessingResolution:
            bench.unsupported("ProcessingResolution", f"{resolution}: at most 2048, in steps of 128", "clamped")
        bench.set(
            image=source.name,
            model=request.RemoveBackgroundModelName,
            process_res=resolution,
            sensitivity=request.Sensitivity,
            mask_blur=request.MaskBlur,
            mask_offset=request.MaskOffset,
            invert_output=request.InvertOutput,
            background=request.Background,
        )


class AudioSourceSeparation(FusaraProvider):
    """Vocals and the rest of a track, as two FLAC files, with comfyc's own node on the four MDX models."""

    name, discriminator = "AudioSourceSeparationMDX", "200"
    Request = SeparateAudioTask
    MEDIA, MEDIA_KIND = (1, 1), "audio"
    SEED_FIELD = ""
    IGNORED = NO_PROMPT

    def bind(self, request: Any, bench: Bench) -> None:
        bench.template, bench.outputs = "audio/separate", ("vocals", "rest")
        source = bench.picture(*request.media()[0])
        bench.set(audio=source.name, model=request.Model or "UVR FT")


PROVIDERS = (Rmbg(), AudioSourceSeparation())
