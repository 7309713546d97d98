"""What can be wrong with a workflow: errors name the node and the cure, findings tell what the page does unasked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compiler.errors import Fault, RequestError


class WorkflowError(RequestError):
    """The workflow cannot be converted, or not without a guess."""

    def __init__(self, *faults: Fault, api: Mapping[str, Any] | None = None, findings: tuple[Fault, ...] = ()) -> None:
        super().__init__(*faults)
        self.api = api
        """What ComfyUI's page would send all the same; None where it sends nothing."""
        self.findings = findings


class Broken(Exception):
    """Inside the package: one input cannot be resolved."""

    def __init__(self, what: str, cure: str, code: str = "broken") -> None:
        super().__init__(what)
        self.what, self.cure, self.code = what, cure, code


def at(node_id: str, title: str, kind: str, inside: str = "") -> str:
    """How a fault names a node: `node 7:6 "Sampler" (KSampler)`; `inside` is the name of its subgraph."""
    where = f" of subgraph {inside!r}" if inside else ""
    shown = f' "{title}"' if title and title != kind else ""
    return f"node {node_id}{shown} ({kind}){where}"
