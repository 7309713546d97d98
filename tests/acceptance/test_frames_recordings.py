"""The frame parser on recorded sessions of real ComfyUIs: set COMFYC_RECORDINGS to folders of *.jsonl files.

A line is `{"dir": "ws<", "client", "msg"}` for a text frame, `{"dir": "ws<", "client", "binary"}` for a summary of a
binary one, `{"dir": "http<", "path", "body"}` for an answer. Several folders are separated by the path separator.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.engine.answers import mapping
from runner.engine.base import Began, NodeBegan, NodeOutput, NodeProgress, Note, Preview
from runner.engine.frames import Ended, Frame, FrameReader, Settled, Status
from runner.engine.outputs import read_history

FOLDERS = [Path(word) for word in os.environ.get("COMFYC_RECORDINGS", "").split(os.pathsep) if word]
FILES = [
    pytest.param(file, id=f"{file.parent.parent.name}/{file.stem}")
    for d in FOLDERS
    for file in sorted(d.glob("*.jsonl"))
]

pytestmark = pytest.mark.skipif(not FILES, reason="COMFYC_RECORDINGS is not set")

MEANS = {
    "status": Status,
    "execution_start": Began,
    "executed": NodeOutput,
    "execution_success": Ended,
    "execution_error": Ended,
    "execution_interrupted": Ended,
}
BINARY_MEANS = {1: Preview, 3: Note, 4: Preview}


def events(file: Path) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in file.read_text("utf-8").splitlines())


def whole_frame(event: dict[str, Any]) -> str | bytes:
    """The frame as it was on the wire; image bytes that were not recorded are zeros."""
    if "msg" in event:
        return json.dumps(event["msg"])
    binary, head = event["binary"], bytes.fromhex(event["binary"]["head"])
    if binary["event"] == 1:
        return head.ljust(binary["len"], b"\0")
    if binary["event"] == 3:
        node, said = binary["node_id"].encode(), binary["text"].encode()
        return struct.pack(">II", 3, len(node)) + node + said
    facts = json.dumps(binary["metadata"]).encode()
    assert struct.unpack_from(">I", head, 4) == (len(facts),)
    return (struct.pack(">II", 4, len(facts)) + facts + bytes.fromhex(binary["image_head"])).ljust(binary["len"], b"\0")


def read(file: Path) -> Iterator[tuple[dict[str, Any], tuple[Frame, ...]]]:
    """Each recorded frame and what we made of it, a reader for each socket."""
    readers: dict[str, FrameReader] = {}
    for event in events(file):
        if event["dir"] == "ws<":
            yield event, readers.setdefault(event.get("client", ""), FrameReader()).read(whole_frame(event))


@pytest.mark.parametrize("file", FILES)
def test_every_frame_means_what_it_says(file: Path) -> None:
    for event, frames in read(file):
        if "msg" in event:
            kind, data = event["msg"]["type"], event["msg"]["data"]
            if kind == "executing" and data.get("prompt_id"):
                assert isinstance(frames[0], Settled if data["node"] is None else NodeBegan)
            elif kind in MEANS:
                assert [type(frame) for frame in frames] == [MEANS[kind]]
            elif kind in ("progress", "progress_state"):
                assert all(isinstance(frame, NodeProgress) for frame in frames)
        elif frames or event["binary"]["event"] == 4:  # 1 and 3 name no prompt: of somebody else's they mean nothing
            (frame,) = frames
            assert isinstance(frame, BINARY_MEANS[event["binary"]["event"]])


@pytest.mark.parametrize("file", FILES)
def test_a_prompt_begins_ends_and_settles_once_in_this_order(file: Path) -> None:
    order: dict[tuple[str, str], list[str]] = {}
    for event, frames in read(file):
        for frame in frames:
            if isinstance(frame, Began | Ended | Settled):
                order.setdefault((event.get("client", ""), frame.prompt_id), []).append(type(frame).__name__)
    for steps in order.values():
        whole = ["Began", "Ended", "Settled"] * (steps.count("Began") or 1)
        # cut off, recorded from the middle, or the broadcast end of a prompt that was posted without client_id
        assert steps in (whole[: len(steps)], whole[-len(steps) :], ["Ended"])


@pytest.mark.parametrize("file", FILES)
def test_history_agrees_with_the_socket(file: Path) -> None:
    ends = {frame.prompt_id: frame.ending for _, frames in read(file) for frame in frames if isinstance(frame, Ended)}
    said = [(frame.prompt_id, frame) for _, frames in read(file) for frame in frames if isinstance(frame, NodeOutput)]
    for event in events(file):
        if event["dir"] != "http<" or not str(event.get("path", "")).startswith("/history"):
            continue
        for prompt_id, entry in mapping(event.get("body")).items():
            if not isinstance(entry, dict) or "outputs" not in entry:
                continue
            outcome = read_history(entry)
            assert outcome.ending is ends.get(prompt_id, outcome.ending)
            assert "/comfyui/" not in outcome.message
            shown = {file for files in outcome.files.values() for file in files}
            if prompt_id in ends and [p for p, _ in said].count(prompt_id) == len(entry["outputs"]):
                assert shown == {file for p, output in said if p == prompt_id for file in output.files}
