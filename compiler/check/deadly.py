"""Prompts that ComfyUI accepts and that then end its worker thread for good (0.3.64 and 0.8.0): never send them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast


def deadly(prompt: Mapping[str, Any], outputs: Iterable[str]) -> str:
    """Why running `outputs` of this accepted prompt would end the worker; an empty string if it would not.

    Two ways: a node, reachable or not, whose `inputs` is no object; a link to a missing node among the inputs that
    validation does not look at.
    """
    for node_id, node in prompt.items():
        if not isinstance(node.get("inputs"), dict):
            return f"node {node_id!r} has no inputs object"
    return _missing_link(prompt, outputs)


def _missing_link(prompt: Mapping[str, Any], outputs: Iterable[str]) -> str:
    waiting, met = list(outputs), set(outputs)
    while waiting:
        node_id = waiting.pop()
        for name, value in prompt[node_id]["inputs"].items():
            if not is_link(value):
                continue
            if value[0] not in prompt:
                return f"input {name!r} of node {node_id!r} links to node {value[0]!r}, which is not there"
            if value[0] not in met:
                met.add(value[0])
                waiting.append(value[0])
    return ""


def is_link(value: Any) -> bool:
    """Whether the executor takes a value for a link: a list of a node id and a number."""
    if type(value) is not list:
        return False
    pair = cast("list[Any]", value)
    return len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], (int, float))
