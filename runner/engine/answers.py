"""What ComfyUI's HTTP answers say: the queue, a refusal, the facts of a boot. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, cast

from runner.engine.base import PromptRefused, Where
from runner.engine.redact import redact, scrub

_FACTS = ("os", "comfyui_version", "python_version", "pytorch_version", "argv")


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def array(value: Any) -> list[Any]:
    """The value if it is a JSON array, else an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def place(queue: Any, prompt_id: str) -> tuple[Where, int]:
    """Where GET /queue has a prompt, and how many are before it; UNKNOWN if it is not there.

    Items are [number, prompt_id, graph, extra_data, outputs]; waiting ones come in heap order. Graphs and extra_data
    (with partner keys, on 0.3.64) are not looked at.
    """
    running = [item[1] for item in _items(queue, "queue_running")]
    if prompt_id in running:
        return Where.RUNNING, 0
    for before, (_, waiting) in enumerate(sorted(_items(queue, "queue_pending"))):
        if waiting == prompt_id:
            return Where.PENDING, before + len(running)
    return Where.UNKNOWN, 0


def _items(queue: Any, part: str) -> list[tuple[float, str]]:
    found = (item for item in map(array, array(mapping(queue).get(part))) if len(item) > 1)
    return [(float(item[0]) if isinstance(item[0], int | float) else 0.0, str(item[1])) for item in found]


def refusal(body: Any, status: int, message: str = "", secrets: tuple[str, ...] = ()) -> PromptRefused:
    """The error for an answer of POST /prompt that is no acceptance; node_errors keep their shape."""
    answer = mapping(body)
    return PromptRefused(
        redact(message or _summary(answer, status), secrets),
        scrub(mapping(answer.get("error"))),
        scrub(mapping(answer.get("node_errors"))),
    )


def _summary(answer: Mapping[str, Any], status: int) -> str:
    """One line: the first input error of the first node, else the error itself."""
    for node_id, node in mapping(answer.get("node_errors")).items():
        for error in map(mapping, array(mapping(node).get("errors"))):
            name = mapping(error.get("extra_info")).get("input_name")
            return f"Node {node_id!r}{f', input {name!r}' if name else ''}: {error.get('message')}"
    error = mapping(answer.get("error"))
    details = f" ({error['details']})" if error.get("details") else ""
    return f"{error['message']}{details}" if error.get("message") else f"The engine answered {status}"


def facts(stats: Any) -> str:
    """A digest of what stays the same during a boot: versions, arguments and devices, not free memory."""
    system = mapping(mapping(stats).get("system"))
    devices = [mapping(device).get("name") for device in array(mapping(stats).get("devices"))]
    return hashlib.sha256(repr(([system.get(key) for key in _FACTS], devices)).encode()).hexdigest()[:12]
