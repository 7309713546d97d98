"""Asks a closed model in the best way that the target offers: a partner node of ComfyUI's core, a node of a pack, or,
with losses that are told, the nearest thing.

Of the rows that can serve the request and whose values the target's class takes, the first without losses is used,
else the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from compiler.binding import Bench
from compiler.catalog import Catalog, NodeSchema
from compiler.errors import Fault, TargetError
from compiler.graph.ir import Graph, Node, Ref
from compiler.graph.verify import findings
from compiler.plan import named_packs
from compiler.template.expand import Attachment
from compiler.template.partner import OFFERS, PAYLOAD, Partner, Way
from compiler.template.skeleton import complete

BATCH: Final = "images"
"""The port that takes all pictures `image_1`, `image_2`, … as one batch."""
COUNT, SEED = "count", "seed"
"""Parameters that more than one node shares out: results of each, and the first one's seed."""


@dataclass(frozen=True)
class Asked:
    """What a request asks of a closed model."""

    partner: str
    """Name of the table under graphs/partners/."""
    params: Mapping[str, Any]
    """By the table's names; defaults filled in."""
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    """Parameter → the caller's field, for reports."""
    given: frozenset[str] = frozenset()
    """Parameters that the caller set."""
    media: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, "tuple[str, str]"])
    """Wire → (field, reference) of what is shown: `image_1`, `first`, `video_1`, …"""
    size: tuple[int, int] | None = None
    """Pixels that the result must have; None: whatever comes."""


@dataclass(frozen=True)
class Choice:
    """A row that the target can run, judged for a request."""

    way: Way
    context: Mapping[str, Any]
    most: int
    size: tuple[int, int] | None
    losses: tuple[tuple[str, str], ...]
    """(parameter, what is lost)"""
    notes: tuple[tuple[str, str], ...]


def ask(bench: Bench, asked: Asked, prepared: Mapping[str, str] | None = None) -> Choice:
    """Attaches the chosen row, the media that it takes, and as many nodes as the count needs; tells what is lost.

    `prepared` maps wires that are on the graph already to themselves or to others. Errors: TargetError.
    """
    partner = bench.library.partner(asked.partner)
    prepared = prepared or {}
    choice = choose(partner, asked, frozenset(asked.media) | frozenset(prepared), bench.catalog)
    _load(bench, asked, choice, prepared)
    _nodes(bench, asked, choice, dict(prepared))
    if asked.size and choice.size and choice.size != asked.size:
        bench.attach("restore_size", restored_width=asked.size[0], restored_height=asked.size[1])
    for name, why in (*choice.losses, *_unused(asked, choice)):
        code = "degraded" if (name, why) in choice.losses else "unsupported_field"
        bench.unsupported(asked.fields.get(name, name), f"{why} ({bench.catalog.label})", code)
    return choice


def choose(partner: Partner, asked: Asked, wires: frozenset[str], catalog: Catalog) -> Choice:
    """The first row that fits without losses, else the first that fits.

    Errors: TargetError, saying which ComfyUI or pack would do.
    """
    lossy: Choice | None = None
    needs: list[tuple[Way, str]] = []
    for way in partner.ways:
        schema = catalog.get(way.row.node)
        context = _completed(partner, asked, schema)
        choice = _judged(way, context)
        if choice is None:
            continue
        fault = _misfit(way, choice.context, wires, schema, catalog)
        if fault:
            needs.append((way, fault))
        elif not choice.losses:
            return choice
        else:
            lossy = lossy or choice
    if lossy is None:
        raise _nothing(partner, needs, catalog)
    return lossy


def _completed(partner: Partner, asked: Asked, schema: NodeSchema | None) -> dict[str, Any]:
    fixed = {**dict.fromkeys(partner.params), **partner.maps, PAYLOAD: None, OFFERS: _offers(schema)}
    return {**fixed, **asked.params}


class _Offers(dict[str, tuple[Any, ...]]):
    """Input → its choices, empty where it is no combo; an input that is not there has none."""

    def __missing__(self, name: str) -> tuple[Any, ...]:
        return ()


def _offers(schema: NodeSchema | None) -> Mapping[str, tuple[Any, ...]]:
    return _Offers({spec.name: spec.values or () for spec in schema.by_name.values()} if schema else {})


def _judged(way: Way, context: dict[str, Any]) -> Choice | None:
    """The row's own word on the request; None if it cannot serve it."""
    when, most, width, height, *texts = way.judged(context)
    if not when:
        return None
    names = [*way.row.losses, *way.row.notes]
    told = [(name, text) for name, text in zip(names, texts, strict=True)]
    losses = tuple((name, text) for name, text in told[: len(way.row.losses)] if text)
    notes = tuple((name, text) for name, text in told[len(way.row.losses) :])
    size = (width, height) if width is not None else None
    return Choice(way, {**context, PAYLOAD: way.payload(context)}, most, size, losses, notes)


def _misfit(
    way: Way, context: Mapping[str, Any], wires: frozenset[str], schema: NodeSchema | None, catalog: Catalog
) -> str:
    """Why the target cannot run the row with these values; empty if it can."""
    if schema is None:
        return f"has no {way.row.node}"
    shown = wires | {BATCH} if "image_1" in wires else wires
    nodes = way.skeleton.build(
        _context(way, context), port=lambda port, node, name: Ref(f"${port}", 0) if port in shown else None
    )
    for fault in findings(Graph(nodes), catalog):
        if fault.code != "required_input_missing" or not _filled(fault.where, nodes, catalog):
            return str(fault)
    unseen = [wire for wire in sorted(wires) if wire not in way.skeleton.ports and not _told(wire, way)]
    return f"{way.row.node} has no place for {unseen[0]}" if unseen else ""


def _told(wire: str, way: Way) -> bool:
    """Whether a medium without a port of its own is in the batch, or the row says that it is lost."""
    kind = wire.rstrip("_0123456789")
    return kind in way.row.losses or (kind == "image" and BATCH in way.skeleton.ports)


def _context(way: Way, context: Mapping[str, Any]) -> dict[str, Any]:
    return complete(way.manifest.params, context, way.fragment)


def _filled(where: str, nodes: Mapping[str, Node], catalog: Catalog) -> bool:
    """Whether a missing input gets the target's default later."""
    node, _, name = where.partition(".")
    schema = catalog.get(nodes[node].kind)
    return schema is not None and name in schema.defaults


def _nothing(partner: Partner, needs: list[tuple[Way, str]], catalog: Catalog) -> TargetError:
    lacking = [way for way, _ in needs if way.row.node not in catalog]
    cores = sorted({way.row.since for way in lacking if not way.row.pack}, key=_numbers)
    packs = sorted({way.row.pack for way in lacking if way.row.pack})
    ways = [f"ComfyUI {cores[0]} or newer"] if cores else []
    ways += named_packs(packs)
    what = f"{catalog.label}: {needs[0][1]}" if needs else "no node can serve the request"
    return TargetError(Fault(partner.title, what, f"It needs {' or '.join(ways)}" if ways else "", "missing_node_type"))


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


# --- what is attached ----------------------------------------------------------------------------------------------


def _load(bench: Bench, asked: Asked, choice: Choice, prepared: Mapping[str, str]) -> None:
    """Loads what the row takes; several pictures for one port become a batch."""
    ports = choice.way.skeleton.ports
    for wire, (name, reference) in asked.media.items():
        if wire in ports and wire not in prepared:
            _load_one(bench, name, reference, wire)
    if BATCH in ports and BATCH not in prepared:
        pictures = [one for wire, one in asked.media.items() if wire.startswith("image_")]
        _batch(bench, pictures)


def _load_one(bench: Bench, name: str, reference: str, wire: str) -> None:
    if wire.startswith("video"):
        bench.attach("load_video", {"video": wire}, label=wire, file=bench.picture(name, reference).name)
    else:
        bench.load(name, reference, wire)


def _batch(bench: Bench, pictures: list[tuple[str, str]]) -> None:
    found = [
        bench.load(name, reference, BATCH if not index else f"{BATCH}_{index}")
        for index, (name, reference) in enumerate(pictures)
    ]
    for index in range(1, len(found)):
        bench.attach("batch_images", {"input_image": BATCH, "next": f"{BATCH}_{index}"})
        if found[index].width * found[0].height != found[0].width * found[index].height:
            bench.unsupported(
                pictures[index][0], "is cropped to the shape of the first picture, as one batch", "cropped"
            )


def _nodes(bench: Bench, asked: Asked, choice: Choice, wires: dict[str, str]) -> None:
    """The row's nodes, one for each share of the count, their results as one batch."""
    count = asked.params.get(COUNT) or 1
    shares = [min(choice.most, count - done) for done in range(0, count, choice.most)]
    for number, share in enumerate(shares):
        params = {name: value for name, value in choice.context.items() if name in choice.way.manifest.params}
        if len(shares) > 1:
            params |= {COUNT: share, SEED: ((asked.params.get(SEED) or 0) + number) % 2**64}
            params[PAYLOAD] = choice.way.payload(params)
        kind = bench.library.partner(asked.partner).kind
        target = {kind: kind if not number else f"result_{number + 1}"}
        label = str(number + 1) if len(shares) > 1 else ""
        bench.attached.append(Attachment(choice.way.fragment, params, {**wires, **target}, label))
    for number in range(1, len(shares)):
        bench.attach("join_images", {"next": f"result_{number + 1}"})


def _unused(asked: Asked, choice: Choice) -> Iterator[tuple[str, str]]:
    """Of the parameters that the caller set: what the row's notes say, and those that it has no place for."""
    row = choice.way.row
    for name, why in choice.notes:
        if why and name in asked.given:
            yield name, why
    known = {COUNT, *choice.way.used, *row.losses, *row.notes}
    for name in asked.params:
        if name in asked.given and name not in known:
            yield name, f"{row.node} has no input for it"
