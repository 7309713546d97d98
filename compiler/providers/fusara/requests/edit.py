"""Fusara's requests that change a given picture: 6, 9, 12, 13, 14, 20, 24, 25 (contract §4.2)."""

# pyright: reportIncompatibleVariableOverride=false
# A subclass narrows a field of its base, as the contract does; models are frozen.

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal, cast

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from compiler.provider import Whole
from compiler.providers.fusara.requests.base import MediaTask, ModifyTask, Number, Text, Uint

Images = Annotated[Whole, Field(ge=1, le=64)]
Steps = Annotated[Whole, Field(ge=1, le=100)]
Scale = Annotated[Number, Field(ge=1, le=20)]
Pixels = Annotated[Whole, Field(ge=64, le=4096)]
Unit = Annotated[Number, Field(ge=0, le=1)]
SHAPES_CURE: Final = 'Send {"shapes": [{"type": "polygon", "points": [[x, y], …]}]}'


def _shapes(value: str) -> str:
    """What can be told here of shapes; ComfycMaskFromJson reads the rest, and says what is wrong with it."""
    try:
        given = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise PydanticCustomError("mask_json", "is not JSON", {"cure": SHAPES_CURE}) from error
    shapes = cast("dict[str, Any]", given).get("shapes") if isinstance(given, dict) else given
    if not isinstance(shapes, list) or not all(isinstance(one, dict) for one in cast("list[Any]", shapes)):
        raise PydanticCustomError("mask_json", "has no list of shapes", {"cure": SHAPES_CURE})
    return value


class RemoveBackgroundTask(MediaTask):
    """RMBG: RemoveBackgroundTaskBase."""

    type_: Literal[6] = Field(alias="__type")
    """6: RMBG."""
    Prompt: Text = ""
    """Without effect."""
    RemoveBackgroundModelName: Literal["RMBG-2.0", "INSPYRENET", "BEN", "BEN2"] = "BEN2"
    """Model that tells the subject from the background."""
    Background: Literal["Alpha", "black", "white", "gray", "green", "blue", "red"] = "Alpha"
    """What comes in place of the background; Alpha: nothing."""
    Sensitivity: Unit = 0.5
    """How readily a pixel counts as subject."""
    ProcessingResolution: Annotated[Whole, Field(ge=128, le=8192)] = 2048
    """Pixels: the side at which the model sees the picture; 2048 at most, in steps of 128."""
    MaskBlur: Annotated[Whole, Field(ge=0, le=64)] = 0
    """Pixels."""
    MaskOffset: Annotated[Whole, Field(ge=-64, le=64)] = 0
    """Pixels that the subject's edge is moved out by."""
    InvertOutput: bool = False
    """True: keeps the background and removes the subject."""


class FillInpaintTask(MediaTask):
    """Flux1FillInpaint: InpaintTaskBase."""

    type_: Literal[9] = Field(alias="__type")
    """9: Flux1FillInpaint."""
    Prompt: Text
    """What comes in place of the masked part."""
    NumberOfImages: Images | None = None
    """Pictures. Default 1."""
    NumberOfInferenceSteps: Steps | None = None
    """Sampler steps. Default 20."""
    GuidanceScale: Scale | None = None
    """How closely the prompt is followed. Default 1.0."""
    SimilarityToOriginal: Unit | None = None
    """How much of the masked part is kept: 1 minus the denoising strength. Default 0."""
    MaskFeatherSize: Annotated[Whole, Field(ge=0, le=512)] | None = None
    """Pixels by which the mask is grown and softened. Default 6."""
    MergeIntoOriginal: bool | None = None
    """True: outside of the mask, the result's pixels are those of the input. Default false."""
    MaskImageId: Uint | None = None
    """Id of a picture whose white is changed; or MaskJson. Without both, the input's transparent part."""
    MaskJson: Annotated[str, Field(min_length=2, max_length=1_000_000), AfterValidator(_shapes)] | None = None
    """Shapes to change, as ComfycMaskFromJson takes them; or MaskImageId."""

    @model_validator(mode="after")
    def _one_mask(self) -> FillInpaintTask:
        if self.MaskImageId is not None and self.MaskJson is not None:
            raise PydanticCustomError("either", "give MaskImageId or MaskJson, not both")
        return self


class OutpaintTask(MediaTask):
    """OutpaintTaskBase: the picture on a larger canvas, the rest made up."""

    Prompt: Text = ""
    """What the new part shows. May be empty with AutoBackgroundPrompt."""
    Width: Pixels | None = None
    """Pixels of the canvas. Default 1024."""
    Height: Pixels | None = None
    """Pixels of the canvas. Default 1024."""
    NumberOfImages: Images | None = None
    """Pictures. Default 1."""
    NumberOfInferenceSteps: Steps | None = None
    """Sampler steps. Default 20."""
    GuidanceScale: Scale | None = None
    """How closely the prompt is followed. Default 1.0."""
    MaskFeatherSize: Annotated[Whole, Field(ge=0, le=512)] | None = None
    """Pixels over which the new part blends into the picture. Default 24."""
    MergeIntoOriginal: bool | None = None
    """True: the input's own pixels lie on the result. Default false."""
    AutoBackgroundPrompt: bool | None = None
    """True: an empty prompt is replaced. Default false."""


class FillOutpaintTask(OutpaintTask):
    """Flux1FillOutpaint."""

    type_: Literal[20] = Field(alias="__type")
    """20: Flux1FillOutpaint."""


class QwenOutpaintTask(OutpaintTask):
    """QwenEditOutpaint."""

    type_: Literal[25] = Field(alias="__type")
    """25: QwenEditOutpaint."""


class EditTask(ModifyTask):
    """What Flux1KontextDev and QwenEdit share."""

    NumberOfImages: Images | None = None
    """Pictures. Default 1."""
    KeepOriginalImageSize: bool | None = None
    """True: the result has the input's size, whatever Width and Height say. Default false."""
    Width: Pixels | None = None
    """Pixels. Without Width and Height the result has the input's shape at about 1024²."""
    Height: Pixels | None = None
    """Pixels."""


class KontextTask(EditTask):
    """Flux1KontextDev."""

    type_: Literal[14] = Field(alias="__type")
    """14: Flux1KontextDev."""
    NumberOfInferenceSteps: Steps | None = None
    """Sampler steps. Default 50."""
    GuidanceScale: Scale | None = None
    """Distilled guidance. Default 5."""


class QwenEditTask(EditTask):
    """QwenEdit."""

    type_: Literal[24] = Field(alias="__type")
    """24: QwenEdit."""
    NumberOfInferenceSteps: Steps | None = None
    """Sampler steps. Default 50; 4 with WorkflowVariantId 1."""
    GuidanceScale: Scale | None = None
    """Guidance scale. Default 4; 1 with WorkflowVariantId 1."""


class HiDreamEditTask(ModifyTask):
    """HiDreamE1Full. The contract lists no properties: its neighbours', with the model's defaults."""

    type_: Literal[12] = Field(alias="__type")
    """12: HiDreamE1Full."""
    NumberOfImages: Images | None = None
    """Pictures. Default 1."""
    NumberOfInferenceSteps: Steps | None = None
    """Sampler steps. Default 28."""
    GuidanceScale: Scale | None = None
    """How closely the prompt is followed. Default 5."""
    KeepOriginalImageSize: bool | None = None
    """True: the result has the input's size, else 768×768. Default false."""


class HyperLoraTask(ModifyTask):
    """HyperLoRA: a portrait of the person in the pictures."""

    type_: Literal[13] = Field(alias="__type")
    """13: HyperLoRA."""
    SDXLModelName: Literal["realvisxlV50_v50Bakedvae.safetensors", "cyberrealisticXL_v11VAE.safetensors"] | None = None
    """SDXL checkpoint. Default realvisxlV50_v50Bakedvae.safetensors."""
    HyperLoRAModelName: Literal["sdxl_hyper_id_lora_v1_fidelity", "sdxl_hyper_id_lora_v1_edit"] | None = None
    """Adapter. Default sdxl_hyper_id_lora_v1_fidelity."""
    NumberOfImages: Images | None = None
    """Pictures. Default 1."""
    NumberOfInferenceSteps: Steps | None = None
    """Sampler steps. Default 50."""
    GuidanceScale: Scale | None = None
    """Guidance scale. Default 5."""
    StopAtClipLayer: Annotated[Number, Field(ge=-24, le=-1)] | None = None
    """Last layer of the text encoder that is used, as a whole number. Default -2."""
    LoRAWeight: Unit | None = None
    """How strongly the person's features count. Default 0.85."""
