"""Websocket frames as values: one table for text, one for binary, and what must not stop a job."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from runner.engine.base import (
    Began,
    Cached,
    Ending,
    EngineFile,
    NodeBegan,
    NodeOutput,
    NodeProgress,
    Note,
    Preview,
)
from runner.engine.frames import Ended, FrameReader, Settled, Status

P = "11111111-0000-0000-0000-000000000001"
FILE = {"filename": "a.png", "subfolder": "s", "type": "temp"}
JPEG, PNG = b"\xff\xd8\xff\xe0jpeg", b"\x89PNGpng"


def text(kind: str, **data: Any) -> str:
    return json.dumps({"type": kind, "data": data})


def state(value: float, top: float, how: str) -> dict[str, Any]:
    return {"value": value, "max": top, "state": how, "node_id": "3", "prompt_id": P}


def binary(event: int, *parts: bytes | int) -> bytes:
    return struct.pack(">I", event) + b"".join(
        struct.pack(">I", part) if isinstance(part, int) else part for part in parts
    )


def metadata(**facts: Any) -> bytes:
    head = json.dumps({"node_id": "3", "prompt_id": P, "image_type": "image/png", **facts}).encode()
    return struct.pack(">I", len(head)) + head


TEXT = [
    (text("status", status={"exec_info": {"queue_remaining": 2}}, sid="c"), (Status(2, "c"),)),
    (text("status", status={"exec_info": {"queue_remaining": 0}}), (Status(0),)),
    (text("execution_start", prompt_id=P, timestamp=1), (Began(P),)),
    (text("execution_cached", nodes=["1", "2"], prompt_id=P, timestamp=1), (Cached(P, ("1", "2")),)),
    (text("executing", node="5:2", display_node="5", prompt_id=P), (NodeBegan(P, "5:2"),)),
    (text("executing", node=None, prompt_id=P), (Settled(P),)),
    (text("progress", value=3, max=20, prompt_id=P, node="3"), (NodeProgress(P, "3", 3.0, 20.0),)),
    (text("progress_state", prompt_id=P, nodes={"3": state(1, 1, "finished")}), (NodeProgress(P, "3", 1, 1, True),)),
    (text("executed", node="9", display_node="9", output=None, prompt_id=P), (NodeOutput(P, "9", ()),)),
    (
        text(
            "executed",
            node="9",
            output={"images": [{"filename": "a.png", "subfolder": "s", "type": "temp"}]},
            prompt_id=P,
        ),
        (NodeOutput(P, "9", (EngineFile("a.png", "s", "temp"),)),),
    ),
    (text("execution_success", prompt_id=P, timestamp=1), (Ended(P, Ending.SUCCESS),)),
    (text("execution_error", prompt_id=P, node_id="3", traceback=["secret"]), (Ended(P, Ending.ERROR),)),
    (text("execution_interrupted", prompt_id=P, node_id="3", executed=[]), (Ended(P, Ending.INTERRUPTED),)),
]


@pytest.mark.parametrize(("frame", "expected"), TEXT)
def test_text_frames(frame: str, expected: tuple[object, ...]) -> None:
    assert FrameReader().read(frame) == expected


BINARY = [
    (binary(1, 1, JPEG), Preview(P, "", "image/jpeg", JPEG)),
    (binary(1, 2, PNG), Preview(P, "", "image/png", PNG)),
    (binary(4, metadata(), PNG), Preview(P, "3", "image/png", PNG)),
    (binary(4, metadata(image_type="image/jpeg", prompt_id="other"), JPEG), Preview("other", "3", "image/jpeg", JPEG)),
    (binary(3, 1, b"7", "Zeit: 3 s ✓".encode()), Note("7", "Zeit: 3 s ✓", P)),
]


@pytest.mark.parametrize(("frame", "expected"), BINARY)
def test_binary_frames_belong_to_the_running_prompt(frame: bytes, expected: object) -> None:
    reader = FrameReader()
    reader.read(text("execution_start", prompt_id=P))
    assert reader.read(frame) == (expected,)


@pytest.mark.parametrize("frame", [binary(1, 1, JPEG), binary(3, 1, b"7", b"x")])
def test_a_frame_that_names_no_prompt_means_nothing_while_none_runs(frame: bytes) -> None:
    reader = FrameReader()
    reader.read(text("execution_start", prompt_id=P))
    reader.read(text("executing", node=None, prompt_id=P))
    assert reader.read(frame) == ()


def test_progress_state_repeats_all_nodes_but_only_news_is_told() -> None:
    reader = FrameReader()
    reader.read(text("execution_start", prompt_id=P))
    first = reader.read(
        text("progress_state", prompt_id=P, nodes={"1": state(1, 1, "finished"), "3": state(0, 9, "running")})
    )
    again = reader.read(
        text("progress_state", prompt_id=P, nodes={"1": state(1, 1, "finished"), "3": state(2, 9, "running")})
    )
    assert first == (NodeProgress(P, "1", 1, 1, True), NodeProgress(P, "3", 0, 9))
    assert again == (NodeProgress(P, "3", 2, 9),)
    assert reader.read(text("progress", value=2, max=9, prompt_id=P, node="3")) == ()


def test_the_bare_executing_after_a_reconnect_is_of_the_running_prompt_or_dropped() -> None:
    assert FrameReader().read(text("executing", node="12")) == ()
    reader = FrameReader()
    reader.read(text("execution_start", prompt_id=P))
    assert reader.read(text("executing", node="12")) == (NodeBegan(P, "12"),)


def test_nan_in_a_frame_is_read() -> None:
    frame = '{"type": "progress", "data": {"value": NaN, "max": Infinity, "node": "1", "prompt_id": "p"}}'
    (event,) = FrameReader().read(frame)
    assert isinstance(event, NodeProgress)
    assert event.maximum == float("inf")


MALFORMED: list[str | bytes] = [
    "",
    "{",
    "[]",
    "null",
    "1",
    '"status"',
    '{"type": "status"}',
    '{"type": "status", "data": null}',
    '{"type": "status", "data": {"status": []}}',
    '{"type": "executing", "data": {}}',
    '{"type": "progress", "data": {"value": "x", "max": 1, "node": "1", "prompt_id": "p"}}',
    '{"type": "progress_state", "data": {"prompt_id": "p", "nodes": []}}',
    '{"type": "progress_state", "data": {"prompt_id": "p", "nodes": {"1": {}}}}',
    '{"type": "execution_cached", "data": {"prompt_id": "p", "nodes": null}}',
    '{"type": "crystools.monitor", "data": {"cpu": 3}}',
    '{"type": ["list"], "data": {}}',
    '{"type": "logs", "data": {"entries": []}}',
    "[" * 100_000,
    b"",
    b"\0",
    binary(1),
    binary(1, 9, PNG),
    binary(2, 1, JPEG),
    binary(3, 99, b"7"),
    binary(4, 5, b"{no}}", PNG),
    binary(4, 0xFFFFFFFF, b"{}"),
    binary(4, metadata(image_type="text/html"), b"<script>"),
    binary(77, b"future"),
]


@pytest.mark.parametrize("frame", MALFORMED)
def test_unknown_and_malformed_frames_mean_nothing(frame: str | bytes) -> None:
    reader = FrameReader()
    reader.read(text("execution_start", prompt_id=P))
    assert reader.read(frame) == ()
    assert reader.running == P
