"""Fusara's local upscalers: 3, 7, 8."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from compiler import loras
from compiler.binding import Bench
from compiler.media import Media
from compiler.providers.fusara.base import FusaraProvider
from compiler.providers.fusara.requests.local_media import ClarityTask, ModelUpscaleTask, SupirTask
from compiler.sizes import round_near, round_up

MODEL_FACTOR: Final = 4.0
"""Of every upscale model that the contract names."""
TILED_FROM: Final = 2_300_000
"""Pixels of a result that is sampled in tiles."""


class UpscaleProvider(FusaraProvider):
    """A picture at ScaleFactor times its width and height."""

    operation = "upscale"
    MEDIA = (1, 1)
    FACTOR: ClassVar[float]
    """The contract's default."""

    def factor(self, request: Any) -> float:
        return self.FACTOR if request.ScaleFactor is None else request.ScaleFactor


class Upscale(UpscaleProvider):
    """An upscale model of factor 4, then scaled to the factor that was asked."""

    name, discriminator = "Upscale", "3"
    Request = ModelUpscaleTask
    FACTOR = 4.0
    SEED_FIELD = ""
    IGNORED = dict.fromkeys(("Prompt", "NegativePrompt", "LoRATriggerString", "Seed"), "no diffusion model takes part")

    def bind(self, request: Any, bench: Bench) -> None:
        bench.template, bench.outputs = "upscale/image", ("image",)
        stack = bench.library.stack("upscale_4x")
        field, reference = request.media()[0]
        source = bench.load(field, reference, "input_image")
        model = request.UpscaleModelName or stack.files["upscale_model"]
        bench.set(files={"upscale_model": model}, image=source.name, scale_by=self.factor(request) / MODEL_FACTOR)


class Rediffuse(UpscaleProvider):
    """Upscaled, then sampled again at low strength with Clarity's published settings."""

    FACTOR = 2.0
    STACK: Final = "clarity"
    PROMPT: Final = "masterpiece, best quality, highres"
    NEGATIVE: Final = "(worst quality, low quality, normal quality:2) embedding:JuggernautNegative-neg"
    LORAS: Final = (("clarity-more-details", 0.5), ("clarity-render", 1.0))
    """Assets and their strengths."""

    def rediffuse(self, request: Any, bench: Bench) -> None:
        bench.template, bench.outputs = "rediffuse/image", ("image",)
        stack = bench.library.stack(self.STACK)
        profile = stack.profiles[stack.default_profile]
        bench.sample(stack, profile)
        own = [(bench.library.assets[name].files, strength) for name, strength in self.LORAS]
        bench.attached += loras.attachments(own, stack, wires={})
        field, reference = request.media()[0]
        source = bench.load(field, reference, "input_image")
        words = self.prompt(request, bench)
        bench.set(prompt=f"{words}, {self.PROMPT}" if words else self.PROMPT, image=source.name)
        negative = f"{request.NegativePrompt}, {self.NEGATIVE}" if request.NegativePrompt else self.NEGATIVE
        bench.set(negative_prompt=negative, seed=self.seed(request))
        self._size(request, bench, source, stack.size_multiple)

    def _size(self, request: Any, bench: Bench, source: Media, multiple: int) -> None:
        asked = tuple(round(side * self.factor(request)) for side in (source.width, source.height))
        made = tuple(round_up(side, multiple) for side in asked)
        bench.set(width=made[0], height=made[1])
        if made[0] * made[1] > TILED_FROM:
            bench.attach("sample_in_tiles", fields={"tile": "ScaleFactor"})
        if made != asked:
            bench.attach("restore_size", restored_width=asked[0], restored_height=asked[1])


class Clarity(Rediffuse):
    """Clarity: Juggernaut Reborn with two LoRA and the tile ControlNet. Above 2.3 megapixels in tiles."""

    name, discriminator = "Clarity", "8"
    Request = ClarityTask

    def bind(self, request: Any, bench: Bench) -> None:
        self.rediffuse(request, bench)


class Supir(Rediffuse):
    """SUPIR, where the target has the pack ComfyUI-SUPIR; else Clarity stands in, and that is reported. SUPIR's weights
    are for non-commercial use."""

    name, discriminator = "Supir", "7"
    Request = SupirTask
    CLASSES: Final = ("SUPIR_model_loader_v2", "SUPIR_first_stage", "SUPIR_encode", "SUPIR_conditioner", "SUPIR_sample")
    TILED: Final = 1_500_000
    """Pixels of a result that SUPIR samples in tiles."""

    def bind(self, request: Any, bench: Bench) -> None:
        missing = bench.catalog.lacks((*self.CLASSES, "SUPIR_decode"))
        if missing:
            why = f"Clarity's way stands in for SUPIR ({bench.catalog.label} has no {missing[0]})"
            bench.unsupported("__type", why, "degraded")
            self.rediffuse(request, bench)
            return
        bench.template, bench.outputs = "supir/image", ("image",)
        stack = bench.library.stack("supir")
        field, reference = request.media()[0]
        source = bench.load(field, reference, "input_image")
        factor, multiple = self.factor(request), stack.size_multiple
        asked = tuple(round(side * factor) for side in (source.width, source.height))
        made = tuple(round_near(side, multiple) for side in asked)
        tiled = "Tiled" if made[0] * made[1] > self.TILED else ""
        bench.set(files=stack.files, image=source.name, width=made[0], height=made[1], seed=self.seed(request))
        bench.set(prompt=self.prompt(request, bench), sampler=f"{tiled}RestoreDPMPP2MSampler")
        if request.NegativePrompt:
            bench.set(negative_prompt=request.NegativePrompt)
        if made != asked:
            bench.attach("restore_size", restored_width=asked[0], restored_height=asked[1])


PROVIDERS = (Upscale(), Supir(), Clarity())
