"""What every Fusara request has (contract §8), and the bases of its families. Fields bear the contract's names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from compiler.provider import Request, Whole

Uint = Annotated[Whole, Field(ge=0, le=2**32 - 1)]
Count = Annotated[Whole, Field(ge=1)]
Side = Annotated[Whole, Field(ge=512, le=2048)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=20_000)]
Url = Annotated[str, Field(min_length=1, max_length=8_192)]

IMAGE, STYLE, CHARACTER, EMOTION, CAMERA, PALETTE, LIGHTING = 1, 2, 3, 4, 5, 6, 7
CONTOUR, DEPTH, COMPOSITION, FIRST_FRAME, LAST_FRAME, PREVIOUS_VIDEO = 8, 9, 10, 11, 12, 13
PRESET_NAMES: Final = {
    IMAGE: "ImageReference",
    STYLE: "StyleReference",
    CHARACTER: "CharacterReference",
    EMOTION: "Emotion",
    CAMERA: "Camera",
    PALETTE: "ColorPalette",
    LIGHTING: "Lighting",
    CONTOUR: "ContourReference",
    DEPTH: "DepthReference",
    COMPOSITION: "CompositionReference",
    FIRST_FRAME: "FirstFrameReference",
    LAST_FRAME: "LastFrameReference",
    PREVIOUS_VIDEO: "PreviousVideoReference",
}
"""A preset's `__type` → its name (contract §5.1)."""
SUPPLEMENTS: Final = frozenset({EMOTION, CAMERA, PALETTE, LIGHTING})
"""Presets that add to the prompt; all others show a medium."""


def _either(first: str, second: str) -> PydanticCustomError:
    return PydanticCustomError("either", "give {first} or {second}, not both", {"first": first, "second": second})


class Preset(Request):
    """A visual reference or a prompt supplement (contract §5). Its `__type` is not a provider's."""

    type_: Literal[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13] = Field(alias="__type")
    """1 ImageReference, 2 StyleReference, 3 CharacterReference, 4 Emotion, 5 Camera, 6 ColorPalette, 7 Lighting,
    8 ContourReference, 9 DepthReference, 10 CompositionReference, 11 FirstFrameReference, 12 LastFrameReference,
    13 PreviousVideoReference."""
    Weight: Annotated[Number, Field(ge=0)] | None = None
    """How strongly it counts, 0–1; more than 1 counts as 1. Default 1."""
    ExternalUrl: Url | None = None
    """Address of the picture or video; or ImageId."""
    ImageId: Uint | None = None
    """Id of a medium; or ExternalUrl."""
    Value: Text | None = None
    """Our addition: the text of a prompt supplement, which the contract does not name."""

    @model_validator(mode="after")
    def _one_source(self) -> Preset:
        if self.ExternalUrl is not None and self.ImageId is not None:
            raise _either("ExternalUrl", "ImageId")
        if self.type_ not in SUPPLEMENTS and self.ExternalUrl is None and self.ImageId is None:
            name = PRESET_NAMES[self.type_]
            raise PydanticCustomError("medium", "{name} needs ExternalUrl or ImageId", {"name": name})
        return self

    @property
    def weight(self) -> float:
        """0–1."""
        return 1.0 if self.Weight is None else min(1.0, self.Weight)

    @property
    def source(self) -> str:
        """The medium in the caller's words; empty for a supplement without one."""
        return self.ExternalUrl or ("" if self.ImageId is None else str(self.ImageId))


class PresetGroup(Request):
    """Presets together; the contract does not say more."""

    Presets: list[Preset] = []
    """Taken as if each stood in TaskPresets."""


class TaskModel(Request):
    """A LoRA to apply (contract §8.3)."""

    Strength: Annotated[Number, Field(ge=-10, le=10)] = 1.0
    """Multiplier; 0 has no effect."""
    ModelId: Uint | None = None
    """Id of an imported model; or ModelUrl."""
    ModelUrl: Url | None = None
    """Civitai address of a model, imported first; or ModelId."""

    @model_validator(mode="after")
    def _one_source(self) -> TaskModel:
        if self.ModelId is not None and self.ModelUrl is not None:
            raise _either("ModelId", "ModelUrl")
        if self.ModelId is None and self.ModelUrl is None:
            raise PydanticCustomError("model", "needs ModelId or ModelUrl")
        return self

    @property
    def source(self) -> str:
        return self.ModelUrl or str(self.ModelId)


class Task(Request):
    """CreateGenerateMediaTaskRequest (contract §8.1)."""

    Prompt: Annotated[Text, Field(min_length=1)]
    """What to make."""
    NegativePrompt: Text | None = None
    """What to keep out."""
    LoRATriggerString: Text | None = None
    """Trigger words of the LoRA; they come first in the prompt."""
    WorkflowVariantId: Whole | None = None
    """Variant of the workflow, where a provider has several; null is the default."""
    SkipPromptPreprocessing: bool | None = None
    """True: the prompt is taken as it is. So it is in any case, except by Wan 2.6 (107), which rewrites it."""
    SkipImageAnalysis: bool | None = None
    """Input pictures are never described first; false is reported."""
    CompletionCallbackUrl: Url | None = None
    """Address that is told the end of the task."""
    CompletionTimeout: Annotated[Whole, Field(ge=0)] | None = None
    """Milliseconds that the callback's receiver may take to answer."""
    TaskPresets: list[Preset] | None = None
    """Visual references and prompt supplements."""
    TaskPresetGroups: list[PresetGroup] | None = None
    """Presets in groups; taken one after another."""
    TaskModels: list[TaskModel] | None = None
    """LoRA, in the order in which they are applied."""
    Seed: Whole | None = None
    """Reproducibility seed; random if absent. Where the contract does not list it, it is our addition."""

    def presets(self) -> Iterator[tuple[str, Preset]]:
        """(field, preset) of each preset, those of groups after the others."""
        yield from ((f"TaskPresets[{index}]", one) for index, one in enumerate(self.TaskPresets or ()))
        for outer, group in enumerate(self.TaskPresetGroups or ()):
            yield from ((f"TaskPresetGroups[{outer}].Presets[{index}]", one) for index, one in enumerate(group.Presets))

    def media(self) -> tuple[tuple[str, str], ...]:
        """(field, id or address) of each input medium."""
        return ()


class MediaTask(Task):
    """A request that works on given media (contract §8.2)."""

    InputMediaIds: list[Uint] | None = None
    """Ids of media: uploaded, or made by an earlier task; or InputMediaExternalUrls."""
    InputMediaExternalUrls: list[Url] | None = None
    """Addresses of media; or InputMediaIds."""

    @model_validator(mode="after")
    def _one_source(self) -> Any:
        if self.InputMediaIds and self.InputMediaExternalUrls:
            raise _either("InputMediaIds", "InputMediaExternalUrls")
        return self

    def media(self) -> tuple[tuple[str, str], ...]:
        ids = ((f"InputMediaIds[{index}]", str(one)) for index, one in enumerate(self.InputMediaIds or ()))
        urls = (
            (f"InputMediaExternalUrls[{index}]", one) for index, one in enumerate(self.InputMediaExternalUrls or ())
        )
        return (*ids, *urls)


class ModifyTask(MediaTask):
    """ModifyTaskBase: edits a picture as the prompt says."""


class VideoTask(Task):
    """CreateGenerateVideoTaskRequest (contract §4.3): what all video providers have."""

    Model: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Model of the provider."""
    Duration: Annotated[Number, Field(gt=0)] | None = None
    """Seconds."""
    AspectRatio: Annotated[str, Field(max_length=20)] | None = None
    """Width to height, `16:9`."""
    Resolution: Annotated[str, Field(max_length=20)] | None = None
    """`720p`"""
    FPS: Annotated[Number, Field(gt=0)] | None = None
    """Frames a second."""
    GenerateAudio: bool | None = None
    """True: with sound."""
