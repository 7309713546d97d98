"""Fusara's local text-to-image providers: 2, 4, 5, 11, 21, 27, and 10, variations of a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from compiler.binding import Bench, with_guidance
from compiler.errors import Fault, RequestError
from compiler.models import main_role, note_version, resolve_model
from compiler.provider import Request
from compiler.providers.fusara.base import FusaraProvider
from compiler.providers.fusara.presets import pictures
from compiler.providers.fusara.requests.base import CHARACTER, COMPOSITION, CONTOUR, DEPTH, IMAGE, STYLE
from compiler.providers.fusara.requests.image import (
    FluxTask,
    HiDreamTask,
    QwenTask,
    SDTask,
    SDXLTask,
    VaryTask,
    ZImageTask,
)
from compiler.references import Shown, show
from compiler.sizes import both_up
from compiler.template.manifest import Profile, Stack

CHECKPOINT, TRANSFORMER = "checkpoint/text_to_image", "dit/text_to_image"
QWEN_SIZES: Final[Mapping[str, tuple[int, int]]] = {
    "16:9": (1664, 928),
    "4:3": (1472, 1104),
    "3:2": (1584, 1056),
    "1:1": (1328, 1328),
    "2:3": (1056, 1584),
    "3:4": (1104, 1472),
    "9:16": (928, 1664),
}
"""Aspect ratio → pixels (contract §4.2). No two share a width or a height."""


class LocalImageProvider(FusaraProvider):
    """Pictures by one of our stacks. What differs is in the stacks and in the defaults of the requests."""

    TEMPLATE: ClassVar[str]
    STACKS: ClassVar[tuple[str, ...]]
    """The default first; CheckpointName may choose another."""

    def bind(self, request: Any, bench: Bench) -> None:
        bench.template, bench.outputs = self.TEMPLATE, ("image",)
        stack, files = self._model(request, bench)
        note_version(bench, stack, "__type")
        profile = self._profile(request, bench, stack)
        bench.sample(stack, profile)
        triggers = self.loras(request, bench, stack, profile) if self.LORA else []
        bench.set(
            files=files,
            prompt=self.prompt(request, bench, triggers, emphasis=stack.prompt_weights),
            negative_prompt=self.negative(request, bench, profile),
            seed=self.seed(request),
            batch_size=chosen(request, "NumberOfImages"),
        )
        self._size(request, bench, stack)
        self._clip_skip(request, bench, stack)
        show(bench, stack, self.shown(request))
        self.extras(request, bench)

    def shown(self, request: Any) -> Iterator[Shown]:
        """The pictures that the model is shown."""
        yield from pictures(self.visual(request))

    def size(self, request: Any) -> tuple[int, int]:
        """Width and height of the result. Errors: RequestError."""
        return chosen(request, "Width"), chosen(request, "Height")

    def extras(self, request: Any, bench: Bench) -> None:
        """Whatever a provider has of its own."""

    def _model(self, request: Any, bench: Bench) -> tuple[Stack, Mapping[str, str]]:
        """The stack and its files, CheckpointName's in the place of the diffusion model."""
        stacks = [bench.library.stack(name) for name in self.STACKS]
        name = getattr(request, "CheckpointName", None)
        if name is None:
            return stacks[0], stacks[0].files
        model = resolve_model(name, stacks, bench.library, bench.catalog, "CheckpointName")
        stack = model.stack or stacks[0]
        if not model.family and len(stacks) > 1:
            why = f"its family is not known: it is sampled as {stack.title}. A row of the asset table says more"
            bench.unsupported("CheckpointName", why, "unknown_family")
        return stack, {**stack.files, main_role(stack): model.file}

    def _profile(self, request: Any, bench: Bench, stack: Stack) -> Profile:
        """The stack's profile with the steps, guidance and shift that were asked."""
        variant = self.VARIANTS.get(request.WorkflowVariantId or 0, stack.default_profile)
        base = stack.profiles[variant]
        steps = chosen(request, "NumberOfInferenceSteps") or base.steps
        scale = chosen(request, "GuidanceScale")
        if stack.guidance == "distilled":
            made = base.model_copy(update={"steps": steps, "guidance": base.guidance if scale is None else scale})
        else:
            made = with_guidance(base, steps, base.cfg if scale is None else scale)
        if base.cfg == 1.0 and made.cfg > 1.0:
            bench.unsupported(
                "GuidanceScale", "the model was distilled for 1; more takes longer, and is worse", "quality"
            )
        return self._shifted(request, bench, stack, made)

    def _shifted(self, request: Any, bench: Bench, stack: Stack, profile: Profile) -> Profile:
        shift = getattr(request, "SamplingShift", None)
        if shift is None:
            return profile
        if not stack.shift:
            bench.unsupported("SamplingShift", f"{stack.title} has no shift in its noise schedule")
            return profile
        return profile.model_copy(update={"shift": shift})

    def _size(self, request: Any, bench: Bench, stack: Stack) -> None:
        """Rounded up to the stack's multiple; what stands over is cropped away at the end."""
        asked = self.size(request)
        made = both_up(asked, stack.size_multiple)
        bench.set(width=made[0], height=made[1])
        bench.crop(made, asked)

    def _clip_skip(self, request: Any, bench: Bench, stack: Stack) -> None:
        skip = getattr(request, "ClipSkip", None)
        if skip is None:
            return
        if not stack.clip_skip:
            bench.unsupported("ClipSkip", f"has no meaning for the text encoders of {stack.title}")
        elif skip >= stack.clip_skip:
            bench.attach("clip_skip", clip_skip=skip)


def chosen(request: Request, field: str) -> Any:
    """What was asked, or the default of the request model where nothing or null was."""
    value = getattr(request, field)
    return type(request).model_fields[field].default if value is None else value


class StableDiffusion(LocalImageProvider):
    """Stable Diffusion 3.5 Large; with a CheckpointName of that family, 1.5."""

    name, discriminator = "SD", "2"
    Request = SDTask
    TEMPLATE, STACKS, LORA = CHECKPOINT, ("sd35", "sd15"), True


class StableDiffusionXL(LocalImageProvider):
    """SDXL. References take the pack IPAdapter_plus; without it the core's nearest, and what that loses is reported."""

    name, discriminator = "SDXL", "4"
    Request = SDXLTask
    TEMPLATE, STACKS, LORA = CHECKPOINT, ("sdxl",), True
    PRESETS = frozenset({IMAGE, STYLE, CHARACTER, CONTOUR, DEPTH, COMPOSITION})

    def extras(self, request: Any, bench: Bench) -> None:
        if not request.EnableFaceDetailer:
            return
        missing = bench.catalog.lacks(tuple(sorted(bench.library.fragment("face_detail").skeleton.classes)))
        if missing:
            why = f"{bench.catalog.label} has no {', '.join(missing)}: link comfyc's nodes with `comfyc nodes link`"
            bench.unsupported("EnableFaceDetailer", why)
        else:
            bench.attach("face_detail")


class Flux1Dev(LocalImageProvider):
    """FLUX.1 dev. GuidanceScale is the distilled guidance; the sampler's cfg stays 1."""

    name, discriminator = "Flux1Dev", "5"
    Request = FluxTask
    TEMPLATE, STACKS, LORA = TRANSFORMER, ("flux",), True
    PRESETS = frozenset({IMAGE, STYLE, CHARACTER, CONTOUR, DEPTH})


class HiDreamI1Full(LocalImageProvider):
    """HiDream-I1 Full."""

    name, discriminator = "HiDreamI1Full", "11"
    Request = HiDreamTask
    TEMPLATE, STACKS, LORA = TRANSFORMER, ("hidream_i1",), True


class ZImageTurbo(LocalImageProvider):
    """Z-Image Turbo, sampled in 8 steps without a negative prompt."""

    name, discriminator = "ZImageTurbo", "27"
    Request = ZImageTask
    TEMPLATE, STACKS, LORA = TRANSFORMER, ("zimage",), True


class QwenCreate(LocalImageProvider):
    """Qwen-Image, in the seven sizes of the contract's table. ImageReference begins with that picture."""

    name, discriminator = "QwenCreate", "21"
    Request = QwenTask
    TEMPLATE, STACKS, LORA = TRANSFORMER, ("qwen",), True
    PRESETS = frozenset({IMAGE})
    VARIANTS = {1: "lightning"}

    def size(self, request: Any) -> tuple[int, int]:
        """The row of the table that the given sides name."""
        width, height = request.Width, request.Height
        if width is None and height is None:
            return QWEN_SIZES["1:1"]
        rows = [row for row in QWEN_SIZES.values() if width in (None, row[0]) and height in (None, row[1])]
        if rows:
            return rows[0]
        asked = width or height, height or width
        ratio, near = min(QWEN_SIZES.items(), key=lambda one: _distance(one[1], (width, height)))
        what = f"{asked[0]}×{asked[1]}" if width and height else f"{asked[0]}"
        cure = f"The nearest is {near[0]}×{near[1]} ({ratio}); there are {_table()}"
        raise RequestError(Fault("Width" if width else "Height", f"{what} is not in the table", cure, code="unknown"))


def _distance(row: tuple[int, int], asked: tuple[int | None, int | None]) -> float:
    """How far a row is from what was asked: by aspect ratio first, where there is one."""
    width, height = asked
    if width and height:
        return abs(row[0] / row[1] - width / height) / (width / height)
    return abs(row[0] - width) if width else abs(row[1] - (height or 0))


def _table() -> str:
    return ", ".join(f"{width}×{height}" for width, height in QWEN_SIZES.values())


class Flux1Redux(LocalImageProvider):
    """Variations of the input pictures, by Redux; the prompt may say what changes."""

    name, discriminator = "Flux1Redux", "10"
    Request = VaryTask
    TEMPLATE, STACKS = TRANSFORMER, ("flux",)
    MEDIA = (1, 4)

    def shown(self, request: Any) -> Iterator[Shown]:
        for field, medium in request.media():
            yield Shown("image", medium, chosen(request, "Strength"), field)


PROVIDERS = (
    StableDiffusion(),
    StableDiffusionXL(),
    Flux1Dev(),
    Flux1Redux(),
    HiDreamI1Full(),
    QwenCreate(),
    ZImageTurbo(),
)
