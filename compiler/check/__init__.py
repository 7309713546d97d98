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
    """Ours: what would not run as it is meant. Some the server reports too, most it would not notice."""

    def to_json(self) -> dict[str, Any]:
        """The object of `comfyc check --json`."""
        return {
            "valid": self.valid,
            "error": self.error,
            "node_errors": self.node_errors,
            "findings": [
                {
                    "where": found.where,
                    "what": found.what,
                    "cure": found.cure,
                    "code": found.code,
                    "server": self._says(found),
                }
                for found in self.findings
            ],
        }

    def to_text(self) -> list[str]:
        """Lines for people, the server's first, with our cure where we know one; none if all is well."""
        cures = {found.where: found.cure for found in reversed(self.findings) if found.cure}
        lines: list[str] = []
        if self.error:
            lines.append(_line(f"{self.error['type']}: {self.error['message']}", cures.get(self._node() or "-", "")))
        for node_id, entry in self.node_errors.items():
            for problem in entry["errors"]:
                cure = cures.get(f"{node_id}.{problem['extra_info'].get('input_name')}", "")
                text = f"{node_id} ({entry['class_type']}): {problem['message']}: {problem['details']}"
                lines.append(_line(text, cure))
        return lines + [f"finding: {found}" for found in self.findings if not self._says(found)]

    def _node(self) -> str | None:
        """The node that the server refuses the whole prompt for."""
        details = self.error["details"] if self.error and self.error["type"] == "invalid_prompt" else ""
        return details.removeprefix("Node ID '#").removesuffix("'") or None

    def _says(self, found: Fault) -> bool:
        """Whether the server complains about the same place."""
        if found.where == self._node():
            return found.code != "unreachable"
        return any(
            found.where == f"{node_id}.{problem['extra_info'].get('input_name')}"
            for node_id, entry in self.node_errors.items()
            for problem in entry["errors"]
        )


def _line(text: str, cure: str) -> str:
    return f"{text.removesuffix('.')}. {cure}" if cure else text


def check_graph(prompt: Any, catalog: Catalog, *, targets: Any = None, files: Files | None = None) -> CheckResult:
    """Judges an API-format graph, of which only the outputs `targets` are asked for, if they are given.

    Without `files`, every input file is taken to exist.
    """
    said = verdict(prompt, catalog, targets=targets, files=files)
    error: Mapping[str, Any] | None = said.error
    if said.crash or said.deadly:
        kind = "server_error" if said.crash else "deadly"
        error = {"type": kind, "message": said.crash or said.deadly, "details": "", "extra_info": {}}
    return CheckResult(said.accepted and error is None, error, said.node_errors, findings(prompt, catalog))
