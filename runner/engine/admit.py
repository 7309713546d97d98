"""What must never reach a ComfyUI: prompts that it accepts with 200 and that then end its worker thread. Pure.

After one of these the HTTP side stays up and nothing runs ever again (seen on 0.3.64 and 0.8.0). The answer has the
shape of ComfyUI's own 400.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, cast

from runner.engine.answers import mapping
from runner.engine.base import PromptRefused, Submission


def admit(submission: Submission) -> None:
    """Returns if the submission is safe to send. Errors: PromptRefused with node_errors."""
    if not submission.prompt_id or not isinstance(cast("object", submission.prompt_id), str):
        raise _refusal("prompt_id must be a non-empty text", {})
    if submission.number is not None and not isfinite(submission.number):
        raise _refusal("number must be finite", {})
    if not submission.prompt:
        raise _refusal("The graph is empty", {})
    faults = {node_id: list(_faults(node, submission.prompt)) for node_id, node in submission.prompt.items()}
    errors = {
        node_id: {
            "errors": found,
            "dependent_outputs": [],
            "class_type": str(mapping(submission.prompt[node_id]).get("class_type") or ""),
        }
        for node_id, found in faults.items()
        if found
    }
    if errors:
        node_id = next(iter(errors))
        raise _refusal(f"Node {node_id!r}: {faults[node_id][0]['message']}", errors)


def _faults(node: Any, prompt: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    fact = mapping(node)
    if not isinstance(fact.get("class_type"), str):
        yield _fault("missing_node_type", "the node has no class_type", "class_type")
    if not isinstance(fact.get("inputs"), dict):
        yield _fault("required_input_missing", "the node has no inputs", "inputs")
    for name, value in mapping(fact.get("inputs")).items():
        if _is_link(value) and value[0] not in prompt:
            yield _fault("bad_linked_input", f"input {name!r} links to a node that is not in the graph", name)


def _is_link(value: Any) -> bool:
    """What ComfyUI takes for a link: a list of a text and a number."""
    if not isinstance(value, list | tuple):
        return False
    parts = cast("list[Any]", value)
    return len(parts) == 2 and isinstance(parts[0], str) and isinstance(parts[1], int | float)


def _fault(kind: str, message: str, name: str) -> dict[str, Any]:
    return {"type": kind, "message": message, "details": name, "extra_info": {"input_name": name}}


def _refusal(message: str, node_errors: Mapping[str, Any]) -> PromptRefused:
    kind = "prompt_outputs_failed_validation" if node_errors else "invalid_prompt"
    error: dict[str, Any] = {"type": kind, "message": message, "details": "", "extra_info": {}}
    return PromptRefused(message, error, node_errors)
