"""Partner tables: graphs/partners/<name>.json, the ways in which a closed model can be asked from inside a graph.

A table lists rows in order of preference. A row is one node class with its inputs, as expressions over the table's
parameters; it becomes a fragment that gives the wire `image` or `video`. Which row is taken depends on what the
target's catalog offers: see compiler/partners.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from compiler.errors import Fault, TemplateError
from compiler.template.expression import Expressions, is_expression
from compiler.template.manifest import FragmentManifest, Needs, Param, Port, Wire
from compiler.template.skeleton import Skeleton

RESULT: Final = "partner"
"""Id of the node whose first output is the result."""
OFFERS, PAYLOAD = "offers", "payload"
"""Parameters that every row has: what the target's class offers, and the row's payload as JSON text."""
PREFIX: Final = "partner/"
"""Of the ids of rows as fragments: `partner/<table>/<row>`."""
_TYPES: Final[Mapping[str, str]] = {"mask": "MASK", "video": "VIDEO"}
"""Type of a port by its name without a number; all others are pictures."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PartnerRow(_Strict):
    """One way to ask: a node class, its inputs, and what is lost by it."""

    id: str
    node: str
    """Class of the node that asks; its first output is the result."""
    since: str = ""
    """Lowest ComfyUI version whose core has the class with these inputs."""
    pack: str = ""
    """Node pack that has the class, if it is not the core's."""
    when: str = "{{ true }}"
    """Whether the row can serve the request, by the parameters and `offers`."""
    inputs: dict[str, Any]
    """As in a graph.json: values, expressions, ports `["$first", 0]`, links to `nodes`."""
    nodes: dict[str, Any] = Field(default_factory=dict[str, Any])
    """More nodes by id, as in a graph.json."""
    payload: Any = None
    """JSON with expressions, for an input that takes JSON text; what comes out as null is left out."""
    losses: dict[str, str] = Field(default_factory=dict[str, str])
    """Parameter → expression: what of it is not honoured, or an empty text. A row without losses goes first."""
    notes: dict[str, str] = Field(default_factory=dict[str, str])
    """The same for what is no reason to look further; told only if the caller gave the parameter."""
    most: str = "{{ 1 }}"
    """Results that one node makes at most; more are made by several nodes."""
    size: tuple[str, str] | None = None
    """Width and height of the result in pixels, where they differ from those that were asked."""


class PartnerTable(_Strict):
    """graphs/partners/<name>.json"""

    title: str
    kind: Literal["image", "video"]
    source: str = ""
    """Where the facts are from, beside the node schemas."""
    params: dict[str, str]
    """Parameter → meaning. All are optional: null where the caller gives none and the contract has no default."""
    maps: dict[str, Any] = Field(default_factory=dict[str, Any])
    """Constants that expressions may name: tables from the contract's words to the node's."""
    rows: tuple[PartnerRow, ...]


@dataclass(frozen=True)
class Way:
    """A row made ready."""

    row: PartnerRow
    fragment: str
    """Id of its fragment."""
    manifest: FragmentManifest
    skeleton: Skeleton
    used: frozenset[str]
    """Parameters that the inputs or the payload hold, or that the row is chosen by."""
    payload: Callable[[Mapping[str, Any]], str | None]
    """Parameters → JSON text."""
    judged: Callable[[Mapping[str, Any]], Sequence[Any]]
    """Parameters → when, most, width and height (null if not given), losses, notes."""


@dataclass(frozen=True)
class Partner:
    """A table. Its rows are made ready when one of them is first asked for: a process needs few of all tables."""

    id: str
    table: PartnerTable
    where: str
    """The file, for messages."""

    @property
    def title(self) -> str:
        return self.table.title

    @property
    def kind(self) -> Literal["image", "video"]:
        return self.table.kind

    @property
    def params(self) -> Mapping[str, str]:
        return self.table.params

    @property
    def maps(self) -> Mapping[str, Any]:
        return self.table.maps

    @cached_property
    def ways(self) -> tuple[Way, ...]:
        """Errors: TemplateError."""
        table = self.table
        params = {one: Param(type="object", optional=True, description=text) for one, text in table.params.items()}
        params |= {one: Param(type="object", default=value) for one, value in table.maps.items()}
        params |= {one: Param(type="object", optional=True) for one in (OFFERS, PAYLOAD)}
        ways = tuple(_way(row, table, params, f"{PREFIX}{self.id}/{row.id}", self.where) for row in table.rows)
        if len({way.fragment for way in ways}) < len(ways):
            raise TemplateError(Fault(self.where, "has two rows of one id"))
        return ways

    def way(self, row: str) -> Way:
        """The row of that id. Errors: TemplateError."""
        for way in self.ways:
            if way.row.id == row:
                return way
        raise TemplateError(Fault(self.where, f"has no row {row!r}"))


def _way(row: PartnerRow, table: PartnerTable, params: Mapping[str, Param], fragment: str, where: str) -> Way:
    place = f"{where}: {row.id}"
    skeleton = Skeleton(place, {**row.nodes, RESULT: {"class_type": row.node, "inputs": row.inputs}}, params)
    manifest = FragmentManifest(
        title=f"{table.title}: {row.node}",
        params=dict(params),
        ports={
            port: Port(type=_TYPES.get(port.rstrip("_0123456789"), "IMAGE"), optional=True) for port in skeleton.ports
        },
        gives={table.kind: Wire(source=(RESULT, 0), type=table.kind.upper())},
        needs=Needs(packs=(row.pack,) if row.pack else (), comfyui=row.since),
    )
    texts = {"when": row.when, "most": row.most}
    texts |= (
        {"width": row.size[0], "height": row.size[1]} if row.size else {"width": "{{ none }}", "height": "{{ none }}"}
    )
    texts |= {f"losses.{name}": text for name, text in row.losses.items()}
    texts |= {f"notes.{name}": text for name, text in row.notes.items()}
    judged = Expressions([(f"{place}.{name}", text) for name, text in texts.items()], params)
    build, names = _payload(row.payload, params, place)
    chosen = Expressions([(f"{place}.when", row.when)], params).names
    used = (skeleton.used_params | names | chosen) - {OFFERS, PAYLOAD}
    return Way(row, fragment, manifest, skeleton, frozenset(used), build, judged)


def _payload(
    data: Any, params: Mapping[str, Param], place: str
) -> tuple[Callable[[Mapping[str, Any]], str | None], frozenset[str]]:
    if data is None:
        return (lambda context: None), frozenset()
    holes: list[tuple[str, str]] = []

    def prepared(value: Any) -> Callable[[list[Any]], Any]:
        if isinstance(value, dict):
            parts = {name: prepared(one) for name, one in cast("dict[str, Any]", value).items()}
            return lambda values: _full({name: part(values) for name, part in parts.items()})
        if isinstance(value, list):
            items = [prepared(one) for one in cast("list[Any]", value)]
            return lambda values: [one for item in items if (one := item(values)) is not None] or None
        if is_expression(value):
            index = len(holes)
            holes.append((f"{place}.payload", value))
            return lambda values: values[index]
        return lambda values: value

    root = prepared(data)
    expressions = Expressions(holes, params)

    def build(context: Mapping[str, Any]) -> str:
        return json.dumps(root(expressions(context)) or {}, ensure_ascii=False, separators=(",", ":"))

    return build, expressions.names


def _full(fields: dict[str, Any]) -> dict[str, Any] | None:
    """Without what is null; null if nothing is left."""
    return {name: value for name, value in fields.items() if value is not None} or None
