"""What a pass is: a pure function Graph → Graph that leaves a valid graph, and what it may look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from compiler.catalog import Catalog
from compiler.graph.ir import Graph
from compiler.template.expand import Attachment
from compiler.template.library import Library


@dataclass(frozen=True, slots=True)
class PassContext:
    """The values that passes read beside the graph."""

    library: Library
    catalog: Catalog
    attachments: Sequence[Attachment] = ()
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The template's parameters, completed."""


Pass: TypeAlias = Callable[[Graph, PassContext], Graph]
