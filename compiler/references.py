"""Pictures that a request shows to the model: for their style, their contours, the person in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from compiler.binding import Bench
from compiler.errors import Fault, RequestError
from compiler.template.manifest import Reference, Stack


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture that a request shows."""

    purpose: str
    """A key of Stack.references: `style`."""
    medium: str
    """In the caller's words."""
    weight: float
    """0–1; 0 leaves the picture out."""
    field: str
    """Where it was asked, for messages: `TaskPresets[0].ExternalUrl`."""


def show(bench: Bench, stack: Stack, pictures: Iterable[Shown]) -> None:
    """Loads each picture and attaches the best way to show it that the target has, in order.

    What a second-best way loses is reported. The template must be set, and its parameters `files`, `width`, `height`.
    Errors: RequestError for a purpose that the stack does not know, or more pictures than it takes.
    """
    seen: Counter[str] = Counter()
    once: dict[str, float] = {}
    for one in pictures:
        way = _way(bench, stack, one)
        if not one.weight:
            continue
        seen[one.purpose] += 1
        if way.most and seen[one.purpose] > way.most:
            what = f"is one too many: at most {way.most} for {one.purpose} here"
            raise RequestError(Fault(one.field, what, "Send fewer", code="out_of_range"))
        _attach(bench, way, one, one.purpose + (f"_{seen[one.purpose]}" if seen[one.purpose] > 1 else ""))
        for fragment in way.once:
            once[fragment] = max(one.weight, once.get(fragment, 0.0))
    for fragment, weight in once.items():
        bench.attach(fragment, weight=weight)


def _way(bench: Bench, stack: Stack, one: Shown) -> Reference:
    """The first way that the target has the classes for, else the last: verification then names what is missing."""
    ways = stack.references.get(one.purpose)
    if not ways:
        known = ", ".join(stack.references) or "none"
        what = f"{stack.title} cannot be shown a picture for {one.purpose}"
        raise RequestError(Fault(one.field, what, f"It takes: {known}", code="unsupported"))
    missing = bench.catalog.lacks(_classes(bench, ways[0]))
    way = next((way for way in ways if not bench.catalog.lacks(_classes(bench, way))), ways[-1])
    if way.loss and one.weight:
        why = f"{way.loss} ({bench.catalog.label} has no {', '.join(missing)})"
        bench.unsupported(one.field, why, "degraded")
    return way


def _classes(bench: Bench, way: Reference) -> tuple[str, ...]:
    fragments = (bench.library.fragment(name) for name in (*way.fragments, *way.once))
    return tuple(sorted({kind for fragment in fragments for kind in fragment.skeleton.classes}))


def _attach(bench: Bench, way: Reference, one: Shown, label: str) -> None:
    """`label` goes behind the node ids and before the wires that are the picture's own."""
    bench.load(one.field, one.medium, f"{label}_reference")
    shared = bench.library.template(bench.template).manifest.wires
    for name in way.fragments:
        manifest = bench.library.fragment(name).manifest
        own = {wire: f"{label}_{wire}" for wire in (*manifest.ports, *manifest.gives) if wire not in shared}
        params: dict[str, Any] = {"weight": one.weight, **way.params}
        bench.attach(name, own, label, **params)
    if way.denoise:
        bench.set(denoise=round(1 - way.denoise * one.weight, 4))
