"""Fusara's closed video models: 100–102, 104–111. What they are asked with is in graphs/partners/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from compiler.binding import Bench
from compiler.errors import Fault, RequestError
from compiler.media import Media, MediaKind, MediaRef
from compiler.providers.fusara.closed_image import pixels
from compiler.providers.fusara.partner import PartnerProvider
from compiler.providers.fusara.requests.base import FIRST_FRAME, IMAGE, LAST_FRAME
from compiler.providers.fusara.requests.closed_video import (
    GrokVideoTask,
    HailuoTask,
    KlingO3Task,
    KlingTask,
    KlingV3Task,
    RunwayTask,
    Seedance15Task,
    SeedanceTask,
    SoraTask,
    VeoTask,
    Wan26Task,
)


class VideoProvider(PartnerProvider):
    """A closed video model."""

    IGNORED = {**PartnerProvider.IGNORED, "FPS": "closed models have a frame rate of their own"}


class GoogleVeo(VideoProvider):
    """Google Veo 3.1: from text, from a first frame, between two frames, or with up to three reference pictures."""

    name, discriminator = "GoogleVeoVideoCreate", "100"
    Request = VeoTask
    SEED_LIMIT = 2**32
    TABLE, PRESETS, PICTURES = "veo", frozenset({IMAGE, FIRST_FRAME, LAST_FRAME}), 3

    def check(self, request: Any) -> None:
        super().check(request)
        shown = {one.type_: where for where, one in self.visual(request)}
        if LAST_FRAME in shown and FIRST_FRAME not in shown:
            cure = "Add a FirstFrameReference (11)"
            raise RequestError(Fault(shown[LAST_FRAME], "a last frame needs a first one", cure, "required"))
        if IMAGE in shown and FIRST_FRAME in shown:
            cure = "Give references or frames"
            raise RequestError(Fault(shown[IMAGE], "does not go with a first frame", cure, "unsupported"))


class Kling26(VideoProvider):
    """Kling 2.6, with sound if wanted."""

    name, discriminator = "KlingVideoCreate", "101"
    Request = KlingTask
    TABLE, PRESETS = "kling_26", frozenset({FIRST_FRAME})
    LEAST: ClassVar[int] = 300
    """Pixels of the first frame's sides."""
    WIDEST: ClassVar[float] = 2.5
    """Its longer side to its shorter one."""

    def derived(self, request: Any, bench: Bench, params: Mapping[str, Any]) -> dict[str, Any]:
        for where, one in self.visual(request):
            self._frame(where, bench.picture(where, one.source))
        return {}

    def _frame(self, where: str, frame: Media) -> None:
        shown = f"{frame.width}×{frame.height}"
        if min(frame.width, frame.height) < self.LEAST:
            raise RequestError(Fault(where, f"is {shown} pixels, below {self.LEAST}", "Give a larger picture"))
        if max(frame.width, frame.height) > self.WIDEST * min(frame.width, frame.height):
            raise RequestError(Fault(where, f"is {shown}, beyond 1:2.5 and 2.5:1", "Give a picture of another shape"))


class Seedance1(VideoProvider):
    """ByteDance Seedance 1.0; with a first frame the lite model is lite-i2v."""

    name, discriminator = "SeedanceVideoCreate", "102"
    Request = SeedanceTask
    TABLE, PRESETS = "seedance_1", frozenset({FIRST_FRAME})

    def check(self, request: Any) -> None:
        super().check(request)
        if request.Model == "seedance-1-0-lite-i2v-250428" and not any(self.visual(request)):
            cure = "Add a FirstFrameReference (11), or use seedance-1-0-lite-t2v-250428"
            raise RequestError(Fault("Model", f"{request.Model} needs a first frame", cure, "required"))


class Sora(VideoProvider):
    """OpenAI Sora 2. A first frame is cropped around its centre to the size of the video."""

    name, discriminator = "OpenAISoraVideoCreate", "104"
    Request = SoraTask
    TABLE, PRESETS = "sora", frozenset({FIRST_FRAME})
    REFUSED = dict.fromkeys(("AspectRatio", "Resolution"), "Use Size")
    PRO_ONLY: ClassVar = ("1024x1792", "1792x1024")

    def check(self, request: Any) -> None:
        super().check(request)
        if request.Size in self.PRO_ONLY and request.Model != "sora-2-pro":
            cure = "Use 720x1280 or 1280x720, or the model sora-2-pro"
            raise RequestError(Fault("Size", f"{request.Size} needs sora-2-pro", cure, "unsupported"))

    def prepare(self, request: Any, bench: Bench, params: Mapping[str, Any]) -> None:
        width, height = pixels(params["size"])
        if params["has_first"]:
            bench.attach("fit_frame", {"image": "first"}, frame_width=width, frame_height=height)


class FromPicture(VideoProvider):
    """A model that begins with an input picture; the contract lists no presets, a FirstFrameReference is taken."""

    MEDIA, PICTURES = (0, 1), 1
    TOLERATED = {FIRST_FRAME: "is not in the contract here: taken as the input picture"}
    NEEDS: ClassVar[Mapping[str, str]] = {}
    """Model → what it must be given."""

    def check(self, request: Any) -> None:
        super().check(request)
        model, given = self.model(request), bool(self.begins(request))
        if model in self.NEEDS and not given:
            cure = f"Give InputMediaIds or InputMediaExternalUrls with {self.NEEDS[model]}"
            raise RequestError(Fault("InputMediaIds", f"{model} needs {self.NEEDS[model]}", cure, "required"))
        if len(self.begins(request)) > self.MEDIA[1]:
            what = f"{model} takes {self.MEDIA[1]} at most, not {len(self.begins(request))}"
            raise RequestError(Fault(self.begins(request)[-1][0], what, "Send fewer", "out_of_range"))

    def begins(self, request: Any) -> list[tuple[str, str]]:
        """(field, reference) of the pictures that are given, whatever as."""
        frames = [(where, one.source) for where, one in self.visual(request) if one.type_ == FIRST_FRAME]
        return [*request.media(), *frames]

    def shown(self, request: Any, bench: Bench) -> dict[str, tuple[str, str]]:
        super().shown(request, bench)  # tells what is tolerated
        return {f"image_{index}": pair for index, pair in enumerate(self.begins(request), 1)}

    def model(self, request: Any) -> str:
        """The model in use."""
        return str(request.Model or self.Request.model_fields["Model"].default)


class Hailuo(FromPicture):
    """MiniMax Hailuo 2.3. Below 8 seconds it makes 6, else 10; 6 at 1080P."""

    name, discriminator = "HailuoVideoCreate", "105"
    Request = HailuoTask
    TABLE = "hailuo"
    NEEDS = {"MiniMax-Hailuo-2.3-Fast": "a picture"}

    def derived(self, request: Any, bench: Bench, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"seconds": 6 if params["duration"] < 8 or params["resolution"] == "1080P" else 10}


class Runway(FromPicture):
    """Runway's models from a picture, and Google's that Runway offers from text."""

    name, discriminator = "RunwayVideoCreate", "106"
    Request = RunwayTask
    TABLE = "runway"
    NEEDS = dict.fromkeys(("gen4_turbo", "gen3a_turbo"), "a picture")
    VEO: ClassVar = ("veo3.1", "veo3.1_fast", "veo3")

    def model(self, request: Any) -> str:
        return request.Model or ("gen4_turbo" if self.begins(request) else "veo3.1")

    def check(self, request: Any) -> None:
        super().check(request)
        begins = self.begins(request)
        if begins and self.model(request) in self.VEO:
            cure = "Use gen4_turbo, or GoogleVeoVideoCreate (100)"
            raise RequestError(Fault(begins[0][0], f"{self.model(request)} takes no picture here", cure, "unsupported"))

    def derived(self, request: Any, bench: Bench, params: Mapping[str, Any]) -> dict[str, Any]:
        model, duration = self.model(request), params["duration"]
        veo = next((seconds for seconds in (4, 6, 8) if seconds >= duration), 8)
        wide = params["aspect_ratio"] in ("16:9", "4:3", "1:1")
        seconds = veo if model in self.VEO else 5 if duration < 8 else 10
        return {"model": model, "seconds": seconds, "veo_ratio": "16:9" if wide else "9:16"}


class Wan26(FromPicture):
    """Alibaba Wan 2.6: from text, from a picture, or with reference videos."""

    name, discriminator = "Wan26VideoCreate", "107"
    Request = Wan26Task
    TABLE, MEDIA = "wan_26", (0, 3)
    REFERENCE: ClassVar = "wan2.6-r2v"
    NEEDS = {"wan2.6-i2v": "a picture", "wan2.6-i2v-flash": "a picture", REFERENCE: "one to three videos"}

    def model(self, request: Any) -> str:
        return request.Model or ("wan2.6-i2v" if self.begins(request) else "wan2.6-t2v")

    def media_refs(self, request: Any) -> tuple[MediaRef, ...]:
        kind = self.media_kind(request)
        return tuple(MediaRef(field, reference, kind) for field, reference in self.begins(request))

    def media_kind(self, request: Any) -> MediaKind:
        return "video" if self.model(request) == self.REFERENCE else "image"

    def check(self, request: Any) -> None:
        super().check(request)
        model, begins = self.model(request), self.begins(request)
        most = 3 if model == self.REFERENCE else 1 if model in self.NEEDS else 0
        if len(begins) > most:
            what = f"{model} takes {most or 'no pictures'}{' at most' if most else ''}, not {len(begins)}"
            raise RequestError(Fault(begins[most][0], what, "Send fewer, or use another model", "out_of_range"))

    def shown(self, request: Any, bench: Bench) -> dict[str, tuple[str, str]]:
        found = super().shown(request, bench)
        kind = self.media_kind(request)
        for field, reference in found.values():
            medium = bench.picture(field, reference)
            if medium.kind != kind:
                raise RequestError(Fault(field, f"is no {kind}", f"{self.model(request)} takes {kind}s", "wrong_type"))
        return {wire.replace("image", kind): pair for wire, pair in found.items()}

    def derived(self, request: Any, bench: Bench, params: Mapping[str, Any]) -> dict[str, Any]:
        seconds = next(one for one in (5, 10, 15) if one >= params["duration"])
        extend = not request.SkipPromptPreprocessing
        ratio = params["aspect_ratio"] or "16:9"
        return {"model": self.model(request), "seconds": seconds, "prompt_extend": extend, "aspect_ratio": ratio}


class Seedance15(VideoProvider):
    """ByteDance Seedance 1.5 Pro, with sound if wanted."""

    name, discriminator = "Seedance15VideoCreate", "108"
    Request = Seedance15Task
    TABLE, PRESETS = "seedance_15", frozenset({FIRST_FRAME})


class KlingV3(VideoProvider):
    """Kling 3."""

    name, discriminator = "KlingV3VideoCreate", "109"
    Request = KlingV3Task
    TABLE = "kling_v3"


class KlingO3(VideoProvider):
    """Kling 3 Omni."""

    name, discriminator = "KlingO3VideoCreate", "110"
    Request = KlingO3Task
    TABLE = "kling_o3"


class GrokVideo(VideoProvider):
    """xAI's Grok Imagine for videos."""

    name, discriminator = "GrokVideoCreate", "111"
    Request = GrokVideoTask
    TABLE = "grok_video"


PROVIDERS = (
    GoogleVeo(),
    Kling26(),
    Seedance1(),
    Sora(),
    Hailuo(),
    Runway(),
    Wan26(),
    Seedance15(),
    KlingV3(),
    KlingO3(),
    GrokVideo(),
)
