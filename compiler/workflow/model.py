"""A loaded workflow: scopes (the root and each subgraph definition) of nodes with slots, links and widgets.

Values change while a workflow is settled (primitives, promoted widgets); a Workflow is made for one conversion.
Instances of one definition share its nodes, as they do in ComfyUI's page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, NamedTuple

from compiler.catalog import NodeSchema
from compiler.workflow.layout import WidgetSpec

FROM_OUTSIDE: Final = "-10"
"""Origin id of links that come in through a subgraph's border."""
TO_OUTSIDE: Final = "-20"

MUTED: Final = 2
BYPASSED: Final = 4


class Absent(Enum):
    """JavaScript's undefined: a value that JSON leaves out."""

    ABSENT = 0


ABSENT: Final = Absent.ABSENT


class Role(Enum):
    """What becomes of a node."""

    NODE = "node"
    """It is sent."""
    UNKNOWN = "unknown"
    """The catalog does not know its class."""
    REROUTE = "reroute"
    PRIMITIVE = "primitive"
    NOTE = "note"
    INSTANCE = "instance"
    """A subgraph or a legacy group node: its inner nodes are sent."""


VIRTUAL: Final = (Role.REROUTE, Role.PRIMITIVE, Role.NOTE, Role.INSTANCE)

KINDS: Final[Mapping[str, Role]] = {
    "Reroute": Role.REROUTE,
    "PrimitiveNode": Role.PRIMITIVE,
    "Note": Role.NOTE,
    "MarkdownNote": Role.NOTE,
}
"""Node types that exist in the page alone."""


@dataclass(slots=True)
class Slot:
    """One input slot of a node."""

    name: str
    type: str
    link: int | str | None = None
    widget: str = ""
    """The widget behind it."""


@dataclass(slots=True)
class Widget:
    """One widget and its value."""

    spec: WidgetSpec
    value: Any
    given: bool = False
    """Whether the file gives an instance's widget this value; else it has the inner widget's."""
    inner: Widget | None = None
    """For an instance: the widget that this one was made of."""

    @property
    def name(self) -> str:
        return self.spec.name


class Link(NamedTuple):
    """`origin`'s output `origin_slot` → some input of `target`; ids as text."""

    origin: str
    origin_slot: int
    target: str
    target_slot: int = 0
    """Number of that input among the saved ones; the input that names the link is what counts."""


@dataclass(slots=True)
class Knot:
    """One node of a workflow file."""

    id: str
    kind: str
    title: str
    mode: int
    role: Role
    slots: list[Slot]
    outputs: list[str]
    """Types of the output slots."""
    out_links: list[list[int | str]]
    """Link ids of each output slot."""
    widgets: list[Widget] = field(default_factory=list[Widget])
    schema: NodeSchema | None = None
    alias: str = ""
    """Property `Node name for S&R`: how filename patterns name it."""
    inner: Scope | None = None
    """For an instance: its definition."""
    raw: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def widget(self, name: str) -> Widget | None:
        return next((widget for widget in self.widgets if widget.spec.name == name), None)

    def feed(self, output: int, link: int | str) -> None:
        """Notes a link that leaves an output slot."""
        self.out_links.extend(list[int | str]() for _ in range(output + 1 - len(self.out_links)))
        self.out_links[output].append(link)

    def behind(self, slot: Slot) -> Widget | None:
        """The widget behind an input slot."""
        return self.widget(slot.widget) if slot.widget else None


@dataclass(slots=True)
class Port:
    """A named input or output of a subgraph definition."""

    name: str
    type: str
    links: list[int | str]


@dataclass(slots=True)
class Scope:
    """The root graph, or a subgraph definition."""

    id: str
    """Empty for the root."""
    name: str
    nodes: dict[str, Knot] = field(default_factory=dict[str, Knot])
    links: dict[int | str, Link] = field(default_factory=dict["int | str", Link])
    inputs: list[Port] = field(default_factory=list[Port])
    outputs: list[Port] = field(default_factory=list[Port])
    group: bool = False
    """Whether it is what a legacy group node holds."""
    copies: list[tuple[Widget, Widget]] = field(default_factory=list["tuple[Widget, Widget]"])
    """For a group: its widgets, and the inner ones that get their values, in this order."""


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if value.__class__ is dict else {}


def items(value: Any) -> list[Any]:
    """The value if it is a JSON list, else an empty one."""
    return value if value.__class__ is list else []


def link_ids(value: Any) -> list[int | str]:
    """The link ids in a JSON list, as a list of its own."""
    return [number for number in items(value) if isinstance(number, (int, str))]


def text(value: Any) -> str:
    """The value if it is text, else an empty one."""
    return value if value.__class__ is str else ""


def name_of(value: Any) -> str:
    """An id or a type as text; what is neither text nor a number has none."""
    return value if value.__class__ is str else str(value) if isinstance(value, (int, float)) else ""
