"""Which column a node stands in, and where long links bend: the first step of a layered drawing (Sugiyama)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from compiler.draw.boxes import MOST_OUTPUTS, Box
from compiler.graph.ir import Graph, Ref

BEND_ROOM: Final = 11.0
"""Pixels of height that a passing link takes in a column."""
MOST_BENDS: Final = 8000
"""In one part: what links beyond them pass by is not made room for, so that a graph of all with all is drawn too."""
ROUNDS: Final = 8


class Link(NamedTuple):
    """One link of the graph."""

    source: Ref
    target: str
    slot: int
    """Number of the input slot at the target."""


@dataclass(slots=True)
class Item:
    """What stands in a column: a box, or the bend of a link that passes through."""

    layer: int
    height: float
    box: Box | None = None
    y: float = 0.0
    before: list[tuple[Item, float, float]] = field(default_factory=list["tuple[Item, float, float]"])
    """(item of the column to the left, where the link leaves it, where it arrives here), heights from the tops."""
    after: list[tuple[Item, float, float]] = field(default_factory=list["tuple[Item, float, float]"])
    """(item of the column to the right, where the link leaves here, where it arrives there)"""

    @property
    def group(self) -> str:
        return self.box.group if self.box else ""


@dataclass(slots=True)
class Columns:
    """Items by column, and the bends that each source's links share."""

    columns: list[list[Item]]
    items: Mapping[str, Item]
    bends: Mapping[Ref, Mapping[int, Item]]
    """Output → column → bend: all links of one output pass through the same bends."""
    forward: list[Link]
    backward: list[Link]
    """Links against the direction: the graph has a cycle."""
    spans: list[tuple[float, float]] = field(default_factory=list["tuple[float, float]"])
    """(left, right) of each column in pixels; the layout's."""
    bottom: float = 0.0
    """Where its last item ends; the layout's. Links against the direction run below."""


def parts(graph: Graph, boxes: Mapping[str, Box]) -> list[Columns]:
    """The graph's connected parts, the largest first."""
    links = [
        Link(ref, node_id, slot)
        for node_id, node in graph.nodes.items()
        for slot, (_, ref) in enumerate(node.links())
        if 0 <= ref.output < MOST_OUTPUTS
    ]
    root = {node_id: node_id for node_id in boxes}
    for link in links:
        root[_root(root, link.target)] = _root(root, link.source.node)
    found: dict[str, dict[str, Box]] = {}
    for node_id, box in boxes.items():
        found.setdefault(_root(root, node_id), {})[node_id] = box
    members = sorted(found.values(), key=len, reverse=True)
    return [_columns([link for link in links if link.target in one], one) for one in members]


def _root(root: dict[str, str], node_id: str) -> str:
    while root[node_id] != node_id:
        root[node_id] = node_id = root[root[node_id]]
    return node_id


def _columns(links: list[Link], boxes: Mapping[str, Box]) -> Columns:
    """Every box in a column to the right of its sources, near its consumers."""
    layer = _layers(boxes, links)
    forward = [link for link in links if layer[link.source.node] < layer[link.target]]
    backward = [link for link in links if layer[link.source.node] >= layer[link.target]]
    items = {node_id: Item(layer[node_id], box.height, box) for node_id, box in boxes.items()}
    found: list[list[Item]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for item in items.values():
        found[item.layer].append(item)
    bends = _bend(forward, items, found)
    return Columns(found, items, bends, forward, backward)


def _layers(boxes: Mapping[str, Box], links: Iterable[Link]) -> dict[str, int]:
    sources: dict[str, list[str]] = {node_id: [] for node_id in boxes}
    targets: dict[str, list[str]] = {node_id: [] for node_id in boxes}
    for link in links:
        sources[link.target].append(link.source.node)
        targets[link.source.node].append(link.target)
    order, closing = _order(sources)
    layer: dict[str, int] = {}
    for node_id in order:
        inner = [layer[source] for source in sources[node_id] if (source, node_id) not in closing]
        layer[node_id] = max(inner, default=-1) + 1
    for _ in range(ROUNDS):  # longest path sets everything as far left as it goes; now shorten the links
        for node_id in reversed(order):
            low = max((layer[s] + 1 for s in sources[node_id] if (s, node_id) not in closing), default=0)
            high = min((layer[t] - 1 for t in targets[node_id] if (node_id, t) not in closing), default=-1)
            # One output feeds all its targets through one line, so that what counts is how many lines get longer.
            if high >= low and len(set(sources[node_id])) <= 1:
                layer[node_id] = high
    least = min(layer.values(), default=0)
    return {node_id: number - least for node_id, number in layer.items()}


def _order(sources: Mapping[str, list[str]]) -> tuple[list[str], set[tuple[str, str]]]:
    """Sources before consumers, and the (source, consumer) pairs that close a cycle."""
    order: list[str] = []
    closing: set[tuple[str, str]] = set()
    state: dict[str, int] = {}
    for start in sources:
        if start in state:
            continue
        state[start] = 1
        stack = [(start, iter(sources[start]))]
        while stack:
            node_id, rest = stack[-1]
            for source in rest:
                if state.get(source) == 1:
                    closing.add((source, node_id))
                elif source not in state:
                    state[source] = 1
                    stack.append((source, iter(sources[source])))
                    break
            else:
                state[node_id] = 2
                order.append(node_id)
                stack.pop()
    return order, closing


def _bend(links: Iterable[Link], items: Mapping[str, Item], found: list[list[Item]]) -> dict[Ref, dict[int, Item]]:
    bends: dict[Ref, dict[int, Item]] = {}
    room = MOST_BENDS
    for link in sorted(links, key=lambda link: items[link.target].layer - items[link.source.node].layer):
        source, target = items[link.source.node], items[link.target]
        assert source.box is not None
        assert target.box is not None
        item, leaves = source, source.box.outputs[link.source.output].y
        chain = bends.setdefault(link.source, {})
        missing = [number for number in range(source.layer + 1, target.layer) if number not in chain]
        if len(missing) > room:
            continue
        room -= len(missing)
        for number in range(source.layer + 1, target.layer):
            bend = chain.get(number)
            if bend is None:
                bend = chain[number] = Item(number, BEND_ROOM)
                found[number].append(bend)
                _join(item, bend, leaves, BEND_ROOM / 2)
            item, leaves = bend, BEND_ROOM / 2
        _join(item, target, leaves, target.box.inputs[link.slot].y)
    return bends


def _join(left: Item, right: Item, leaves: float, arrives: float) -> None:
    left.after.append((right, leaves, arrives))
    right.before.append((left, leaves, arrives))
