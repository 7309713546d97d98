"""Routes about prompts: submit, queue, history, interrupt, free."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from compiler.check.verdict import verdict
from runner.engine.sandbox import wire
from runner.engine.sandbox.core import Core
from runner.engine.sandbox.files import exists
from runner.engine.sandbox.http import answer, body, nothing
from runner.engine.sandbox.prompt_queue import Item
from runner.engine.sandbox.run import SECRETS

_NO_PROMPT: Mapping[str, Any] = {
    "type": "no_prompt",
    "message": "No prompt provided",
    "details": "No prompt provided",
    "extra_info": {},
}


class Cut(Exception):
    """The connection must be cut instead of an answer."""


class Broken(Exception):
    """The prompt makes the server's handler raise: a plain 500."""


async def submit(request: Request) -> Response:
    """POST /prompt."""
    core: Core = request.scope["core"]
    sent = await body(request)
    if core.faults.take("cut_before"):
        raise Cut
    result = accept(core, sent)
    if core.faults.take("cut_after"):
        raise Cut
    return result


def accept(core: Core, sent: Any) -> Response:
    """Validates and queues what POST /prompt was sent.

    Errors: any of Python's where the body is of the wrong kind, as on ComfyUI: the answer is a 500 then.
    """
    number = _number(core, sent)
    if "prompt" not in sent:
        return answer({"error": _NO_PROMPT, "node_errors": {}}, 400)
    prompt_id = str(sent.get("prompt_id", uuid4()))
    judged = verdict(
        sent["prompt"],
        core.catalog,
        targets=sent.get("partial_execution_targets"),
        files=lambda name: exists(name, core.folders),
    )
    if judged.crash:
        raise Broken(judged.crash)
    if not judged.accepted:
        return answer({"error": judged.error, "node_errors": judged.node_errors}, 400)
    extra: Any = sent.get("extra_data", {})
    if "client_id" in sent:
        extra["client_id"] = sent["client_id"]
    secrets: dict[str, Any] = {}
    if not core.old:
        secrets = {name: extra.pop(name) for name in SECRETS if name in extra}
        extra["create_time"] = wire.now_ms()
    core.queue.put(Item(number, prompt_id, dict(judged.prompt), extra, list(judged.outputs)), secrets)
    return answer({"prompt_id": prompt_id, "number": number, "node_errors": judged.node_errors})


def _number(core: Core, sent: Any) -> float:
    if "number" in sent:
        return float(sent["number"])
    number = -core.number if _flag(sent, "front") else core.number
    core.number += 1
    return number


async def remaining(request: Request) -> Response:
    """GET /prompt."""
    core: Core = request.scope["core"]
    return answer(core.exec_info)


async def show_queue(request: Request) -> Response:
    """GET /queue."""
    core: Core = request.scope["core"]
    running, pending = core.queue.current()
    shown = {
        "queue_running": [item.shown() for item in running],
        "queue_pending": [item.shown() for item in pending],
    }
    return answer(shown)


async def change_queue(request: Request) -> Response:
    """POST /queue: clear, delete."""
    core: Core = request.scope["core"]
    sent = await body(request)
    if _flag(sent, "clear"):
        core.queue.clear()
    if "delete" in sent:
        core.queue.delete(sent["delete"])
    return nothing()


async def interrupt(request: Request) -> Response:
    """POST /interrupt, with or without a prompt_id. A body that is no JSON counts as none."""
    core: Core = request.scope["core"]
    sent: Any = {}
    with contextlib.suppress(ValueError):
        sent = await body(request)
    prompt_id = sent.get("prompt_id")
    if not prompt_id or core.queue.is_running(prompt_id):
        core.worker.interrupt()
    return nothing()


async def free(request: Request) -> Response:
    """POST /free: flags for the worker."""
    core: Core = request.scope["core"]
    sent = await body(request)
    for flag in ("unload_models", "free_memory"):
        if sent.get(flag, False):
            core.queue.set_flag(flag, True)
    return nothing()


async def history(request: Request) -> Response:
    """GET /history?max_items&offset."""
    core: Core = request.scope["core"]
    asked = request.query_params
    max_items = int(asked["max_items"]) if asked.get("max_items") is not None else None
    offset = int(asked["offset"]) if asked.get("offset") is not None else -1
    return answer(core.queue.history(max_items, offset))


async def history_entry(request: Request) -> Response:
    """GET /history/{id}: `{}` for an unknown one, with 200."""
    core: Core = request.scope["core"]
    prompt_id = request.path_params["prompt_id"]
    entry = core.queue.entry(prompt_id)
    return answer({prompt_id: entry} if entry is not None else {})


async def change_history(request: Request) -> Response:
    """POST /history: clear, delete."""
    core: Core = request.scope["core"]
    sent = await body(request)
    if _flag(sent, "clear"):
        core.queue.forget_all()
    if "delete" in sent:
        core.queue.forget(sent["delete"])
    return nothing()


def _flag(sent: Any, name: str) -> bool:
    # Not .get(): a list or a text is a body without flags, and only a number or null fails, as on ComfyUI.
    return bool(sent[name]) if name in sent else False
