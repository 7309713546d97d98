"""From a request to a binding: which template, with which parameters, attachments and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isclose
from typing import Any

from compiler import loras
from compiler.catalog import Catalog
from compiler.errors import Fault, RequestError
from compiler.loras import LoraUse
from compiler.media import Media
from compiler.plan import Unsupported
from compiler.template.expand import Attachment
from compiler.template.library import Library
from compiler.template.manifest import Asset, Profile, Stack

IGNORED_NEGATIVE = "has no effect at guidance scale 1, where ComfyUI drops the negative"


@dataclass(frozen=True, slots=True)
class Binding:
    """What a provider made of a request."""

    template: str
    params: Mapping[str, Any]
    attachments: tuple[Attachment, ...]
    outputs: tuple[str, ...]
    uploads: tuple[Media, ...]
    unsupported: tuple[Unsupported, ...]


@dataclass
class Bench:
    """Where a provider puts a binding together. Holds the values it may read, collects what it makes."""

    media: Mapping[str, Media]
    library: Library
    catalog: Catalog
    template: str = ""
    """Id of the template; set first."""
    outputs: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict[str, Any])
    attached: list[Attachment] = field(default_factory=list[Attachment])
    uploads: list[Media] = field(default_factory=list[Media])
    notes: list[Unsupported] = field(default_factory=list[Unsupported])

    def unsupported(self, name: str, why: str, code: str = "unsupported_field") -> None:
        """Reports what was asked and is not honoured."""
        self.notes.append(Unsupported(name, why, code))

    def set(self, **params: Any) -> None:
        """Sets parameters of the template."""
        self.params.update(params)

    def attach(
        self,
        fragment: str,
        wires: Mapping[str, str] | None = None,
        label: str = "",
        fields: Mapping[str, str] | None = None,
        **params: Any,
    ) -> None:
        """Attaches a fragment; ports go to the wires of the same name unless `wires` says otherwise. `fields` names
        the caller's field behind a parameter: what a stand-in's loss is reported on."""
        self.attached.append(Attachment(fragment, params, wires or {}, label, fields or {}))

    def picture(self, name: str, reference: str) -> Media:
        """The medium behind a field, noted for upload. Errors: RequestError if it was not resolved."""
        found = self.media.get(reference)
        if found is None:
            raise RequestError(Fault(name, f"{reference!r} was not found", "Upload it first", code="unknown"))
        if found not in self.uploads:
            self.uploads.append(found)
        return found

    def load(self, name: str, reference: str, wire: str) -> Media:
        """Loads a picture onto a wire; of an animated one the first frame."""
        found = self.picture(name, reference)
        fragment = "load_first_frame" if found.frames > 1 else "load_image"
        self.attach(fragment, {"image": wire}, label=wire, image=found.name)
        return found

    def crop(self, made: tuple[int, int], wanted: tuple[int, int]) -> None:
        """Takes what the model made down to the wanted size, around its centre; both in pixels."""
        if made != wanted:
            left, top = (made[0] - wanted[0]) // 2, (made[1] - wanted[1]) // 2
            self.attach("crop", crop_width=wanted[0], crop_height=wanted[1], crop_x=left, crop_y=top)

    def sample(self, stack: Stack, profile: Profile) -> None:
        """Files, steps, guidance, sampler and shift of a stack, and the fragments that it brings.

        What the template has no parameter for goes to the fragments.
        """
        declared = self.library.template(self.template).manifest.params
        values: dict[str, Any] = {
            "files": stack.files,
            "encoder_type": stack.encoder_type,
            "steps": profile.steps,
            "cfg": profile.cfg,
            "sampler": profile.sampler,
            "scheduler": profile.scheduler,
            "shift": profile.shift,
            "guidance": profile.guidance,
            "split": -(-profile.steps // 2),
            "fps": stack.fps,
        }
        self.set(**{name: value for name, value in values.items() if name in declared})
        others = {name: value for name, value in values.items() if name not in declared}
        shift = [stack.shift] if stack.shift and profile.shift is not None else []
        for fragment in (*stack.fragments, *shift):
            self.attach(fragment, **others)
        if profile.negative == "zero":
            self.attach("negative_zero")

    def lora(
        self,
        stack: Stack,
        profile: Profile,
        uses: Iterable[LoraUse],
        *,
        wires: Mapping[str, str] | None = None,
        label: str = "",
    ) -> list[str]:
        """Attaches the profile's LoRA, then those asked for. Returns the trigger words of the latter.

        Errors: RequestError, a Fault for each LoRA that is unknown or of another family.
        """
        own = [(files, 1.0) for files in profile.loras]
        asked: list[tuple[Asset, float]] = []
        faults: list[Fault] = []
        for use in uses:
            try:
                asked.append((loras.resolve_lora(use, stack, self.library, self.catalog), use.strength))
            except RequestError as error:
                faults += error.faults
        if faults:
            raise RequestError(*faults)
        files = [(asset.files, strength) for asset, strength in asked]
        self.attached += loras.attachments([*own, *files], stack, wires=wires or {}, label=label)
        return [asset.trigger for asset, strength in asked if asset.trigger and strength]

    def bind(self) -> Binding:
        return Binding(
            self.template,
            self.params,
            tuple(self.attached),
            self.outputs,
            tuple(self.uploads),
            tuple(self.notes),
        )


def with_guidance(profile: Profile, steps: int, cfg: float) -> Profile:
    """The profile with other steps and guidance scale: at 1 ComfyUI drops the negative."""
    negative = "zero" if isclose(cfg, 1.0) else "text"
    return profile.model_copy(update={"steps": steps, "cfg": cfg, "negative": negative})


def with_triggers(triggers: Iterable[str], prompt: str) -> str:
    """Trigger words, each once and only where the prompt does not hold it already, then the prompt."""
    words = [word for word in dict.fromkeys(triggers) if word.lower() not in prompt.lower()]
    return ", ".join([*words, prompt])
