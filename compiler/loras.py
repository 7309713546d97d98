"""LoRA: from an id to files, and from a stack's rule to the fragments that load them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from compiler.catalog import Catalog
from compiler.errors import Fault, RequestError, nearest
from compiler.template.expand import Attachment
from compiler.template.library import Library
from compiler.template.manifest import Asset, LoraRule, Stack

SUFFIXES = (".safetensors", ".sft", ".pt", "")


@dataclass(frozen=True, slots=True)
class LoraUse:
    """A LoRA that a request asks for."""

    id: str
    strength: float
    field: str
    """Where it was asked, for messages: `loras[0].id`."""


def resolve_lora(use: LoraUse, stack: Stack, library: Library, catalog: Catalog) -> Asset:
    """The asset of that id, else a file of that name in the target's loras folder, or a pair of them.

    Errors: RequestError if there is none, or it is of another family than the stack takes.
    """
    asset = library.assets.get(use.id) or _by_file(use.id, stack, _known_files(library, catalog))
    if asset is None or asset.kind != "lora":
        known = [name for name, one in library.assets.items() if one.kind == "lora"]
        cure = nearest(use.id, known) or "Put a file of that name into the loras folder, or a row into COMFYC_ASSETS"
        raise RequestError(Fault(use.field, f"{use.id!r} is not a known LoRA", cure, code="unknown"))
    families = stack.lora.families if stack.lora else ()
    if asset.family and asset.family not in families and (families or not stack.lora):
        raise RequestError(
            Fault(
                use.field,
                f"{use.id!r} is a LoRA for {asset.family}, this model takes {' or '.join(families) or 'none'}",
                "Choose one of that family",
                code="wrong_family",
            )
        )
    return asset


def attachments(
    uses: Iterable[tuple[Mapping[str, str], float]], stack: Stack, *, wires: Mapping[str, str], label: str = ""
) -> list[Attachment]:
    """The fragments for these LoRA (files by expert, strength) in order, labelled `high_1`, `low_1`, … by expert.

    A second point of one expert has a letter: `b_1`. `wires` renames the stack's wires and `label` goes before the
    labels, where it sits beside a template's own stack.
    """
    rule = stack.lora
    if rule is None:
        return []
    found: list[Attachment] = []
    names = list(_point_names(rule))
    for number, (files, strength) in enumerate(uses, 1):
        for point, name in zip(rule.points, names, strict=True):
            file = files.get(point.expert) or files.get("*")
            if file is not None:
                targets = {port: wires.get(wire, wire) for port, wire in point.wires.items()}
                params = {"file": file, "strength": strength}
                found.append(Attachment(rule.fragment, params, targets, f"{label}{name}{number}"))
    return found


def _point_names(rule: LoraRule) -> Iterator[str]:
    """What tells the loaders of one LoRA apart: nothing for the first, `high_` for an expert's, `b_` for the next."""
    met: dict[str, int] = {}
    for point in rule.points:
        count = met[point.expert] = met.get(point.expert, 0) + 1
        expert = "" if point.expert == "*" else f"{point.expert}_"
        yield expert if count == 1 else f"{expert}{_letters(count)}_"


def _letters(number: int) -> str:
    """1, 2, 27 → `a`, `b`, `aa`."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = ascii_lowercase[rest] + letters
    return letters


def _known_files(library: Library, catalog: Catalog) -> Sequence[str]:
    files = catalog.files("loras")
    return library.files["loras"] if files is None else files


def _by_file(name: str, stack: Stack, files: Sequence[str]) -> Asset | None:
    for suffix in SUFFIXES:
        if name + suffix in files:
            return Asset(kind="lora", family="", files={"*": name + suffix})
    points = stack.lora.points if stack.lora else ()
    for suffix in SUFFIXES:
        pair = {point.expert: name + point.suffix + suffix for point in points if point.suffix}
        if pair and all(file in files for file in pair.values()):
            return Asset(kind="lora", family="", files=pair)
    return None
