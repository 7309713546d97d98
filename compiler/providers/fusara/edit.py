"""Fusara's edits of a whole picture: 12, 13, 14, 24."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from compiler.binding import Bench, with_guidance
from compiler.media import Media
from compiler.providers.fusara.base import FusaraProvider
from compiler.providers.fusara.requests.edit import HiDreamEditTask, KontextTask, QwenEditTask
from compiler.sizes import both_up, of_area
from compiler.template.manifest import Profile, Stack

DEFAULT_SIDE: Final = 1024
"""Pixels: the contract's default of Width and Height, where one of them is given."""
MOST_SIDE: Final = 4096
"""Pixels: the longest side of Width and Height."""


class EditProvider(FusaraProvider):
    """An edit with a reference picture on one of our templates."""

    TEMPLATE: ClassVar[str]
    STACK: ClassVar[str]
    STEPS: ClassVar[int]
    """The contract's default."""
    GUIDANCE: ClassVar[float]
    """The contract's default."""

    def bind(self, request: Any, bench: Bench) -> None:
        bench.template, bench.outputs = self.TEMPLATE, ("image",)
        stack = bench.library.stack(self.STACK)
        profile = self.profile(request, stack)
        bench.sample(stack, profile)
        triggers = self.loras(request, bench, stack, profile) if self.LORA else []
        bench.set(prompt=self.prompt(request, bench, triggers), negative_prompt=self.negative(request, bench, profile))
        bench.set(seed=self.seed(request))
        field, reference = request.media()[0]
        source = bench.load(field, reference, "input_image")
        self.shape(request, bench, stack, source)

    def profile(self, request: Any, stack: Stack) -> Profile:
        base = stack.profiles[stack.default_profile]
        steps = request.NumberOfInferenceSteps or self.STEPS
        scale = self.GUIDANCE if request.GuidanceScale is None else request.GuidanceScale
        if stack.guidance == "distilled":
            return base.model_copy(update={"steps": steps, "guidance": scale})
        return with_guidance(base, steps, scale)

    def shape(self, request: Any, bench: Bench, stack: Stack, source: Media) -> None:
        """The other pictures, the size of the result and how many there are."""
        self._size(request, bench, stack, source)

    def _size(self, request: Any, bench: Bench, stack: Stack, source: Media) -> None:
        """Width×Height as asked, the input's own size, or what the model makes of the input."""
        count = request.NumberOfImages or 1
        if request.KeepOriginalImageSize:
            self._own_size(request, bench, stack, source, count)
        elif request.Width or request.Height:
            self._free_size(request, bench, stack, count)
        elif count > 1:
            bench.attach("repeat_latent", amount=count)

    def _own_size(self, request: Any, bench: Bench, stack: Stack, source: Media, count: int) -> None:
        self._own_shape(request, bench, stack, source, count)
        bench.attach("restore_size", restored_width=source.width, restored_height=source.height)
        for field in ("Width", "Height"):
            if request.gives(field):
                bench.unsupported(field, "has no effect beside KeepOriginalImageSize")

    def _own_shape(self, request: Any, bench: Bench, stack: Stack, source: Media, count: int) -> None:
        """Latents of the first picture's shape: the picture itself, encoded."""
        if count > 1:
            bench.attach("repeat_latent", amount=count)

    def _free_size(self, request: Any, bench: Bench, stack: Stack, count: int) -> None:
        asked = request.Width or DEFAULT_SIDE, request.Height or DEFAULT_SIDE
        made = both_up(asked, stack.size_multiple)
        bench.attach("empty_latent", width=made[0], height=made[1], amount=count)
        bench.crop(made, asked)

    def _others(self, request: Any, bench: Bench) -> list[str]:
        """Loads the pictures after the first onto the wires `image2`, `image3`, …"""
        wires: list[str] = []
        for number, (field, reference) in enumerate(request.media()[1:], 2):
            wires.append(f"image{number}")
            bench.load(field, reference, wires[-1])
        return wires


class Flux1KontextDev(EditProvider):
    """Edits a picture with FLUX.1 Kontext; several are set side by side. GuidanceScale is the distilled guidance."""

    name, discriminator = "Flux1KontextDev", "14"
    Request = KontextTask
    TEMPLATE, STACK = "dit/text_to_image", "flux_kontext"
    STEPS, GUIDANCE = 50, 5.0
    LORA, MEDIA = True, (1, 4)

    def shape(self, request: Any, bench: Bench, stack: Stack, source: Media) -> None:
        for wire in self._others(request, bench):
            bench.attach("stitch_right", {"next": wire})
        bench.attach("kontext_reference")
        self._size(request, bench, stack, source)

    def _own_shape(self, request: Any, bench: Bench, stack: Stack, source: Media, count: int) -> None:
        """Several pictures are encoded side by side, in a shape that is not the first one's."""
        if len(request.media()) == 1:
            super()._own_shape(request, bench, stack, source, count)
            return
        width, height = of_area(source.width, source.height, DEFAULT_SIDE**2, stack.size_multiple, MOST_SIDE)
        bench.attach("empty_latent", width=width, height=height, amount=count)


class QwenEdit(EditProvider):
    """Edits a picture with Qwen-Image-Edit; up to two more are shown to it. WorkflowVariantId 1 samples in 4 steps
    with the Lightning LoRA."""

    name, discriminator = "QwenEdit", "24"
    Request = QwenEditTask
    TEMPLATE, STACK = "reference_edit/image", "qwen_edit"
    STEPS, GUIDANCE = 50, 4.0
    LORA, MEDIA = True, (1, 3)
    VARIANTS = {1: "lightning"}

    def profile(self, request: Any, stack: Stack) -> Profile:
        name = self.VARIANTS.get(request.WorkflowVariantId or 0)
        if name is None:
            return super().profile(request, stack)
        base = stack.profiles[name]
        scale = base.cfg if request.GuidanceScale is None else request.GuidanceScale
        return with_guidance(base, request.NumberOfInferenceSteps or base.steps, scale)

    def shape(self, request: Any, bench: Bench, stack: Stack, source: Media) -> None:
        bench.set(image=source.name)
        if self._others(request, bench):
            bench.attach("qwen_edit_pictures")
        self._size(request, bench, stack, source)


class HiDreamE1Full(EditProvider):
    """Edits a picture with HiDream-E1 at 768×768. The model was trained on prompts of the form
    “Editing Instruction: … Target Image Description: …”, which are passed on as they are."""

    name, discriminator = "HiDreamE1Full", "12"
    Request = HiDreamEditTask
    TEMPLATE, STACK = "dual_guidance_edit/image", "hidream_e1"
    STEPS, GUIDANCE = 28, 5.0
    MEDIA = (1, 1)

    def shape(self, request: Any, bench: Bench, stack: Stack, source: Media) -> None:
        bench.set(image=source.name)
        if (request.NumberOfImages or 1) > 1:
            bench.attach("repeat_latent", amount=request.NumberOfImages)
        if request.KeepOriginalImageSize:
            size: dict[str, Any] = {"restored_width": source.width, "restored_height": source.height}
            bench.attach("restore_size", **size, restored_crop="center")
            if source.width != source.height:
                why = "the model sees the square in the middle, and what it makes is cropped to the input's shape"
                bench.unsupported("KeepOriginalImageSize", why, "cropped")


PROVIDERS = (HiDreamE1Full(), Flux1KontextDev(), QwenEdit())
