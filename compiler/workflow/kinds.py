"""Which of ComfyUI's two formats a document is in."""

from __future__ import annotations

from typing import Any, Literal

from compiler.workflow.model import mapping


def kind_of(document: Any) -> Literal["api", "ui", ""]:
    """`ui` for a workflow as the page saves it, `api` for the graph of POST /prompt, an empty string for neither."""
    body = mapping(document)
    if isinstance(body.get("nodes"), list):
        return "ui"
    return "api" if body and all("class_type" in mapping(node) for node in body.values()) else ""


def unwrapped(document: Any) -> Any:
    """The graph or workflow itself, if the document is the whole body of POST /prompt."""
    inner = mapping(mapping(document).get("prompt"))
    return inner if inner and "class_type" not in inner else document
