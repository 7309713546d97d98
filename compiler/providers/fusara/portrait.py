"""Fusara's portraits: 13."""

from __future__ import annotations

from typing import Any, Final

from compiler.binding import Bench, with_guidance
from compiler.providers.fusara.base import FusaraProvider
from compiler.providers.fusara.requests.edit import HyperLoraTask
from compiler.template.manifest import Profile, Stack

TRIGGER: Final = "fcsks fxhks fhyks, "
"""The adapter's trigger words; set by the server (contract §11.5)."""
PLAIN_SKIP: Final = -2
"""SDXL's encoders stop there by themselves."""


class HyperLora(FusaraProvider):
    """A portrait of the person in the pictures, with the pack ComfyUI-HyperLoRA; PhotoMaker, of ComfyUI's core, stands
    in where the target lacks it, and that is reported. 1024×1024."""

    name, discriminator, operation = "HyperLoRA", "13", "hyperlora"
    Request = HyperLoraTask
    LORA, MEDIA = True, (1, 8)
    IGNORED = {"LoRATriggerString": "the server sets it"}

    def bind(self, request: Any, bench: Bench) -> None:
        bench.template, bench.outputs = "checkpoint/text_to_image", ("image",)
        stack = bench.library.stack("hyperlora")
        profile = self._profile(request, stack)
        bench.sample(stack, profile)
        triggers = self.loras(request, bench, stack, profile)
        words = self.prompt(request, bench, triggers, emphasis=stack.prompt_weights)
        checkpoint = request.SDXLModelName or stack.files["checkpoint"]
        bench.set(files={**stack.files, "checkpoint": checkpoint}, prompt=TRIGGER + words)
        bench.set(negative_prompt=self.negative(request, bench, profile), seed=self.seed(request))
        bench.set(width=stack.default_size[0], height=stack.default_size[1], batch_size=request.NumberOfImages or 1)
        self._person(request, bench, words)
        self._clip_layer(request, bench)

    def _clip_layer(self, request: Any, bench: Bench) -> None:
        asked = PLAIN_SKIP if request.StopAtClipLayer is None else request.StopAtClipLayer
        layer = int(asked)
        if layer != asked:
            bench.unsupported("StopAtClipLayer", f"layers are whole numbers: {layer}", "rounded")
        if layer != PLAIN_SKIP:
            bench.attach("clip_skip", clip_skip=-layer)

    def _profile(self, request: Any, stack: Stack) -> Profile:
        base = stack.profiles[stack.default_profile]
        scale = base.cfg if request.GuidanceScale is None else request.GuidanceScale
        return with_guidance(base, request.NumberOfInferenceSteps or base.steps, scale)

    def _person(self, request: Any, bench: Bench, words: str) -> None:
        """The pictures as one batch, and what makes a likeness of them."""
        for number, (field, reference) in enumerate(request.media(), 1):
            bench.load(field, reference, "input_image" if number == 1 else f"picture{number}")
            if number > 1:
                bench.attach("batch_images", {"next": f"picture{number}"})
        weight = 0.85 if request.LoRAWeight is None else request.LoRAWeight
        adapter = request.HyperLoRAModelName or "sdxl_hyper_id_lora_v1_fidelity"
        fields = {"adapter": "HyperLoRAModelName"}
        if request.gives("LoRAWeight"):
            fields["identity_weight"] = "LoRAWeight"
        params: dict[str, Any] = {"adapter": adapter, "identity_weight": weight, "subject": words}
        bench.attach("hyperlora", fields=fields, files=bench.params["files"], **params)


PROVIDERS = (HyperLora(),)
