"""Fusara's local text-to-image requests, 2, 4, 5, 11, 21, 27, and 10, variations of a picture (contract §4.2)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compiler.provider import Whole
from compiler.providers.fusara.requests.base import MediaTask, Number, Side, Task, Text

Images = Annotated[Whole, Field(ge=1, le=64)]
Steps = Annotated[Whole, Field(ge=1, le=100)]
Scale = Annotated[Number, Field(ge=1, le=20, json_schema_extra={"step": 0.5})]
Shift = Annotated[Number, Field(ge=0, le=100)]
Skip = Annotated[Whole, Field(ge=1, le=5)]
Pixels = Annotated[Whole, Field(ge=64, le=4096)]


class SDImageTask(Task):
    """GenerateSDImageTaskBaseRequest: pictures by a local diffusion model. A null takes the default, too."""

    NumberOfImages: Images | None = 1
    """Pictures. Default 1."""
    Width: Side | None = 1024
    """Pixels. Default 1024."""
    Height: Side | None = 1024
    """Pixels. Default 1024."""
    NumberOfInferenceSteps: Steps | None = None
    """Sampler steps. Default: the model's."""
    GuidanceScale: Scale | None = None
    """How closely the prompt is followed. Default: the model's."""
    SamplingShift: Shift | None = None
    """Shift of the noise schedule, where the model has one. Default: the model's."""
    CheckpointName: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """Another model of the same family: an id of the asset table, or a file. Default: the stack's."""
    ClipSkip: Skip | None = None
    """Last layer of the text encoder that is used, counted from the end; without meaning for T5 and language models.
    Default: the encoder's own."""


class SDTask(SDImageTask):
    """SD: Stable Diffusion 3.5 Large, or the 1.5 checkpoint that CheckpointName names."""

    type_: Literal[2] = Field(alias="__type")
    """2: SD."""
    NumberOfInferenceSteps: Steps | None = 40
    """Sampler steps. Default 40."""
    GuidanceScale: Scale | None = 4.5
    """How closely the prompt is followed. Default 4.5."""


class SDXLTask(SDImageTask):
    """SDXL."""

    type_: Literal[4] = Field(alias="__type")
    """4: SDXL."""
    NumberOfInferenceSteps: Steps | None = 25
    """Sampler steps. Default 25."""
    GuidanceScale: Scale | None = 6.5
    """How closely the prompt is followed. Default 6.5."""
    ClipSkip: Skip | None = 1
    """Last layer of the text encoders that is used, counted from the end. SDXL uses the last but one by itself: 1 and 2
    change nothing. Default 1."""
    EnableFaceDetailer: bool | None = False
    """True: each face is sampled again, enlarged. Default false."""


class FluxTask(SDImageTask):
    """Flux1Dev."""

    type_: Literal[5] = Field(alias="__type")
    """5: Flux1Dev."""
    NumberOfInferenceSteps: Steps | None = 40
    """Sampler steps. Default 40."""
    GuidanceScale: Scale | None = 3.5
    """Distilled guidance. Default 3.5."""


class HiDreamTask(SDImageTask):
    """HiDreamI1Full."""

    type_: Literal[11] = Field(alias="__type")
    """11: HiDreamI1Full."""
    NumberOfInferenceSteps: Steps | None = 50
    """Sampler steps. Default 50, the model's; the contract names none."""
    GuidanceScale: Scale | None = 5.0
    """How closely the prompt is followed. Default 5, the model's; the contract names none."""


class ZImageTask(SDImageTask):
    """ZImageTurbo."""

    type_: Literal[27] = Field(alias="__type")
    """27: ZImageTurbo."""
    NumberOfInferenceSteps: Steps | None = 8
    """Sampler steps. Default 8, the model's; the contract names none."""
    GuidanceScale: Scale | None = 1.0
    """How closely the prompt is followed; the model was distilled for 1. Default 1."""


class QwenTask(SDImageTask):
    """QwenCreate. Width and Height are a row of the contract's table of seven sizes; one of them is enough."""

    type_: Literal[21] = Field(alias="__type")
    """21: QwenCreate."""
    Width: Annotated[Whole, Field(ge=1)] | None = None
    """Pixels: 1664, 1584, 1472, 1328, 1104, 1056 or 928. Default 1328, or what belongs to Height."""
    Height: Annotated[Whole, Field(ge=1)] | None = None
    """Pixels: 928, 1056, 1104, 1328, 1472, 1584 or 1664. Default 1328, or what belongs to Width."""
    NumberOfInferenceSteps: Steps | None = None
    """Sampler steps. Default 20; 8 with WorkflowVariantId 1."""
    GuidanceScale: Annotated[Number, Field(ge=1, le=20)] | None = None
    """How closely the prompt is followed. Default 4; 1 with WorkflowVariantId 1."""
    SamplingShift: Shift | None = None
    """Shift of the noise schedule. Default 3.1."""
    WorkflowVariantId: Whole | None = None
    """0 or null: as the model is. 1: with the Lightning LoRA, 8 steps."""


class VaryTask(MediaTask):
    """Flux1Redux: VaryTaskBase."""

    type_: Literal[10] = Field(alias="__type")
    """10: Flux1Redux."""
    Prompt: Text = ""
    """What to change. May be empty."""
    NumberOfImages: Images | None = 1
    """Pictures. Default 1."""
    Width: Pixels | None = 1024
    """Pixels. Default 1024."""
    Height: Pixels | None = 1024
    """Pixels. Default 1024."""
    NumberOfInferenceSteps: Steps | None = 50
    """Sampler steps. Default 50."""
    GuidanceScale: Annotated[Number, Field(ge=0, le=100)] | None = 5.0
    """Distilled guidance. Default 5."""
    Strength: Annotated[Number, Field(ge=0, le=10)] | None = 0.5
    """How strongly the input pictures count; 0 leaves them out. Default 0.5."""
