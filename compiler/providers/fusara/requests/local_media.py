"""Fusara's requests for upscaling (3, 7, 8), Wan 2.2 video (103) and audio separation (200)."""

# pyright: reportIncompatibleVariableOverride=false
# A subclass narrows a field of its base, as the contract does; models are frozen.

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compiler.provider import Whole
from compiler.providers.fusara.requests.base import MediaTask, Number, Text, VideoTask


class UpscaleTask(MediaTask):
    """UpscaleImageTaskBase."""

    Prompt: Text = ""
    """What the picture shows; without effect where no diffusion model takes part."""


class ModelUpscaleTask(UpscaleTask):
    """Upscale."""

    type_: Literal[3] = Field(alias="__type")
    """3: Upscale."""
    ScaleFactor: Annotated[Number, Field(ge=1, le=4)] | None = None
    """Times the width and height. Default 4."""
    UpscaleModelName: Literal["4x-UltraSharp.pth", "4x_NMKD-Siax_200k.pth", "4x_foolhardy_Remacri.pth"] | None = None
    """Upscale model. Default 4x-UltraSharp.pth."""


class SupirTask(UpscaleTask):
    """Supir."""

    type_: Literal[7] = Field(alias="__type")
    """7: Supir."""
    ScaleFactor: Annotated[Number, Field(ge=1, le=4)] | None = None
    """Times the width and height. Default 2."""


class ClarityTask(UpscaleTask):
    """Clarity."""

    type_: Literal[8] = Field(alias="__type")
    """8: Clarity."""
    ScaleFactor: Annotated[Number, Field(ge=1, le=4)] | None = None
    """Times the width and height. Default 2."""


class WanVideoTask(VideoTask):
    """Wan22VideoCreate: GenerateSDVideoTaskBase."""

    type_: Literal[103] = Field(alias="__type")
    """103: Wan22VideoCreate."""
    Duration: Annotated[Number, Field(ge=3, le=12)] | None = Field(None, json_schema_extra={"step": 1})
    """Seconds. Default 5."""
    AspectRatio: Literal["9:16", "1:1", "16:9"] | None = None
    """Width to height. Default 16:9."""
    Resolution: Literal["480p"] | None = None
    """Default 480p: 832×480, 480×832 or 624×624."""
    FPS: Annotated[Number, Field(ge=16, le=16)] | None = None
    """Frames a second: 16."""
    Width: Annotated[Whole, Field(ge=256, le=2048)] | None = None
    """Pixels; by default those of AspectRatio and Resolution."""
    Height: Annotated[Whole, Field(ge=256, le=2048)] | None = None
    """Pixels."""
    NumberOfInferenceSteps: Annotated[Whole, Field(ge=1, le=100)] | None = None
    """Sampler steps of both experts together. Default 4."""
    GuidanceScale: Annotated[Number, Field(ge=1, le=20)] | None = None
    """Guidance scale. Default 1."""
    SamplingShift: Annotated[Number, Field(ge=0, le=100)] | None = None
    """Shift of the noise schedule. Default 5."""


class SeparateAudioTask(MediaTask):
    """AudioSourceSeparationMDX."""

    type_: Literal[200] = Field(alias="__type")
    """200: AudioSourceSeparationMDX."""
    Prompt: Text = ""
    """Without effect."""
    Model: Literal["UVR FT", "Kim Jensen 2", "UVR Main", "UVR Karaoke"] | None = None
    """Clean vocal, natural vocal, balanced, or lead removed. Default UVR FT."""
