"""ComfyUI's websocket frames as values: text JSON and the binary events 1, 3 and 4. Pure; no socket here.

Recorded on ComfyUI 0.3.64 and 0.8.0. A frame that is unknown or malformed yields nothing: a newer server, or a node
pack that sends frames of its own, must not stop a job.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from runner.engine.base import (
    Began,
    Cached,
    Ending,
    EngineEvent,
    NodeBegan,
    NodeOutput,
    NodeProgress,
    Note,
    Preview,
)
from runner.engine.outputs import read_output


@dataclass(frozen=True, slots=True)
class Status:
    """status: how many prompts run or wait, everybody's; `sid` only in the first frame of a socket."""

    remaining: int
    sid: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """execution_success, _error or _interrupted. History may not have the prompt yet: wait for `Settled`."""

    prompt_id: str
    ending: Ending


@dataclass(frozen=True, slots=True)
class Settled:
    """executing with node null: the last frame of a prompt, sent after history was written."""

    prompt_id: str


Frame: TypeAlias = EngineEvent | Status | Ended | Settled

_ENDINGS: Final = {
    "execution_success": Ending.SUCCESS,
    "execution_error": Ending.ERROR,
    "execution_interrupted": Ending.INTERRUPTED,
}
_PREVIEW, _TEXT, _PREVIEW_WITH_METADATA = 1, 3, 4
_IMAGE_FORMATS: Final = {1: "image/jpeg", 2: "image/png"}
_IMAGE_TYPES: Final = frozenset({"image/jpeg", "image/png", "image/webp"})


class FrameReader:
    """Reads one socket's frames in order.

    It remembers which prompt runs, for the frames that do not say (binary 1 and 3, and the bare `executing` after a
    reconnect), and what it has told of each node, since progress_state repeats all nodes every time.
    """

    def __init__(self) -> None:
        self.running = ""
        self._told: dict[str, tuple[float, float, bool]] = {}

    def read(self, frame: str | bytes) -> tuple[Frame, ...]:
        """The meaning of one frame; empty if it has none for us."""
        try:
            return self._binary(frame) if isinstance(frame, bytes) else self._text(frame)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, struct.error, RecursionError):
            return ()

    # --- text --------------------------------------------------------------------------------------------------

    def _text(self, frame: str) -> tuple[Frame, ...]:
        message = json.loads(frame)  # takes bare NaN and Infinity, which ComfyUI sends
        kind, data = message["type"], message["data"]
        read = _READERS.get(kind)
        return read(self, data) if read else ()

    def _status(self, data: Mapping[str, Any]) -> tuple[Frame, ...]:
        return (Status(int(data["status"]["exec_info"]["queue_remaining"]), str(data.get("sid") or "")),)

    def _start(self, data: Mapping[str, Any]) -> tuple[Frame, ...]:
        self._enter(str(data["prompt_id"]))
        return (Began(self.running),)

    def _cached(self, data: Mapping[str, Any]) -> tuple[Frame, ...]:
        return (Cached(str(data["prompt_id"]), tuple(str(node) for node in data["nodes"])),)

    def _executing(self, data: Mapping[str, Any]) -> tuple[Frame, ...]:
        prompt_id, node = str(data.get("prompt_id") or self.running), data["node"]
        if not prompt_id:
            return ()
        if node is None:
            if prompt_id == self.running:
                self._enter("")
            return (Settled(prompt_id),)
        return (NodeBegan(prompt_id, str(node)),)

    def _progress_state(self, data: Mapping[str, Any]) -> tuple[Frame, ...]:
        prompt_id = str(data["prompt_id"])
        found = (
            self._progressed(prompt_id, str(node), state["value"], state["max"], state["state"] == "finished")
            for node, state in cast("dict[str, Any]", data["nodes"]).items()
        )
        return tuple(event for event in found if event)

    def _progress(self, data: Mapping[str, Any]) -> tuple[Frame, ...]:
        prompt_id = str(data.get("prompt_id") or self.running)
        event = self._progressed(prompt_id, str(data["node"]), data["value"], data["max"], done=False)
        return (event,) if event and prompt_id else ()

    def _progressed(self, prompt_id: str, node: str, value: float, top: float, done: bool) -> NodeProgress | None:
        now = (float(value), float(top), done)
        if prompt_id == self.running:  # a broadcast of somebody else's prompt is not worth remembering
            if self._told.get(node) == now:
                return None
            self._told[node] = now
        return NodeProgress(prompt_id, node, *now)

    def _executed(self, data: Mapping[str, Any]) -> tuple[Frame, ...]:
        files, text = read_output(data.get("output"))
        return (NodeOutput(str(data["prompt_id"]), str(data["node"]), files, text),)

    def _enter(self, prompt_id: str) -> None:
        self.running = prompt_id
        self._told.clear()

    # --- binary ------------------------------------------------------------------------------------------------

    def _binary(self, frame: bytes) -> tuple[Frame, ...]:
        (event,) = struct.unpack_from(">I", frame)
        read = _BINARY_READERS.get(event)
        return read(self, frame[4:]) if read else ()

    def _preview(self, body: bytes) -> tuple[Frame, ...]:
        (code,) = struct.unpack_from(">I", body)
        return (Preview(self.running, "", _IMAGE_FORMATS[code], body[4:]),) if self.running else ()

    def _preview_with_metadata(self, body: bytes) -> tuple[Frame, ...]:
        head, data = _split(body)
        facts = json.loads(head)
        if facts["image_type"] not in _IMAGE_TYPES:
            return ()
        return (Preview(str(facts["prompt_id"]), str(facts.get("node_id") or ""), facts["image_type"], data),)

    def _note(self, body: bytes) -> tuple[Frame, ...]:
        node, text = _split(body)
        return (Note(node.decode(), text.decode(errors="replace"), self.running),) if self.running else ()


def _split(body: bytes) -> tuple[bytes, bytes]:
    """A part with its length before it, and the rest."""
    (length,) = struct.unpack_from(">I", body)
    if length > len(body) - 4:
        raise ValueError("shorter than it says")
    return body[4 : 4 + length], body[4 + length :]


def _ended(ending: Ending) -> Callable[[FrameReader, Mapping[str, Any]], tuple[Frame, ...]]:
    return lambda _reader, data: (Ended(str(data["prompt_id"]), ending),)


# pyright: reportPrivateUsage=false
_READERS: Final[Mapping[str, Callable[[FrameReader, Mapping[str, Any]], tuple[Frame, ...]]]] = {
    "status": FrameReader._status,
    "execution_start": FrameReader._start,
    "execution_cached": FrameReader._cached,
    "executing": FrameReader._executing,
    "progress_state": FrameReader._progress_state,
    "progress": FrameReader._progress,
    "executed": FrameReader._executed,
    **{kind: _ended(ending) for kind, ending in _ENDINGS.items()},
}
_BINARY_READERS: Final[Mapping[int, Callable[[FrameReader, bytes], tuple[Frame, ...]]]] = {
    _PREVIEW: FrameReader._preview,
    _TEXT: FrameReader._note,
    _PREVIEW_WITH_METADATA: FrameReader._preview_with_metadata,
}
