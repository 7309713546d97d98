"""A model file that a request names in place of a stack's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from compiler.binding import Bench
from compiler.catalog import Catalog
from compiler.errors import Fault, RequestError, nearest
from compiler.template.library import Library
from compiler.template.manifest import Stack

MAIN: Final = ("checkpoint", "unet")
"""Roles of the file that holds the diffusion model; a stack has one of them."""
KINDS: Final[Mapping[str, str]] = {"checkpoints": "checkpoint", "diffusion_models": "diffusion_model"}
"""Model folder → kind of asset."""
SUFFIXES: Final = ("", ".safetensors", ".sft", ".ckpt", ".pt")


@dataclass(frozen=True, slots=True)
class Model:
    """A diffusion model, by its file."""

    file: str
    stack: Stack | None
    """The stack that it is sampled with; None if it is for none of those in question."""
    family: str
    """In words; empty if it is not known."""


def main_role(stack: Stack) -> str:
    """The role of the stack's diffusion model: `checkpoint` or `unet`."""
    return next(role for role in MAIN if role in stack.files)


def resolve_model(name: str, stacks: Sequence[Stack], library: Library, catalog: Catalog, field: str) -> Model:
    """The model of that name: an asset's id, or a file that an asset, a stack or the target's folder has.

    `stacks` are those that will do, their models in the same folder; a file of the target alone is of no known
    family and is sampled with the first. Errors: RequestError for an unknown name, or a model for none of them.
    """
    folder = stacks[0].folders[main_role(stacks[0])]
    named = _named(stacks, folder, library)
    on_target = catalog.files(folder) or ()
    for spelled in (name + suffix for suffix in SUFFIXES):
        found = named.get(spelled) or (Model(spelled, stacks[0], "") if spelled in on_target else None)
        if found is not None and found.stack is None:
            what = f"{name!r} is a model of {found.family}, not of {_titles(stacks)}"
            raise RequestError(Fault(field, what, "Choose one of that family", code="wrong_family"))
        if found is not None:
            return found
    fitting = [one for one, model in named.items() if model.stack]
    cure = nearest(name, [*fitting, *on_target]) or f"Put a file of that name into models/{folder}"
    raise RequestError(Fault(field, f"{name!r} is not a known {KINDS[folder].replace('_', ' ')}", cure, code="unknown"))


def _named(stacks: Sequence[Stack], folder: str, library: Library) -> Mapping[str, Model]:
    """Every name that stacks and assets know in that folder; where two know one, that which fits."""
    found: dict[str, Model] = {}
    for name, model in (*_of_stacks(stacks, folder, library), *_of_assets(stacks, folder, library)):
        if name not in found or found[name].stack is None:
            found[name] = model
    return found


def _of_stacks(stacks: Sequence[Stack], folder: str, library: Library) -> Iterator[tuple[str, Model]]:
    """A checkpoint is sampled like any of its family. A transformer of another stack may want other inputs."""
    for other in library.stacks.values():
        file = next((other.files[role] for role in MAIN if other.folders.get(role) == folder), "")
        alike = (one for one in stacks if one == other or (one.family == other.family and folder == "checkpoints"))
        if file:
            yield file, Model(file, next(alike, None), other.title)


def _of_assets(stacks: Sequence[Stack], folder: str, library: Library) -> Iterator[tuple[str, Model]]:
    for name, asset in library.assets.items():
        if asset.kind == KINDS[folder]:
            fitting = (stack for stack in stacks if asset.family in (stack.family, ""))
            model = Model(asset.files["*"], next(fitting, None), asset.family)
            yield from ((name, model), (model.file, model))


def _titles(stacks: Iterable[Stack]) -> str:
    return " or ".join(stack.title for stack in stacks)


def note_version(bench: Bench, stack: Stack, field: str) -> None:
    """Reports a target whose code is older than the model."""
    if stack.comfyui and bench.catalog.version and _numbers(bench.catalog.version) < _numbers(stack.comfyui):
        why = f"{bench.catalog.label} cannot load {stack.title}: it takes {stack.comfyui} or later"
        bench.unsupported(field, why, "needs_newer_comfyui")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
