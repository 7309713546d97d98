"""What Fusara's closed models share: a table under graphs/partners/ and, in a class, what a table cannot say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, Final

from compiler.binding import Bench
from compiler.errors import Fault, RequestError
from compiler.partners import Asked, ask
from compiler.provider import Request
from compiler.providers.fusara.base import FusaraProvider
from compiler.providers.fusara.requests.base import (
    FIRST_FRAME,
    IMAGE,
    LAST_FRAME,
    PRESET_NAMES,
    SUPPLEMENTS,
    MediaTask,
    Preset,
    Task,
)

COUNTS: Final = ("NumberOfImages", "N", "SampleCount")
"""The contract's words for how many pictures."""
_SHARED: Final = frozenset({*Task.model_fields, *MediaTask.model_fields, "type_"} - {"NegativePrompt", "Seed"})
DRAWN: Final = 2**52
"""Seeds from here on were drawn, not chosen: nobody is told that a model disregards them."""
WIRES: Final[Mapping[int, str]] = {FIRST_FRAME: "first", LAST_FRAME: "last"}
"""Preset → wire; ImageReference adds to the pictures `image_1`, `image_2`, …"""


class PartnerProvider(FusaraProvider):
    """A closed model. Each field of the request is a parameter of its table, in snake case."""

    TABLE: ClassVar[str]
    """Name under graphs/partners/."""
    PICTURES: ClassVar[int] = 0
    """Most pictures: input media and ImageReference together."""
    DERIVED: ClassVar[frozenset[str]] = frozenset()
    """Parameters that are honoured by what is derived from them, or by the graph around the node."""
    IGNORED = {"WorkflowVariantId": "a closed model has no variants of the workflow"}
    TOLERATED: ClassVar[Mapping[int, str]] = {}
    """Presets that the contract does not list, taken all the same → what they stand for."""

    def check(self, request: Any) -> None:
        super().check(request)
        faults = [*self._one_of_each(request), *self._too_many(request)]
        if faults:
            raise RequestError(*faults)

    def _presets(self, request: Task) -> Iterator[Fault]:
        tolerated = {f"{where}.__type" for where, one in request.presets() if one.type_ in self.TOLERATED}
        return (fault for fault in super()._presets(request) if fault.where not in tolerated)

    def _one_of_each(self, request: Task) -> Iterator[Fault]:
        seen: set[int] = set()
        for where, one in request.presets():
            if one.type_ in SUPPLEMENTS or one.type_ == IMAGE:
                continue
            if one.type_ in seen:
                what = f"{one.type_} ({PRESET_NAMES[one.type_]}) is given twice"
                yield Fault(f"{where}.__type", what, "Give one", code="out_of_range")
            seen.add(one.type_)

    def _too_many(self, request: Any) -> Iterator[Fault]:
        shown = [where for where, one in self.visual(request) if one.type_ == IMAGE]
        found = len(request.media()) + len(shown)
        if shown and found > self.PICTURES:
            what = f"{self.name} takes {self.PICTURES} pictures at most, not {found}"
            yield Fault(shown[-1], what, "Send fewer", code="out_of_range")

    def with_seed(self, request: Request, seed: int) -> Request:
        return super().with_seed(request, DRAWN + seed % DRAWN if self.SEED_LIMIT > DRAWN else seed)

    # --- binding -----------------------------------------------------------------------------------------------------

    def bind(self, request: Any, bench: Bench) -> None:
        kind = bench.library.partner(self.TABLE).kind
        bench.template, bench.outputs = f"partner/{kind}", (kind,)
        media = self.shown(request, bench)
        text = self.prompt(request, bench)
        params = {**self.params(request), "prompt": text, "image_count": pictures(media)}
        params |= {f"has_{wire}": wire in media for wire in WIRES.values()}
        params |= self.derived(request, bench, params)
        fields = {name: field for field, name in params_of(self.Request).items()}
        given = {name for name, field in fields.items() if request.gives(field) and field not in self.IGNORED}
        given |= {"prompt"} if text else set[str]()
        given -= {"seed"} if (request.Seed or 0) >= DRAWN else set[str]()
        said = "Prompt" if request.Prompt else "LoRATriggerString" if request.LoRATriggerString else "TaskPresets"
        fields |= {"prompt": said} | {wire.rstrip("_0123456789"): where for wire, (where, _) in reversed(media.items())}
        wires = self.prepare(request, bench, params)
        asked = Asked(
            self.TABLE, params, fields, frozenset(given - self.DERIVED), media, self.size(request, bench, params)
        )
        ask(bench, asked, wires)

    def params(self, request: Any) -> dict[str, Any]:
        """The request's fields by the table's names, the contract's defaults filled in, whole numbers as such."""
        found: dict[str, Any] = {}
        for field, name in params_of(self.Request).items():
            value = getattr(request, field)
            if value is None:
                value = self.Request.model_fields[field].default
            found[name] = int(value) if isinstance(value, float) and value.is_integer() else value
        found["seed"] = self.seed(request)
        return found

    def shown(self, request: Any, bench: Bench) -> dict[str, tuple[str, str]]:
        """Wire → (field, reference) of everything that is shown to the model."""
        found = {f"image_{index}": pair for index, pair in enumerate(request.media(), 1)}
        for where, one in self.visual(request):
            if one.type_ == IMAGE:
                found[f"image_{pictures(found) + 1}"] = (where, one.source)
            elif one.type_ in WIRES:
                found[WIRES[one.type_]] = (where, one.source)
            self._weight(bench, where, one)
        return found

    def _weight(self, bench: Bench, where: str, preset: Preset) -> None:
        if preset.type_ in self.TOLERATED:
            bench.unsupported(where, self.TOLERATED[preset.type_], "tolerated")
        if preset.weight != 1:
            bench.unsupported(
                f"{where.rpartition('.')[0]}.Weight", "has no effect: the model knows no weights of pictures"
            )

    def derived(self, request: Any, bench: Bench, params: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters that follow from others."""
        return {}

    def size(self, request: Any, bench: Bench, params: Mapping[str, Any]) -> tuple[int, int] | None:
        """Pixels that the result must have."""
        return None

    def prepare(self, request: Any, bench: Bench, params: Mapping[str, Any]) -> Mapping[str, str] | None:
        """Attaches what the pictures need first; the wires that are on the graph by that."""
        return None


def pictures(media: Mapping[str, Any]) -> int:
    """How many pictures `image_1`, `image_2`, … there are."""
    return sum(wire.startswith("image_") for wire in media)


@cache
def params_of(model: type[Request]) -> Mapping[str, str]:
    """Field of a request model → parameter of its table: `AspectRatio` → `aspect_ratio`, `N` → `count`."""
    return {field: _snake(field) for field in model.model_fields if field not in _SHARED}


def _snake(field: str) -> str:
    if field in COUNTS:
        return "count"
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", field).lower()
