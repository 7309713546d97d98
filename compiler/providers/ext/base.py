"""What the ext providers share: prompt, seed, LoRA, sizes. Each provider is a table on top of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from compiler.binding import IGNORED_NEGATIVE, Bench, with_triggers
from compiler.loras import LoraUse
from compiler.media import MediaRef
from compiler.provider import Provider, Request
from compiler.sizes import both_up, completed
from compiler.template.manifest import Profile, Stack

LARGEST = 2048
"""Pixels: the contract's maximum of width and height."""


class ExtProvider(Provider):
    """An ext.systems model on one of our templates."""

    dialect = "ext"
    TEMPLATE: ClassVar[str]
    STACK: ClassVar[str]
    PROFILE: ClassVar[str] = ""
    """Profile of the stack; its default if empty."""
    OUTPUT: ClassVar[str]
    """Which of the template's outputs is the result."""
    MEDIA: ClassVar[tuple[str, ...]] = ()
    """Fields that hold a file id."""
    FILES: ClassVar[Mapping[str, str]] = {}
    """Role of a stack file → asset id that takes its place."""

    def media_refs(self, request: Request) -> tuple[MediaRef, ...]:
        given = ((name, getattr(request, name)) for name in self.MEDIA)
        return tuple(MediaRef(name, value) for name, value in given if value)

    def bind(self, request: Any, bench: Bench) -> None:
        bench.template = self.TEMPLATE
        stack = bench.library.stack(self.STACK)
        profile = stack.profiles[self.PROFILE or stack.default_profile]
        bench.outputs = (self.OUTPUT,)
        bench.sample(stack, profile)
        if self.FILES:
            assets = {role: bench.library.assets[asset].files["*"] for role, asset in self.FILES.items()}
            bench.set(files={**stack.files, **assets})
        triggers = bench.lora(stack, profile, lora_uses(request))
        bench.set(prompt=with_triggers(triggers, request.prompt), seed=request.seed or 0)
        if profile.negative == "zero" and request.negative_prompt:
            bench.unsupported("negative_prompt", IGNORED_NEGATIVE, "negative_ignored_cfg1")
        bench.set(negative_prompt=request.negative_prompt or "")
        self.shape(request, bench, stack, profile)

    def shape(self, request: Any, bench: Bench, stack: Stack, profile: Profile) -> None:
        """Size, frames and whatever else this model has of its own."""
        raise NotImplementedError

    def size(self, request: Any, bench: Bench, stack: Stack, default: tuple[int, int], even: int = 1) -> None:
        """Width and height rounded up to the stack's multiple; what stands over is cropped away at the end."""
        asked = completed(request.width, request.height, default, stack.size_multiple, LARGEST)
        made, result = both_up(asked, stack.size_multiple), both_up(asked, even)
        for name, wanted, given in zip(("width", "height"), asked, result, strict=True):
            if wanted != given:
                bench.unsupported(name, f"H.264 video has even sides: {given} instead of {wanted}", "size_rounded")
        bench.set(width=made[0], height=made[1])
        bench.crop(made, result)


def lora_uses(request: Any) -> list[LoraUse]:
    """The LoRA of a request, with the field to name in messages."""
    return [LoraUse(one.id, one.strength, f"loras[{index}].id") for index, one in enumerate(request.loras or ())]
