"""Checking an API-format graph against a catalog: what its ComfyUI would answer, and what that would not notice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from compiler.catalog import Catalog
from compiler.check.strict import findings
from compiler.check.verdict import Files, Verdict, verdict
from compiler.errors import Fault

__all__ = ["CheckResult", "Verdict", "check_graph", "findings", "verdict"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A graph, judged twice: by the rules of the target's server, and by ours."""

    valid: bool
    """Whether POST /prompt would accept it, all of it or in part, and survive it."""
    error: Mapping[str, Any] | None
    """The server's `{type, message, details, extra_info}`; ours, of type `server_error` or `deadly`, where it fails."""
    node_errors: Mapping[str, Any]
    findings: tuple[Fault, ...]
    """What the server would not notice."""

    def to_json(self) -> dict[str, Any]:
        """The object of `comfyc check --json`."""
        return {
            "valid": self.valid,
            "error": self.error,
            "node_errors": self.node_errors,
            "findings": [
                {"where": found.where, "what": found.what, "cure": found.cure, "code": found.code}
                for found in self.findings
            ],
        }

    def to_text(self) -> list[str]:
        """Lines for people; none if all is well."""
        lines = [f"{self.error['type']}: {self.error['message']}"] if self.error else []
        for node_id, entry in self.node_errors.items():
            for problem in entry["errors"]:
                lines.append(f"{node_id} ({entry['class_type']}): {problem['message']}: {problem['details']}")
        return lines + [f"finding: {found}" for found in self.findings]


def check_graph(prompt: Any, catalog: Catalog, *, files: Files | None = None) -> CheckResult:
    """Judges an API-format graph; without `files`, every input file is taken to exist."""
    said = verdict(prompt, catalog, files=files)
    error: Mapping[str, Any] | None = said.error
    if said.crash or said.deadly:
        kind = "server_error" if said.crash else "deadly"
        error = {"type": kind, "message": said.crash or said.deadly, "details": "", "extra_info": {}}
    return CheckResult(said.accepted and error is None, error, said.node_errors, findings(prompt, catalog))
