"""From a request to a binding: which template, with which parameters, attachments and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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

    template: str
    media: Mapping[str, Media]
    library: Library
    catalog: Catalog
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

    def attach(self, fragment: str, wires: Mapping[str, str] | None = None, label: str = "", **params: Any) -> None:
        """Attaches a fragment; ports go to the wires of the same name unless `wires` says otherwise."""
        self.attached.append(Attachment(fragment, params, wires or {}, label))

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

    def sample(self, stack: Stack, profile: Profile) -> None:
        """Files, steps, guidance, sampler and shift of a stack, and the LoRA that belong to the profile."""
        declared = self.library.template(self.template).manifest.params
        values = {
            "files": stack.files,
            "encoder_type": stack.encoder_type,
            "steps": profile.steps,
            "cfg": profile.cfg,
            "sampler": profile.sampler,
            "scheduler": profile.scheduler,
            "shift": profile.shift,
            "split": -(-profile.steps // 2),
            "fps": stack.fps,
        }
        self.set(**{name: value for name, value in values.items() if name in declared})
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


def with_triggers(triggers: Iterable[str], prompt: str) -> str:
    """Trigger words, each once and only where the prompt does not hold it already, then the prompt."""
    words = [word for word in dict.fromkeys(triggers) if word.lower() not in prompt.lower()]
    return ", ".join([*words, prompt])
