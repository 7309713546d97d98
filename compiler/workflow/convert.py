"""UI workflow → API-format graph: exactly what ComfyUI's own page would send, or an error that says why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from compiler.catalog import Catalog
from compiler.errors import Fault
from compiler.workflow.faults import WorkflowError
from compiler.workflow.load import load
from compiler.workflow.send import Sender
from compiler.workflow.settle import settle


@dataclass(frozen=True, slots=True)
class Conversion:
    """A workflow, converted."""

    api: dict[str, Any]
    """The API-format graph, with `_meta` titles."""
    findings: tuple[Fault, ...] = ()
    """What the page does to the workflow that its author may not want; the graph is right all the same."""


def convert(workflow: Mapping[str, Any], catalog: Catalog, *, now: datetime | None = None) -> Conversion:
    """Converts a workflow in the page's format; the catalog's version picks the generation of the page.

    `now` fills `%date:…%` in filenames; without it they stay as they are.

    Errors: WorkflowError, one Fault for each node that cannot be converted.
    """
    loaded = load(workflow, catalog)
    sender = Sender(loaded, now)
    faults = settle(loaded, sender.replaced)
    api = sender.prompt()
    faults = [*loaded.faults, *faults, *sender.faults]
    findings = (*loaded.findings, *sender.findings)
    if faults:
        raise WorkflowError(*faults, api=api, findings=findings)
    return Conversion(api, findings)
