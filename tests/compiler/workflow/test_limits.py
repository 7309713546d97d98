"""Bombs are refused quickly, and with a reason; PNGs give up their workflow."""

from __future__ import annotations

import json
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from compiler import Fault, shipped_catalog
from compiler.workflow import WorkflowError, convert, kind_of, read_json, read_png, to_ui, unwrapped
from compiler.workflow.limits import MAX_BYTES, MAX_NODES

SECONDS = 5.0
"""No bomb may take longer; they take well under one."""


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def ladder(levels: int, width: int) -> dict[str, Any]:
    """A workflow of few nodes that expands to width ** levels."""
    subgraphs = [
        {"id": f"s{n}", "name": f"s{n}", "nodes": [{"id": i, "type": f"s{n + 1}"} for i in range(width)], "links": []}
        for n in range(levels)
    ]
    subgraphs.append({"id": f"s{levels}", "name": "end", "nodes": [{"id": 1, "type": "EmptyImage"}], "links": []})
    return {"nodes": [{"id": 1, "type": "s0"}], "links": [], "definitions": {"subgraphs": subgraphs}}


def chain(length: int) -> dict[str, Any]:
    """Reroutes in a row, from an image to a preview."""
    nodes: list[dict[str, Any]] = [{"id": 0, "type": "EmptyImage", "outputs": [{"type": "IMAGE", "links": [1]}]}]
    for n in range(1, length + 1):
        nodes.append({"id": n, "type": "Reroute", "inputs": [{"name": "", "type": "*", "link": n}]})
    nodes.append({"id": length + 1, "type": "PreviewImage", "inputs": [{"name": "images", "link": length + 1}]})
    return {"nodes": nodes, "links": [[n, n - 1, 0, n, 0, "*"] for n in range(1, length + 2)]}


BOMBS: dict[str, tuple[Callable[[], Any], str]] = {
    "large": (lambda: read_json(b'{"nodes": ["' + b"x" * MAX_BYTES + b'"]}'), "at most 8.4 MB are read"),
    "deep text": (lambda: read_json(b"[" * 200_000 + b"]" * 200_000), "more than 100 deep"),
    "deep values": (lambda: read_json(json.dumps({"nodes": nested(500)})), "more than 100 deep"),
    "deep value": (
        lambda: convert({"nodes": [{"id": 1, "type": "Note", "widgets_values": nested(50_000)}]}, shipped_catalog()),
        "node 1: nests lists or objects more than 100 deep",
    ),
    "deep graph": (lambda: to_ui({"1": nested(50_000)}, shipped_catalog()), "more than 100 deep"),
    "not JSON": (lambda: read_json(b"{nodes"), "is not JSON"),
    "no text": (lambda: read_json(b"\xff\xfe\x00"), "is not JSON"),
    "many nodes": (
        lambda: convert({"nodes": [{"id": n, "type": "Note"} for n in range(MAX_NODES + 1)]}, shipped_catalog()),
        "has 10001 nodes",
    ),
    "many links": (lambda: convert({"nodes": [], "links": [[]] * 100_001}, shipped_catalog()), "has 100001 links"),
    "many nodes in a graph": (
        lambda: to_ui({str(n): {"class_type": "Note", "inputs": {}} for n in range(MAX_NODES + 1)}, shipped_catalog()),
        "has 10001 nodes",
    ),
    "expanding": (lambda: convert(ladder(12, 10), shipped_catalog()), "once its subgraphs are expanded"),
    "deep subgraphs": (lambda: convert(ladder(40, 1), shipped_catalog()), "nests subgraphs more than 32 deep"),
    "no workflow": (lambda: convert({"1": {"class_type": "X"}}, shipped_catalog()), "has no list of nodes"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_once(name: str) -> None:
    throw, reason = BOMBS[name]
    started = time.perf_counter()
    with pytest.raises(WorkflowError) as caught:
        throw()
    assert time.perf_counter() - started < SECONDS
    assert reason in str(caught.value)


def test_long_chains_are_followed() -> None:
    api = convert(chain(5_000), shipped_catalog()).api
    assert api["5001"]["inputs"] == {"images": ["0", 0]}


@pytest.mark.parametrize(
    "raw",
    [
        {"nodes": [5]},
        {"nodes": [{"id": 1, "type": "KSampler", "inputs": 5, "outputs": "x", "widgets_values": 7, "mode": "4"}]},
        {"nodes": [{"id": 1, "type": "KSampler", "inputs": [5, {"link": []}], "properties": [], "title": 5}]},
        {"nodes": [{"id": 1, "type": "Reroute"}, {"id": 2, "type": "PrimitiveNode", "outputs": [5]}], "links": {"a": 1}
        },
        {"nodes": [{"id": 1, "type": "S"}], "definitions": {"subgraphs": [{"id": "S", "inputs": [5], "outputs": 3}]}},
        {"nodes": [{"id": 1, "type": "S"}], "definitions": {"subgraphs": [5, {"id": "S", "nodes": [7]}]}},
        {"nodes": [{"id": 1, "type": "workflow>G"}], "extra": {"groupNodes": {"G": {"nodes": [5], "links": [[1]]}}}},
        {"nodes": [{"id": 1.5, "type": "Note"}]},
        {"nodes": [{"id": 1, "type": "KSampler", "inputs": [{"name": "model", "type": nested(5000), "link": 1}]}],
         "links": [[1, nested(5000), 0, nested(5000), 0, nested(5000)]], "extra": nested(5000)},
        {"nodes": [{"id": 1, "type": "Note", "mode": True}], "links": [[1, 2, "x", 3, None, 5], ["a"], 7]},
        {"nodes": [{"id": 1, "type": "S", "properties": {"proxyWidgets": "[" * 5000}}],
         "definitions": {"subgraphs": [{"id": "S", "nodes": []}]}},
        {"nodes": [{"id": 1, "type": "EmptyLatentImage", "outputs": [{"links": [{}]}], "widgets_values": [1e999]}]},
        {"nodes": [{"id": 1, "type": "S"}], "links": [[1, 2, 1e999, 3, 0, 5]], "definitions": {"subgraphs": [
            {"id": "S", "nodes": [], "inputs": [{"linkIds": [{}]}], "outputs": [{"linkIds": [[]]}]}]}},
    ],
)  # fmt: skip
def test_nonsense_is_converted_or_refused(raw: dict[str, Any]) -> None:
    faults: tuple[Fault, ...] = ()
    try:
        api = convert(raw, shipped_catalog()).api
    except WorkflowError as error:
        api, faults = {}, error.faults
    assert all(fault.what and fault.cure for fault in faults)
    assert json.loads(json.dumps(api)) == api


def test_the_file_stays_as_it_is() -> None:
    inner: list[Any] = [
        {"type": "PrimitiveNode", "outputs": [{"links": []}], "widgets_values": [7]},
        {"type": "EmptyLatentImage", "inputs": [{"name": "width", "widget": {"name": "width"}}]},
    ]
    group = {"nodes": inner, "links": [[0, 0, 1, 0, 1, "INT"]]}
    node = {"id": 1, "type": "workflow>G", "widgets_values": [72]}
    raw = {"nodes": [node], "extra": {"groupNodes": {"G": group}}}
    before = json.dumps(raw)
    assert convert(raw, shipped_catalog()).api["1:1"]["inputs"]["width"] == 72
    assert json.dumps(raw) == before


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"nodes": [], "links": []}, "ui"),
        ({"1": {"class_type": "KSampler", "inputs": {}}}, "api"),
        ({"1": {"class_type": "KSampler"}, "version": 3}, ""),
        ({"nodes": {"class_type": "x"}}, "api"),
        ({}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_kind_of(document: Any, kind: str) -> None:
    assert kind_of(document) == kind


def test_the_body_of_a_prompt_is_unwrapped() -> None:
    graph = {"1": {"class_type": "KSampler", "inputs": {}}}
    assert unwrapped({"prompt": graph, "client_id": "x"}) == graph
    assert unwrapped({"prompt": {"class_type": "X", "inputs": {}}}) == {"prompt": {"class_type": "X", "inputs": {}}}


# --- PNG -------------------------------------------------------------------------------------------------------

WORKFLOW = {"nodes": [], "note": "ü 漢"}
GRAPH = {"1": {"class_type": "KSampler", "inputs": {}}}


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def plain(key: str, value: Any) -> bytes:
    return chunk(b"tEXt", key.encode() + b"\0" + json.dumps(value).encode())


def international(key: str, value: Any, *, packed: bool) -> bytes:
    text = json.dumps(value, ensure_ascii=False).encode()
    body = zlib.compress(text) if packed else text
    return chunk(b"iTXt", key.encode() + (b"\0\1\0" if packed else b"\0\0\0") + b"en\0" + key.encode() + b"\0" + body)


PICTURES = {
    "tEXt": (png(plain("prompt", GRAPH), plain("workflow", WORKFLOW)), WORKFLOW),
    "tEXt in UTF-8": (png(chunk(b"tEXt", b"workflow\0" + json.dumps(WORKFLOW, ensure_ascii=False).encode())), WORKFLOW),
    "zTXt": (png(chunk(b"zTXt", b"workflow\0\0" + zlib.compress(json.dumps(WORKFLOW).encode()))), WORKFLOW),
    "iTXt": (png(international("workflow", WORKFLOW, packed=False)), WORKFLOW),
    "iTXt, packed": (png(international("workflow", WORKFLOW, packed=True)), WORKFLOW),
    "a prompt alone": (png(plain("Comment", 1), plain("prompt", GRAPH)), GRAPH),
    "neither": (png(plain("parameters", "a cat")), None),
    "cut off": (png(plain("workflow", WORKFLOW))[:60], None),
    "broken packing": (png(chunk(b"zTXt", b"workflow\0\0abc")), None),
    "no PNG": (b"\xff\xd8\xff\xe0", None),
}


@pytest.mark.parametrize("name", PICTURES)
def test_read_png(name: str) -> None:
    data, expected = PICTURES[name]
    assert read_png(data) == expected


def test_a_png_that_unpacks_to_too_much() -> None:
    bomb = zlib.compress(b"[" + b" " * 20_000_000 + b"]")
    with pytest.raises(WorkflowError, match=r"at most 8.4 MB are read"):
        read_png(png(chunk(b"zTXt", b"workflow\0\0" + bomb)))


def test_a_png_whose_workflow_is_no_json() -> None:
    with pytest.raises(WorkflowError, match="the workflow in the picture: is not JSON"):
        read_png(png(chunk(b"tEXt", b"workflow\0{nodes")))
