"""Fusara's image requests that closed models answer: 1, 15–19, 22, 23, 26, 28–30 (contract §4.2)."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from compiler.provider import Whole
from compiler.providers.fusara.requests.base import MediaTask, ModifyTask, Number, Task, Url
from compiler.providers.fusara.requests.closed import Choice, Factor
from compiler.providers.fusara.requests.edit import OutpaintTask

FIVE_RATIOS: Final = ("9:16", "3:4", "1:1", "4:3", "16:9")
TEN_RATIOS: Final = ("9:16", "2:3", "3:4", "4:5", "1:1", "5:4", "4:3", "3:2", "16:9", "21:9")
SEEDREAM_SIZES: Final = {
    "1K": ("648x1512", "720x1280", "832x1248", "864x1152", "1024x1024", "1152x864", "1248x832", "1280x720", "1512x648"),
    "2K": (
        *("1296x3024", "1440x2560", "1664x2496", "1728x2304", "2048x2048"),
        *("2304x1728", "2496x1664", "2560x1440", "3024x1296"),
    ),
    "4K": (
        *("2592x6048", "2880x5120", "3328x4992", "3456x4608", "4096x4096"),
        *("4608x3456", "4992x3328", "5120x2880", "6048x2592"),
    ),
}
"""Image quality → sizes, by aspect ratio from 9:21 to 21:9 (contract §4.2)."""
KONTEXT_SIZES: Final = {
    "21:9": (1568, 672),
    "2:1": (1456, 720),
    "16:9": (1392, 752),
    "3:2": (1248, 832),
    "4:3": (1184, 880),
    "5:4": (1104, 944),
    "1:1": (1024, 1024),
    "4:5": (944, 1104),
    "3:4": (880, 1184),
    "2:3": (832, 1248),
    "9:16": (752, 1392),
    "1:2": (720, 1456),
    "9:21": (672, 1568),
}
"""Aspect ratio → pixels of Flux1KontextMaxOutpaint (contract §4.2)."""

Ratio5 = Annotated[str, Choice(FIVE_RATIOS)]
Ratio10 = Annotated[str, Choice(TEN_RATIOS)]
GrokRatio = Annotated[str, Choice(("9:16", "2:3", "1:1", "3:2", "16:9"))]
ImagenModel = Annotated[
    str, Choice(("imagen-4.0-fast-generate-001", "imagen-4.0-generate-001", "imagen-4.0-ultra-generate-001"))
]
GeminiModel = Annotated[str, Choice(("2.5-flash", "3.0-pro", "3.1-flash"))]
GeminiSize = Annotated[str, Choice(("1K", "2K", "3K", "4K"))]
GptSize = Annotated[str, Choice(("1024x1024", "1536x1024", "1024x1536"))]
GptQuality = Annotated[str, Choice(("low", "medium", "high"))]
GptBackground = Annotated[str, Choice(("transparent", "opaque", "auto"))]
SeedreamSize = Annotated[str, Choice(tuple(size for sizes in SEEDREAM_SIZES.values() for size in sizes))]
UpToFour = Annotated[Whole, Field(ge=1, le=4)]
UpToTen = Annotated[Whole, Field(ge=1, le=10)]


def _midjourney_version(value: str) -> str:
    if not re.fullmatch(r"(v|niji)? ?\d{1,2}(\.\d)?", value):
        facts = {"cure": "For example 7, 6.1 or niji 6", "code": "unknown"}
        raise PydanticCustomError("version", "must be a version of Midjourney or niji", facts)
    return value


class MidjourneyTask(Task):
    """Midjourney."""

    type_: Literal[1] = Field(alias="__type")
    """1: Midjourney."""
    AspectRatio: Ratio5 | None = "1:1"
    """Width to height. Default 1:1."""
    Chaos: Annotated[Whole, Field(ge=0, le=100, json_schema_extra={"step": 5})] | None = 0
    """How much the pictures differ. Default 0."""
    Quality: Annotated[str, Choice((".25", ".5", "1", "2"))] | None = "1"
    """Time spent on details. Default 1."""
    CharacterReference: Url | None = None
    """Address of a picture of a person to keep. Default none."""
    CharacterWeight: Annotated[Whole, Field(ge=0, le=100)] | None = None
    """How much of the person is kept; at least 1 from version 7 on. Default 100."""
    ImagePrompt: Url | None = None
    """Address of a picture that counts as part of the prompt. Default none."""
    ImageWeight: Annotated[Number, Field(ge=0, le=3)] | None = None
    """How much ImagePrompt counts. Default Midjourney's own: the contract's 33 is out of its range."""
    Style: Annotated[str, Choice(("raw", "expressive"))] | None = None
    """Default none; expressive belongs to the niji models, and takes niji 5 without a ModelVersion."""
    StyleReference: Url | None = None
    """Address of a picture whose style is taken. Default none."""
    StyleWeight: Annotated[Whole, Field(ge=0, le=1000)] | None = None
    """How much StyleReference counts. Sent only if given."""
    Stylize: Annotated[Whole, Field(ge=0, le=1000, json_schema_extra={"step": 50})] | None = 100
    """How much of Midjourney's own taste there is. Default 100."""
    Tile: bool | None = False
    """True: a pattern that can be repeated. Default false."""
    Weird: Annotated[Whole, Field(ge=0, le=3000, json_schema_extra={"step": 100})] | None = 0
    """How unusual. Default 0."""
    ModelVersion: Annotated[str, AfterValidator(_midjourney_version)] | None = None
    """`7`, `6.1`, `niji 6`. Default Midjourney's own."""


class ImagenTask(Task):
    """GoogleImagenCreate."""

    type_: Literal[15] = Field(alias="__type")
    """15: GoogleImagenCreate."""
    Model: ImagenModel | None = "imagen-4.0-generate-001"
    """Default imagen-4.0-generate-001."""
    AspectRatio: Ratio5 | None = "1:1"
    """Width to height. Default 1:1."""
    SampleCount: Annotated[Whole, Field(ge=1, le=8)] | None = 1
    """Pictures. Default 1."""
    EnhancePrompt: bool | None = False
    """True: Google rewrites the prompt. Default false."""
    AddWatermark: bool | None = False
    """True: an invisible watermark; the seed has no effect then. Default false."""


class GptImageCreateTask(Task):
    """OpenAIGptImage1Create."""

    type_: Literal[16] = Field(alias="__type")
    """16: OpenAIGptImage1Create."""
    N: UpToFour | None = 1
    """Pictures. Default 1."""
    Size: Annotated[str, Choice(("1024x1024", "1536x1024", "1024x1536", "auto"))] | None = "1024x1024"
    """Pixels. Default 1024x1024."""
    Quality: GptQuality | None = "medium"
    """Default medium."""
    Background: GptBackground | None = "auto"
    """Default auto."""


class GptImageEditTask(ModifyTask):
    """OpenAIGptImage1Edit."""

    type_: Literal[17] = Field(alias="__type")
    """17: OpenAIGptImage1Edit."""
    N: UpToFour | None = 1
    """Pictures. Default 1."""
    Size: GptSize | None = "1024x1024"
    """Pixels. Default 1024x1024."""
    Quality: GptQuality | None = "medium"
    """Default medium."""
    Background: GptBackground | None = "auto"
    """Default auto."""
    InputFidelity: Annotated[str, Choice(("low", "high"))] | None = "low"
    """How closely faces and details of the input are kept. Default low."""


class GeminiCreateTask(Task):
    """GoogleGeminiCreate."""

    type_: Literal[18] = Field(alias="__type")
    """18: GoogleGeminiCreate."""
    Model: GeminiModel | None = "3.0-pro"
    """Gemini 2.5 Flash Image, 3 Pro Image or 3.1 Flash Image. Default 3.0-pro."""
    AspectRatio: Ratio10 | None = "1:1"
    """Width to height. Default 1:1."""
    Size: GeminiSize | None = "2K"
    """Default 2K; 3K is made as 4K, 2.5-flash makes 1K only."""
    Temperature: Annotated[Number, Field(ge=0, le=2)] | None = 1.0
    """Default 1.0."""
    TopP: Annotated[Number, Field(ge=0, le=1)] | None = 0.95
    """Default 0.95."""
    NumberOfImages: UpToFour | None = 1
    """Pictures. Default 1."""


class GeminiEditTask(ModifyTask):
    """GoogleGeminiEdit."""

    type_: Literal[19] = Field(alias="__type")
    """19: GoogleGeminiEdit."""
    Model: GeminiModel | None = "3.0-pro"
    """2.5-flash, 3.0-pro or 3.1-flash. Default 3.0-pro."""
    Size: GeminiSize | None = "2K"
    """Default 2K; 3K is made as 4K, 2.5-flash makes 1K only."""
    Temperature: Annotated[Number, Field(ge=0, le=2)] | None = 1.0
    """Default 1.0."""
    TopP: Annotated[Number, Field(ge=0, le=1)] | None = 0.95
    """Default 0.95."""
    NumberOfImages: UpToFour | None = 1
    """Pictures. Default 1."""


class SeedreamTask(Task):
    """Seedream."""

    type_: Literal[22] = Field(alias="__type")
    """22: Seedream."""
    Size: SeedreamSize | None = "2048x2048"
    """Pixels: one of the sizes of 1K, 2K or 4K. Default 2048x2048."""
    GuidanceScale: Annotated[Number, Field(ge=1, le=10)] | None = 2.5
    """How closely the prompt is followed; sizes of 1K only. Default 2.5."""


class SeededitTask(ModifyTask):
    """Seededit."""

    type_: Literal[23] = Field(alias="__type")
    """23: Seededit."""
    Size: Annotated[str, Choice(("1K", "2K", "4K"))] | None = None
    """1K: SeedEdit's own size, near the input's; 2K or 4K: made by Seedream 4. Default 1K where SeedEdit is there."""
    GuidanceScale: Annotated[Number, Field(ge=0, le=10)] | None = 5.5
    """How closely the prompt is followed. Default 5.5."""


class KontextOutpaintTask(OutpaintTask):
    """Flux1KontextMaxOutpaint. Width×Height is one of thirteen sizes."""

    type_: Literal[26] = Field(alias="__type")
    """26: Flux1KontextMaxOutpaint."""


class TopazTask(MediaTask):
    """TopazUpscale."""

    type_: Literal[28] = Field(alias="__type")
    """28: TopazUpscale."""
    Prompt: Annotated[str, Field(max_length=20_000)] = ""
    """What the picture shows; may be empty."""
    ScaleFactor: Annotated[float, Factor((1, 2, 4, 8))] | None = 2
    """Factor of width and height. Default 2."""


class GrokImageCreateTask(Task):
    """GrokImageCreate."""

    type_: Literal[29] = Field(alias="__type")
    """29: GrokImageCreate."""
    N: UpToTen | None = 6
    """Pictures. Default 6."""
    AspectRatio: GrokRatio | None = "1:1"
    """Width to height. Default 1:1."""


class GrokImageEditTask(ModifyTask):
    """GrokImageEdit."""

    type_: Literal[30] = Field(alias="__type")
    """30: GrokImageEdit."""
    NumberOfImages: UpToTen | None = 2
    """Pictures. Default 2."""
    Width: Annotated[Whole, Field(ge=16, le=8192)] | None = None
    """Pixels of the result, with Height. Default what the model makes."""
    Height: Annotated[Whole, Field(ge=16, le=8192)] | None = None
    """Pixels of the result, with Width."""
    GuidanceScale: Number | None = None
    """Without effect: the model has none."""
