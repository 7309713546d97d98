"""Fusara's inpainting and outpainting: 9, 20, 25."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from compiler.binding import Bench, with_guidance
from compiler.errors import Fault, RequestError
from compiler.media import Media, MediaRef
from compiler.providers.fusara.base import FusaraProvider
from compiler.providers.fusara.requests.edit import FillInpaintTask, FillOutpaintTask, QwenOutpaintTask
from compiler.sizes import both_up, on_canvas, within
from compiler.template.manifest import Profile, Stack

MOST_PIXELS: Final = 4 * 1024 * 1024
"""Inputs above this are worked on smaller: attention grows faster than the picture."""
SAME_SHAPE: Final = 0.01
"""Aspect ratios that differ by less are the same."""
BACKGROUND: Final = "seamless natural extension of the background"
"""What AutoBackgroundPrompt puts in place of an empty prompt."""


class MaskedProvider(FusaraProvider):
    """What inpainting and outpainting share."""

    MEDIA = (1, 1)
    TEMPLATE: ClassVar[str]
    STACK: ClassVar[str]

    def bind(self, request: Any, bench: Bench) -> None:
        bench.template, bench.outputs = self.TEMPLATE, ("image",)
        stack = bench.library.stack(self.STACK)
        profile = self.profile(request, stack)
        bench.sample(stack, profile)
        self.loras(request, bench, stack, profile)
        field, reference = request.media()[0]
        source = bench.load(field, reference, "input_image")
        bench.set(image=source.name, seed=self.seed(request), negative_prompt=self.negative(request, bench, profile))
        self.shape(request, bench, stack, source)
        if (request.NumberOfImages or 1) > 1:
            bench.attach("repeat_latent", amount=request.NumberOfImages)

    def profile(self, request: Any, stack: Stack) -> Profile:
        """The stack's profile with the steps and the guidance scale that were asked."""
        base = stack.profiles[self.profile_name(request, stack)]
        cfg = base.cfg if request.GuidanceScale is None else request.GuidanceScale
        return with_guidance(base, request.NumberOfInferenceSteps or base.steps, cfg)

    def profile_name(self, request: Any, stack: Stack) -> str:
        return stack.default_profile

    def shape(self, request: Any, bench: Bench, stack: Stack, source: Media) -> None:
        """Mask or canvas, and the size of the result."""
        raise NotImplementedError


class Flux1FillInpaint(MaskedProvider):
    """Makes the masked part of a picture anew with FLUX.1 Fill. The mask is MaskImageId (white is changed), MaskJson,
    or the transparent part of the input."""

    name, discriminator = "Flux1FillInpaint", "9"
    Request = FillInpaintTask
    TEMPLATE, STACK = "fill/image", "flux_fill"

    def media_refs(self, request: Any) -> tuple[MediaRef, ...]:
        found = super().media_refs(request)
        mask = request.MaskImageId
        return found if mask is None else (*found, MediaRef("MaskImageId", str(mask)))

    def shape(self, request: Any, bench: Bench, stack: Stack, source: Media) -> None:
        bench.set(prompt=self.prompt(request, bench), denoise=1.0 - (request.SimilarityToOriginal or 0.0))
        self._mask(request, bench, source)
        feather = 6 if request.MaskFeatherSize is None else request.MaskFeatherSize
        if feather:
            bench.attach("mask_feather", feather=feather)
        work = within(source.width, source.height, MOST_PIXELS, stack.size_multiple)
        size = source.width, source.height
        if work != size:
            bench.attach("scale_input", work_width=work[0], work_height=work[1])
            bench.attach("restore_size", restored_width=size[0], restored_height=size[1])
        if size[0] * size[1] > MOST_PIXELS:
            bench.unsupported(request.media()[0][0], f"worked on at {work[0]}×{work[1]}", "downscaled")
        if request.MergeIntoOriginal:
            bench.attach("merge_original", {"original": "input_image"}, amount=request.NumberOfImages or 1)

    def _mask(self, request: Any, bench: Bench, source: Media) -> None:
        if request.MaskImageId is not None:
            mask = bench.picture("MaskImageId", str(request.MaskImageId))
            bench.set(mask=mask.name)
            self._fit(mask, bench, source)
        elif request.MaskJson is not None:
            size: dict[str, Any] = {"mask_width": source.width, "mask_height": source.height}
            bench.attach("mask_json", mask_json=request.MaskJson, **size)
        elif source.alpha:
            bench.attach("mask_alpha")
        else:
            cure = "Give MaskImageId (white is changed) or MaskJson, or a picture with a transparent part"
            raise RequestError(Fault("MaskImageId", "there is no mask", cure, code="required"))

    def _fit(self, mask: Media, bench: Bench, source: Media) -> None:
        """The mask at the picture's size, so that the feather is in the picture's pixels."""
        if (mask.width, mask.height) == (source.width, source.height):
            return
        bench.attach("mask_fit", mask_width=source.width, mask_height=source.height)
        one, other = mask.width * source.height, mask.height * source.width
        if abs(one - other) > SAME_SHAPE * other:
            sizes = f"{mask.width}×{mask.height}, the picture {source.width}×{source.height}"
            bench.unsupported("MaskImageId", f"has another shape, and is stretched: {sizes}", "stretched")


class OutpaintProvider(MaskedProvider):
    """The picture in the middle of a canvas of Width×Height; what is around it is made up."""

    operation = "outpaint"
    CANVAS: ClassVar[Mapping[str, str]]
    """What `pad_canvas` gives → the template's wire."""
    PREFIX: ClassVar[str] = ""
    """Comes before the prompt."""

    def shape(self, request: Any, bench: Bench, stack: Stack, source: Media) -> None:
        asked = request.Width or 1024, request.Height or 1024
        canvas = both_up(asked, stack.size_multiple)
        place = on_canvas(source.width, source.height, canvas)
        if (place.width, place.height) == canvas:
            shown, cure = f"{source.width}×{source.height}", "Ask for a canvas of another shape, or a larger one"
            raise RequestError(Fault("Width", f"the picture ({shown}) fills {asked[0]}×{asked[1]}", cure))
        bench.set(prompt=self._text(request, bench))
        feather = 24 if request.MaskFeatherSize is None else request.MaskFeatherSize
        sizes: dict[str, Any] = {"canvas_width": canvas[0], "canvas_height": canvas[1], "fit": place.facts()}
        bench.attach("pad_canvas", self.CANVAS, feather=feather, **sizes)
        if request.MergeIntoOriginal:
            bench.attach("merge_original", {"original": "canvas"}, amount=request.NumberOfImages or 1)
        bench.crop(canvas, asked)

    def _text(self, request: Any, bench: Bench) -> str:
        prompt = self.prompt(request, bench)
        if not prompt and request.AutoBackgroundPrompt:
            prompt = BACKGROUND
        return self.PREFIX + prompt


class Flux1FillOutpaint(OutpaintProvider):
    """Outpainting with FLUX.1 Fill."""

    name, discriminator = "Flux1FillOutpaint", "20"
    Request = FillOutpaintTask
    TEMPLATE, STACK = "fill/image", "flux_fill"
    CANVAS = {"pixels": "input_image"}

    def shape(self, request: Any, bench: Bench, stack: Stack, source: Media) -> None:
        super().shape(request, bench, stack, source)
        bench.set(noise_mask=False)


class QwenEditOutpaint(OutpaintProvider):
    """Outpainting with Qwen-Image-Edit: the picture on a grey canvas is edited. Up to a guidance scale of 1.5 with the
    Lightning LoRA, for the model alone is weak there."""

    name, discriminator = "QwenEditOutpaint", "25"
    Request = QwenOutpaintTask
    TEMPLATE, STACK = "reference_edit/image", "qwen_edit"
    CANVAS = {"pixels": "scaled"}
    PREFIX = "Fill the grey border with a seamless continuation. "
    WEAK = 1.5

    def profile(self, request: Any, stack: Stack) -> Profile:
        cfg = 1.0 if request.GuidanceScale is None else request.GuidanceScale
        base = stack.profiles["lightning" if cfg <= self.WEAK else "base"]
        return with_guidance(base, request.NumberOfInferenceSteps or 20, cfg)

    def shape(self, request: Any, bench: Bench, stack: Stack, source: Media) -> None:
        super().shape(request, bench, stack, source)
        bench.attach("noise_mask")


PROVIDERS = (Flux1FillInpaint(), Flux1FillOutpaint(), QwenEditOutpaint())
