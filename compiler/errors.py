"""The tree of errors. Each says where, what and what next; a dialect maps the class to its own envelope.

ComfycError
├── RequestError      the caller's request is wrong: a 400, one Fault a mistake
├── TemplateError     a file under graphs/ is wrong: found when the library is loaded
├── GraphError        a graph is malformed: bad JSON, a link to nowhere, a cycle
└── TargetError       the target's catalog lacks a node class or a model file that the graph needs
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake: the place, the fault and the cure, each a short clause."""

    where: str
    """The field or path, in the caller's words: `loras[0].id`, `graphs/templates/x/graph.json: sampler.cfg`."""
    what: str
    """What is wrong, with the value quoted by `!r` where it helps."""
    cure: str = ""
    """What to do next; empty only where `what` already says it."""
    code: str = "invalid"
    """A stable word for programs: `required`, `unknown`, `out_of_range`, `unsupported`, …"""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.cure}" if self.cure else text


class ComfycError(Exception):
    """Base of every error that comfyc raises on purpose; `str()` gives one line for each fault."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class RequestError(ComfycError):
    """The request cannot be compiled as it stands: the caller must change it."""


class TemplateError(ComfycError):
    """A template, fragment, stack or table under graphs/ is wrong."""


class GraphError(ComfycError):
    """A graph is malformed."""


class TargetError(ComfycError):
    """The ComfyUI that the graph was compiled for lacks something that the graph needs."""


def nearest(name: str, known: Iterable[str]) -> str:
    """`Did you mean 'x'?` for the nearest known name, or an empty string."""
    found = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"Did you mean {found[0]!r}?" if found else ""
