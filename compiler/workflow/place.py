"""Places nodes on a canvas so that a person can read the graph: in columns from left to right, few crossings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

GAP_X: Final = 80
GAP_Y: Final = 50
SWEEPS: Final = 4

Size = tuple[int, int]
Point = tuple[int, int]


def arrange(sizes: Mapping[str, Size], links: Iterable[tuple[str, str]]) -> dict[str, Point]:
    """Top left corners by node id. `sizes` are (width, height) in pixels, `links` are (source, consumer)."""
    sources: dict[str, list[str]] = {node: [] for node in sizes}
    consumers: dict[str, list[str]] = {node: [] for node in sizes}
    for source, consumer in links:
        if source in sizes and consumer in sizes and source != consumer:
            sources[consumer].append(source)
            consumers[source].append(consumer)
    columns = _columns(sources, consumers)
    for sweep in range(SWEEPS):
        _uncross(columns, sources if sweep % 2 == 0 else consumers, backward=sweep % 2 == 1)
    return _points(columns, sizes)


def _columns(sources: Mapping[str, list[str]], consumers: Mapping[str, list[str]]) -> list[list[str]]:
    """Each node one column right of its last source; nodes in a cycle where they are first met."""
    column: dict[str, int] = {}
    missing = {node: len(inputs) for node, inputs in sources.items()}
    ready = [node for node in sources if not missing[node]]
    waiting = iter([node for node in sources if missing[node]])
    while len(column) < len(sources):
        for node in ready:
            column[node] = max((column[source] + 1 for source in sources[node] if source in column), default=0)
            for consumer in consumers[node]:
                missing[consumer] -= 1
                if not missing[consumer] and consumer not in column:
                    ready.append(consumer)
        ready = [node for node in waiting if node not in column][:1]
    found: list[list[str]] = [[] for _ in range(max(column.values(), default=-1) + 1)]
    for node, index in column.items():
        found[index].append(node)
    return found


def _uncross(columns: list[list[str]], neighbours: Mapping[str, list[str]], *, backward: bool) -> None:
    """Orders each column by the mean place of its nodes' neighbours."""
    rank = {node: index / max(len(column), 1) for column in columns for index, node in enumerate(column)}
    for column in reversed(columns) if backward else columns:
        means = {
            node: sum(rank[other] for other in neighbours[node]) / len(neighbours[node])
            if neighbours[node]
            else rank[node]
            for node in column
        }
        column.sort(key=lambda node: means[node])
        rank.update({node: index / len(column) for index, node in enumerate(column)})


def _points(columns: list[list[str]], sizes: Mapping[str, Size]) -> dict[str, Point]:
    points: dict[str, Point] = {}
    x = 0
    for column in columns:
        y = 0
        for node in column:
            points[node] = (x, y)
            y += sizes[node][1] + GAP_Y
        x += max(sizes[node][0] for node in column) + GAP_X
    return points
