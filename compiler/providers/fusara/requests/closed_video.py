"""Fusara's video requests that closed models answer: 100–102, 104–111 (contract §4.3)."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from compiler.provider import Whole
from compiler.providers.fusara.requests.base import MediaTask, Number, VideoTask
from compiler.providers.fusara.requests.closed import Choice, Seconds, seconds_error

RATIOS3: Final = ("9:16", "1:1", "16:9")
RATIOS5: Final = ("9:16", "3:4", "1:1", "4:3", "16:9")
RATIOS6: Final = ("9:16", "3:4", "1:1", "4:3", "16:9", "21:9")
LONGEST: Final = 15
"""Seconds: the longest Duration of the contract."""

Ratio3 = Annotated[str, Choice(RATIOS3)]
Ratio5 = Annotated[str, Choice(RATIOS5)]
ThreeToFifteen = Annotated[float, Seconds(tuple(range(3, 16)), "3 to 15 whole")]
FiveOrTen = Annotated[float, Seconds((5, 10))]
P720 = Annotated[str, Choice(("720p", "1080p"))]
P480 = Annotated[str, Choice(("480p", "720p", "1080p"))]
StandardOrPro = Annotated[str, Choice(("standard", "pro"))]
SoraSize = Annotated[str, Choice(("720x1280", "1280x720", "1024x1792", "1792x1024"))]


def _wan_seconds(value: float) -> float:
    if not 0 < value <= LONGEST:
        raise seconds_error(f"more than 0 and at most {LONGEST}", value)
    return value


class VideoFromMediaTask(MediaTask, VideoTask):
    """A video request that some models answer only with a picture or video to begin from."""

    def media(self) -> tuple[tuple[str, str], ...]:
        return MediaTask.media(self)


class VeoTask(VideoTask):
    """GoogleVeoVideoCreate."""

    type_: Literal[100] = Field(alias="__type")
    """100: GoogleVeoVideoCreate."""
    Model: Annotated[str, Choice(("veo-3.1-generate-preview", "veo-3.1-fast-generate-preview"))] | None = (
        "veo-3.1-generate-preview"
    )
    """Default veo-3.1-generate-preview."""
    Duration: Annotated[float, Seconds((4, 6, 8))] | None = 8
    """Seconds. Default 8."""
    AspectRatio: Annotated[str, Choice(("9:16", "16:9"))] | None = "16:9"
    """Width to height. Default 16:9."""
    Resolution: P720 | None = "720p"
    """Default 720p."""
    GenerateAudio: bool | None = False
    """True: with sound. Default false."""
    Seed: Annotated[Whole, Field(ge=0, le=2**32 - 1)] | None = None
    """Reproducibility seed; random if absent."""


class KlingTask(VideoTask):
    """KlingVideoCreate."""

    type_: Literal[101] = Field(alias="__type")
    """101: KlingVideoCreate."""
    Duration: FiveOrTen | None = 5
    """Seconds. Default 5."""
    AspectRatio: Ratio3 | None = "16:9"
    """Width to height; that of the picture, where there is one. Default 16:9."""
    GenerateAudio: bool | None = False
    """True: with sound. Default false."""
    GuidanceScale: Number | None = None
    """How closely the prompt is followed. Default none."""


class SeedanceTask(VideoTask):
    """SeedanceVideoCreate."""

    type_: Literal[102] = Field(alias="__type")
    """102: SeedanceVideoCreate."""
    Model: (
        Annotated[
            str,
            Choice(("seedance-1-0-lite-t2v-250428", "seedance-1-0-lite-i2v-250428", "seedance-1-0-pro-250528")),
        ]
        | None
    ) = "seedance-1-0-pro-250528"
    """Default seedance-1-0-pro-250528, which takes a first frame or none."""
    Duration: ThreeToFifteen | None = 5
    """Seconds; the model makes 12 at most. Default 5."""
    AspectRatio: Annotated[str, Choice(RATIOS6)] | None = "16:9"
    """Width to height. Default 16:9."""
    Resolution: P480 | None = "720p"
    """Default 720p."""
    CameraFixed: bool | None = False
    """True: the camera does not move. Default false."""


class SoraTask(VideoTask):
    """OpenAISoraVideoCreate."""

    type_: Literal[104] = Field(alias="__type")
    """104: OpenAISoraVideoCreate."""
    Model: Annotated[str, Choice(("sora-2", "sora-2-pro"))] | None = "sora-2"
    """Default sora-2."""
    Duration: Annotated[float, Seconds((4, 8, 12))] | None = 8
    """Seconds. Default 8."""
    Size: SoraSize | None = "1280x720"
    """Pixels; 1024x1792 and 1792x1024 need sora-2-pro. Default 1280x720."""


class HailuoTask(VideoFromMediaTask):
    """HailuoVideoCreate."""

    type_: Literal[105] = Field(alias="__type")
    """105: HailuoVideoCreate."""
    Model: Annotated[str, Choice(("MiniMax-Hailuo-2.3", "MiniMax-Hailuo-2.3-Fast"))] | None = "MiniMax-Hailuo-2.3"
    """Fast needs a picture to begin with. Default MiniMax-Hailuo-2.3."""
    Duration: ThreeToFifteen | None = 6
    """Seconds: below 8 the model makes 6, else 10. Default 6."""
    Resolution: Annotated[str, Choice(("768P", "1080P"))] | None = "768P"
    """1080P has 6 seconds. Default 768P."""
    PromptOptimizer: bool | None = True
    """True: MiniMax rewrites the prompt. Default true."""


class RunwayTask(VideoFromMediaTask):
    """RunwayVideoCreate."""

    type_: Literal[106] = Field(alias="__type")
    """106: RunwayVideoCreate."""
    Model: Annotated[str, Choice(("gen4_turbo", "gen3a_turbo", "veo3.1", "veo3.1_fast", "veo3"))] | None = None
    """gen4_turbo and gen3a_turbo need a picture, the others none. Default gen4_turbo with a picture, else veo3.1."""
    Duration: ThreeToFifteen | None = 5
    """Seconds: below 8 Runway makes 5, else 10. Default 5."""
    Resolution: P720 | None = "720p"
    """Default 720p; gen4_turbo and gen3a_turbo make 720p only."""
    AspectRatio: Ratio5 | None = "16:9"
    """Width to height. Default 16:9."""


class Wan26Task(VideoFromMediaTask):
    """Wan26VideoCreate."""

    type_: Literal[107] = Field(alias="__type")
    """107: Wan26VideoCreate."""
    Model: Annotated[str, Choice(("wan2.6-i2v-flash", "wan2.6-i2v", "wan2.6-t2v", "wan2.6-r2v"))] | None = None
    """i2v needs a picture, r2v one to three videos. Default wan2.6-i2v with a picture, else wan2.6-t2v."""
    Duration: Annotated[Number, AfterValidator(_wan_seconds)] | None = 5
    """Seconds; made as 5, 10 or 15, whichever is next. Default 5."""
    Resolution: P720 | None = "720p"
    """Default 720p."""
    AspectRatio: Ratio5 | None = None
    """Width to height; that of the picture, where there is one. Default 16:9. Our addition."""


class Seedance15Task(VideoTask):
    """Seedance15VideoCreate."""

    type_: Literal[108] = Field(alias="__type")
    """108: Seedance15VideoCreate."""
    Duration: Annotated[float, Seconds((4, 8, 12))] | None = 8
    """Seconds. Default 8."""
    AspectRatio: Annotated[str, Choice((*RATIOS6, "adaptive"))] | None = "16:9"
    """Width to height; adaptive is that of the first frame. Default 16:9."""
    Resolution: P480 | None = "720p"
    """Default 720p."""
    CameraFixed: bool | None = False
    """True: the camera does not move. Default false."""
    GenerateAudio: bool | None = True
    """True: with sound. Default true."""


class KlingV3Task(VideoTask):
    """KlingV3VideoCreate."""

    type_: Literal[109] = Field(alias="__type")
    """109: KlingV3VideoCreate."""
    Model: StandardOrPro | None = "standard"
    """standard is 720p, pro 1080p. Default standard."""
    Duration: FiveOrTen | None = 5
    """Seconds. Default 5."""
    AspectRatio: Ratio3 | None = "16:9"
    """Width to height. Default 16:9."""
    GuidanceScale: Number | None = 0.5
    """How closely the prompt is followed. Default 0.5."""
    GenerateAudio: bool | None = True
    """True: with sound. Default true."""


class KlingO3Task(VideoTask):
    """KlingO3VideoCreate."""

    type_: Literal[110] = Field(alias="__type")
    """110: KlingO3VideoCreate."""
    Model: StandardOrPro | None = "standard"
    """standard is 720p, pro 1080p. Default standard."""
    Duration: FiveOrTen | None = 5
    """Seconds. Default 5."""
    AspectRatio: Ratio3 | None = "16:9"
    """Width to height. Default 16:9."""
    GenerateAudio: bool | None = False
    """True: with sound. Default false."""


class GrokVideoTask(VideoTask):
    """GrokVideoCreate."""

    type_: Literal[111] = Field(alias="__type")
    """111: GrokVideoCreate."""
    Mode: Annotated[str, Choice(("fun", "normal", "spicy"))] | None = "normal"
    """Default normal."""
    Duration: Annotated[float, Seconds((6, 10))] | None = 6
    """Seconds. Default 6."""
    Resolution: Annotated[str, Choice(("480p", "720p"))] | None = "720p"
    """Default 720p."""
    AspectRatio: Annotated[str, Choice(("9:16", "2:3", "1:1", "3:2", "16:9"))] | None = "16:9"
    """Width to height. Default 16:9."""
