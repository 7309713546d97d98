"""Midjourney (1): a prompt with parameters. What it is asked with is in graphs/partners/."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from compiler.binding import Bench
from compiler.errors import Fault, RequestError
from compiler.media import MediaRef
from compiler.providers.fusara.base import CURES
from compiler.providers.fusara.partner import PartnerProvider, params_of
from compiler.providers.fusara.requests.base import CHARACTER, IMAGE, STYLE, Preset
from compiler.providers.fusara.requests.closed_image import MidjourneyTask

OMNI: Final = {"CharacterReference": "oref", "CharacterWeight": "ow"}
"""Field → the parameter that took the place of the older versions'."""
OMNI_SINCE: Final = 7.0
EXPRESSIVE, NIJI = "expressive", "niji 5"
"""A style, and the newest model that has it."""


class Midjourney(PartnerProvider):
    """Midjourney, through the gateway that the node pack is told of. Its parameters go into the prompt; presets stand
    for ImagePrompt, StyleReference and CharacterReference where these are not given."""

    name, discriminator = "Midjourney", "1"
    Request = MidjourneyTask
    TABLE = "midjourney"
    PRESETS = frozenset({IMAGE, STYLE, CHARACTER})
    PICTURES = 4
    IGNORED = {**PartnerProvider.IGNORED, "NegativePrompt": "Midjourney ignores it"}
    REFUSED = dict.fromkeys(("Width", "Height"), CURES["Width"])
    FLAGS: ClassVar = {
        "AspectRatio": "ar",
        "Chaos": "chaos",
        "Quality": "quality",
        "Seed": "seed",
        "Stylize": "stylize",
        "Weird": "weird",
        "ImageWeight": "iw",
        "CharacterReference": "cref",
        "CharacterWeight": "cw",
        "StyleReference": "sref",
        "StyleWeight": "sw",
        "Style": "style",
    }
    """Field → Midjourney's parameter; sent unless it is the default."""
    DERIVED = frozenset({*params_of(MidjourneyTask).values(), "prompt"})

    def media_refs(self, request: Any) -> tuple[MediaRef, ...]:
        """Only pictures that are sent as such: styles and characters are passed on by address."""
        shown = [(where, one) for where, one in self.visual(request) if one.type_ == IMAGE]
        return tuple(MediaRef(where, one.source) for where, one in shown)

    def shown(self, request: Any, bench: Bench) -> dict[str, tuple[str, str]]:
        """An ImagePrompt by address takes the place of presets."""
        shown = [(where, one.source) for where, one in self.visual(request) if one.type_ == IMAGE]
        return {f"image_{index}": pair for index, pair in enumerate(shown, 1)} if not request.ImagePrompt else {}

    def check(self, request: Any) -> None:
        super().check(request)
        faults = [fault for where, one in self.visual(request) for fault in self._address(where, one)]
        if faults:
            raise RequestError(*faults)

    def _address(self, where: str, one: Preset) -> Iterator[Fault]:
        if one.type_ != IMAGE and one.ExternalUrl is None:
            yield Fault(where, "Midjourney takes styles and characters by address", "Give ExternalUrl", "unsupported")

    def derived(self, request: Any, bench: Bench, params: Mapping[str, Any]) -> dict[str, Any]:
        values = {field: params[name] for field, name in params_of(MidjourneyTask).items() if field in self.FLAGS}
        for where, one in self.visual(request):
            field = {STYLE: "StyleReference", CHARACTER: "CharacterReference", IMAGE: "ImagePrompt"}[one.type_]
            if getattr(request, field) is not None:
                bench.unsupported(where, f"{field} is given, and goes first", "overridden")
            else:
                values |= self._preset(one, request)
        values["Seed"] = None if request.Seed is None else self.seed(request, 2**32)
        version = self._version(request, bench)
        names = {**self.FLAGS, **(OMNI if _is_omni(version) else {})}
        self._suit(version, values, bench)
        defaults = {field: MidjourneyTask.model_fields[field].default for field in names}
        flags = [f"--{flag} {values[field]}" for field, flag in names.items() if values[field] != defaults[field]]
        flags += ["--tile"] if request.Tile else []
        flags += [f"--{version}"] if version else []
        first = [request.ImagePrompt] if request.ImagePrompt else []
        return {"prompt_line": " ".join([*first, params["prompt"], *flags])}

    def _version(self, request: Any, bench: Bench) -> str:
        """`v 7`, `niji 6`; empty for Midjourney's own default."""
        given = request.ModelVersion or ""
        if not given and request.Style == EXPRESSIVE:
            bench.unsupported(
                "ModelVersion", f"is {NIJI} here: Midjourney's default has no style {EXPRESSIVE}", "chosen"
            )
            return NIJI
        number = given.removeprefix("niji").removeprefix("v").strip()
        return number and f"{'niji' if given.startswith('niji') else 'v'} {number}"

    def _suit(self, version: str, values: dict[str, Any], bench: Bench) -> None:
        """Takes out what the version has no parameter for."""
        if values["Style"] == EXPRESSIVE and not version.startswith("niji"):
            values["Style"] = None
            bench.unsupported("Style", f"{EXPRESSIVE} belongs to the niji models")
        if values["CharacterWeight"] == 0 and _is_omni(version):
            values["CharacterWeight"] = 1
            bench.unsupported("CharacterWeight", "is at least 1 from version 7 on", "clamped")

    def _preset(self, one: Preset, request: Any) -> dict[str, Any]:
        """The fields that a preset stands for; its weight is a share of the parameter's own default."""
        share = 1.0 if one.Weight is None else one.weight
        if one.type_ == IMAGE:
            return {} if share == 1 or request.ImageWeight is not None else {"ImageWeight": round(share, 2)}
        kind = "Style" if one.type_ == STYLE else "Character"
        weighed = share != 1 and getattr(request, f"{kind}Weight") is None
        return {f"{kind}Reference": one.ExternalUrl} | ({f"{kind}Weight": round(100 * share)} if weighed else {})


def _is_omni(version: str) -> bool:
    """Whether a version, of which none is Midjourney's newest, takes people by the parameters of OMNI."""
    kind, _, number = version.partition(" ")
    return kind != "niji" and (not number or float(number) >= OMNI_SINCE)


PROVIDERS = (Midjourney(),)
