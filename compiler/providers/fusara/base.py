"""What Fusara's providers share: presets, LoRA, input media, the prompt. Each provider is a table on top of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, Final

from compiler.binding import IGNORED_NEGATIVE, Bench, with_triggers
from compiler.errors import Fault, RequestError
from compiler.loras import LoraUse
from compiler.media import AssetRef, MediaKind, MediaRef
from compiler.provider import Provider, Request
from compiler.providers.fusara.requests.base import PRESET_NAMES, PREVIOUS_VIDEO, SUPPLEMENTS, Preset, Task
from compiler.template.manifest import Profile, Stack

CURES: Final = {
    "Width": "Use AspectRatio, or Size where the provider has it",
    "Height": "Use AspectRatio, or Size where the provider has it",
    "AspectRatio": "Use Width and Height, or Size where the provider has it",
    "InputMediaIds": "Leave it out, or choose a provider that works on media",
    "InputMediaExternalUrls": "Leave it out, or choose a provider that works on media",
}
"""A field of other providers → what to do instead (contract §10.1)."""
SEED_LIMIT: Final = 2**53
"""Seeds are drawn below this, so that JSON in JavaScript keeps them."""


class FusaraProvider(Provider):
    """A `__type`. `discriminator` is its number as text."""

    dialect: ClassVar[str] = "fusara"
    operation: ClassVar[str] = "generate"
    SEED_FIELD: ClassVar[str] = "Seed"
    SEED_LIMIT: ClassVar[int] = SEED_LIMIT
    PRESETS: ClassVar[frozenset[int]] = frozenset()
    """Visual references that it takes (contract §7.2)."""
    LORA: ClassVar[bool] = False
    """Whether it takes TaskModels (contract §7.1)."""
    VARIANTS: ClassVar[Mapping[int, str]] = {}
    """WorkflowVariantId → profile of the stack, beside 0, the default."""
    MEDIA: ClassVar[tuple[int, int]] = (0, 0)
    """Fewest and most input media."""
    MEDIA_KIND: ClassVar[MediaKind] = "image"
    """What they must be."""

    # --- what the request may say --------------------------------------------------------------------------------

    def check(self, request: Any) -> None:
        faults = [*self._foreign(request), *self._variant(request), *self._presets(request)]
        faults += [*self._models(request), *self._media(request)]
        try:
            super().check(request)
        except RequestError as error:
            faults = [*error.faults, *faults]
        if faults:
            raise RequestError(*faults)

    def _foreign(self, request: Request) -> Iterator[Fault]:
        """Fields that the contract gives to other providers only."""
        for field in sorted(request.model_extra or {}):
            if field in fields_of_all() and field not in self.REFUSED and request.gives(field):
                cure = CURES.get(field, "Leave it out")
                yield Fault(field, f"is not a field of {self.name}", cure, code="unsupported")

    def _variant(self, request: Task) -> Iterator[Fault]:
        number = request.WorkflowVariantId
        if number not in (None, 0, *self.VARIANTS) and "WorkflowVariantId" not in self.IGNORED:
            known = ", ".join(["0 (default)", *(f"{one} ({name})" for one, name in self.VARIANTS.items())])
            what = f"{number} is not a variant of {self.name}"
            yield Fault("WorkflowVariantId", what, f"It has: {known}", code="unknown")

    def _presets(self, request: Task) -> Iterator[Fault]:
        for where, preset in request.presets():
            if preset.type_ not in self.PRESETS and preset.type_ not in SUPPLEMENTS:
                known = ", ".join(f"{one} {PRESET_NAMES[one]}" for one in sorted(self.PRESETS))
                cure = f"It takes: {known}" if known else f"Leave it out, or use {takers(preset.type_)}"
                what = f"{preset.type_} ({PRESET_NAMES[preset.type_]}) is not supported by {self.name}"
                yield Fault(f"{where}.__type", what, cure, code="unsupported")

    def _models(self, request: Task) -> Iterator[Fault]:
        if request.TaskModels and not self.LORA:
            what = f"{self.name} takes no LoRA"
            yield Fault("TaskModels", what, f"Leave it out, or use {takers(0)}", code="unsupported")

    def _media(self, request: Task) -> Iterator[Fault]:
        least, most = self.MEDIA
        given = request.media()
        if len(given) < least:
            kind, cure = self.MEDIA_KIND, "Give InputMediaIds or InputMediaExternalUrls"
            what = f"{self.name} needs {least} {kind}" if not given else f"{self.name} needs {least}, not {len(given)}"
            yield Fault("InputMediaIds", what, cure, code="required")
        elif len(given) > most:
            field = given[most][0]
            yield Fault(field, f"{self.name} takes {most} at most, not {len(given)}", "Send fewer", code="out_of_range")

    # --- what the request refers to ------------------------------------------------------------------------------

    def media_refs(self, request: Any) -> tuple[MediaRef, ...]:
        inputs = (MediaRef(field, value, self.MEDIA_KIND) for field, value in request.media())
        shown = (MediaRef(where, one.source, _KIND.get(one.type_, "image")) for where, one in self.visual(request))
        return (*inputs, *shown)

    def asset_refs(self, request: Any) -> tuple[AssetRef, ...]:
        return tuple(AssetRef(use.field, use.id) for use in lora_uses(request))

    # --- what is told, whatever the binding ----------------------------------------------------------------------

    def report(self, request: Any, bench: Bench) -> None:
        if request.SkipImageAnalysis is False:
            bench.unsupported("SkipImageAnalysis", "pictures are never described first")
        for where, preset in request.presets():
            self._of_no_use(where, preset, bench)

    def _of_no_use(self, where: str, preset: Preset, bench: Bench) -> None:
        """What a preset says that its kind has no use for."""
        supplement = preset.type_ in SUPPLEMENTS
        if (preset.Weight or 0) > 1:
            bench.unsupported(f"{where}.Weight", "is at most 1: counts as 1", "clamped")
        if supplement and "Prompt" in self.IGNORED:
            bench.unsupported(where, f"there is no prompt to add to: {self.IGNORED['Prompt']}")
        if supplement and preset.source:
            bench.unsupported(f"{where}.{_source_field(preset)}", f"{PRESET_NAMES[preset.type_]} shows no picture")
        if not supplement and preset.Value:
            bench.unsupported(f"{where}.Value", f"{PRESET_NAMES[preset.type_]} has no text")

    # --- what every binding needs ----------------------------------------------------------------------------------

    def seed(self, request: Any, limit: int = 2**64) -> int:
        """The effective seed: any whole number, brought into the node's range."""
        return (request.Seed or 0) % limit

    def prompt(
        self, request: Any, bench: Bench, triggers: tuple[str, ...] | list[str] = (), *, emphasis: bool = False
    ) -> str:
        """Trigger words, the prompt, and the text of supplement presets; those without one are reported.

        With `emphasis` a supplement's weight is `(text:1+0.3·weight)`; else the text stands plain.
        """
        extra: list[str] = []
        for where, preset in request.presets():
            if preset.type_ not in SUPPLEMENTS or not preset.weight:
                continue
            if not preset.Value:
                bench.unsupported(where, f"{PRESET_NAMES[preset.type_]} has no text: give Value", "no_text")
                continue
            extra.append(emphasised(preset.Value, 1 + 0.3 * preset.weight) if emphasis else preset.Value)
            if preset.weight < 1 and not emphasis:
                bench.unsupported(f"{where}.Weight", "the text encoder knows no emphasis: the text counts in full")
        named = request.LoRATriggerString and "LoRATriggerString" not in self.IGNORED
        own = [request.LoRATriggerString] if named else []
        return ", ".join(part for part in (with_triggers([*own, *triggers], request.Prompt), *extra) if part)

    def negative(self, request: Any, bench: Bench, profile: Profile) -> str:
        """The negative prompt; reported where it has no effect."""
        if profile.negative == "zero" and request.NegativePrompt:
            bench.unsupported("NegativePrompt", IGNORED_NEGATIVE, "negative_ignored_cfg1")
        return request.NegativePrompt or ""

    def loras(self, request: Any, bench: Bench, stack: Stack, profile: Profile) -> list[str]:
        """Attaches the profile's and the request's LoRA; the trigger words of the latter."""
        return bench.lora(stack, profile, lora_uses(request))

    def visual(self, request: Task) -> Iterator[tuple[str, Preset]]:
        """(field, preset) of each visual reference, in order; the field is the one that holds its medium."""
        for where, preset in request.presets():
            if preset.type_ not in SUPPLEMENTS:
                yield f"{where}.{_source_field(preset)}", preset


def emphasised(text: str, weight: float) -> str:
    """`(text:1.15)`, as ComfyUI's CLIP tokenizers read it; brackets of the text's own are escaped."""
    plain = text.replace("(", "\\(").replace(")", "\\)")
    return f"({plain}:{round(weight, 2):g})"


_KIND: Final[dict[int, MediaKind]] = {PREVIOUS_VIDEO: "video"}


def _source_field(preset: Preset) -> str:
    return "ExternalUrl" if preset.ExternalUrl is not None else "ImageId"


def lora_uses(request: Task) -> list[LoraUse]:
    """The LoRA of a request, with the field to name in messages."""
    return [
        LoraUse(one.source, one.Strength, f"TaskModels[{index}].{'ModelUrl' if one.ModelUrl else 'ModelId'}")
        for index, one in enumerate(request.TaskModels or ())
    ]


@cache
def fields_of_all() -> frozenset[str]:
    """Every field that some provider of the dialect has."""
    return frozenset(name for one in _providers() for name in one.Request.field_names())


@cache
def takers(preset: int) -> str:
    """The providers that take a preset, or LoRA for 0, as a list for messages: `4 (SDXL), 5 (Flux1Dev)`."""
    found = [one for one in _providers() if (preset in one.PRESETS if preset else one.LORA)]
    found.sort(key=lambda one: int(one.discriminator))
    return ", ".join(f"{one.discriminator} ({one.name})" for one in found)


def _providers() -> list[FusaraProvider]:
    from compiler.providers import dialects  # the registry imports this module

    known = dialects()[FusaraProvider.dialect].providers.values()
    return [one for one in known if isinstance(one, FusaraProvider)]
