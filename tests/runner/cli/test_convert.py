"""`comfyc convert`: where it reads and writes, what it says, how it ends."""

from __future__ import annotations

import io
import json
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from workflows import workflow

from runner.cli import main

BLUR = workflow(
    {
        "nodes": {
            1: {"type": "EmptyImage", "values": [64, 48, 1, 0]},
            2: {"type": "SaveImage", "values": ["t"], "in": {"images": [1, 0]}},
        }
    }
)
GRAPH: dict[str, Any] = {
    "1": {
        "inputs": {"width": 64, "height": 48, "batch_size": 1, "color": 0},
        "class_type": "EmptyImage",
        "_meta": {"title": "EmptyImage"},
    },
    "2": {
        "inputs": {"filename_prefix": "t", "images": ["1", 0]},
        "class_type": "SaveImage",
        "_meta": {"title": "Save Image"},
    },
}
BROKEN = workflow({"nodes": {7: {"type": "NoSuch", "title": "Mystery"}}})


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def save(name: str, document: Any) -> str:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(json.dumps(document))
    return name


def picture(name: str, **texts: Any) -> str:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    notes = b"".join(chunk(b"tEXt", key.encode() + b"\0" + json.dumps(text).encode()) for key, text in texts.items())
    Path(name).write_bytes(b"\x89PNG\r\n\x1a\n" + notes + chunk(b"IEND", b""))
    return name


def told(capsys: pytest.CaptureFixture[str]) -> tuple[Any, str]:
    out, err = capsys.readouterr()
    return (json.loads(out) if out.startswith("{") else out), err


def test_one_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", save("a.json", BLUR)]) == 0
    assert told(capsys) == (GRAPH, "")


def test_a_graph_becomes_a_workflow_and_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", save("a.json", GRAPH)]) == 0
    made, _ = told(capsys)
    assert [node["type"] for node in made["nodes"]] == ["EmptyImage", "SaveImage"]
    assert main(["convert", save("b.json", made), "--to", "api"]) == 0
    assert told(capsys)[0] == GRAPH


def test_stdin_and_the_body_of_a_prompt(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({"prompt": GRAPH, "client_id": "x"}).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(body)))
    assert main(["convert", "-", "--to", "api"]) == 0
    assert told(capsys)[0] == GRAPH


def test_several_go_to_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", save("a.json", BLUR), save("b.json", BLUR)]) == 2
    assert "--out: is missing" in told(capsys)[1]
    assert main(["convert", "a.json", "b.json", "--out", "made"]) == 0
    assert [json.loads(Path(f"made/{name}.json").read_text()) for name in "ab"] == [GRAPH, GRAPH]


def test_nothing_is_written_over_a_source(capsys: pytest.CaptureFixture[str]) -> None:
    save("a.json", BLUR)
    assert main(["convert", "a.json", "--out", "."]) == 2
    assert "would be written over another file" in told(capsys)[1]
    assert main(["convert", "a.json", save("other/a.json", BLUR), "--out", "made"]) == 2
    assert json.loads(Path("a.json").read_text()) == BLUR


def test_the_catalog_picks_the_generation(capsys: pytest.CaptureFixture[str]) -> None:
    document = workflow({"nodes": {1: {"type": "PreviewAny", "in": {"source": None}}}})
    for version, inputs in (("0.3.64", {"preview": ""}), ("0.8.0", {"preview": "", "previewMode": False})):
        assert main(["convert", save("a.json", document), "--catalog", version]) == 0
        assert told(capsys)[0]["1"]["inputs"] == inputs


def test_faults_are_named_and_the_other_files_made(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", save("bad.json", BROKEN), save("good.json", BLUR), "--out", "made"]) == 2
    err = told(capsys)[1]
    assert err.startswith(
        "comfyc: bad.json: node 7 \"Mystery\" (NoSuch): the class 'NoSuch' is not known. Give a catalog"
    )
    assert sorted(path.name for path in Path("made").iterdir()) == ["good.json"]


def test_partial_writes_what_the_page_would_send(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", save("bad.json", BROKEN), "--partial"]) == 2
    made, err = told(capsys)
    assert made == {"7": {"inputs": {}, "_meta": {"title": "Mystery"}}}
    assert "is not known" in err


def test_findings_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    document = workflow({"nodes": {1: {"type": "RandomNoise", "values": [2**60 + 1, "fixed"]}}})
    assert main(["convert", save("a.json", document)]) == 0
    assert "a.json: finding: node 1 (RandomNoise).noise_seed: 1152921504606846977 is sent as" in told(capsys)[1]


def test_dates_in_filenames(capsys: pytest.CaptureFixture[str]) -> None:
    document = workflow({"nodes": {1: {"type": "SaveImage", "values": ["%date:yyyy-MM-dd%/%width%"]}}})
    assert main(["convert", save("a.json", document)]) == 0
    made = told(capsys)[0]["1"]["inputs"]["filename_prefix"]
    assert made.endswith("/%width%")
    assert len(made) == len("2025-01-31/%width%")


def test_a_picture_gives_its_workflow(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", picture("a.png", prompt={"9": {}}, workflow=BLUR)]) == 0
    assert told(capsys)[0] == GRAPH
    assert main(["convert", picture("b.png", prompt=GRAPH), "--to", "api"]) == 0
    assert told(capsys)[0] == GRAPH


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{nodes", "is not JSON"),
        (b"\xff\xff", "is not JSON"),
        (b"[1, 2]", "is neither a workflow nor an API-format graph"),
        (b"[" * 100_000, "nests lists or objects more than 100 deep"),
        (b'{"nodes": ["' + b"x" * 10_000_000 + b'"]}', "10.0 MB; at most 8.4 MB are read"),
        (b"\x89PNG\r\n\x1a\n", "is a PNG without a workflow in it"),
    ],
)
def test_wrong_files(capsys: pytest.CaptureFixture[str], content: bytes, reason: str) -> None:
    Path("a.json").write_bytes(content)
    assert main(["convert", "a.json"]) == 2
    out, err = told(capsys)
    assert out == ""
    assert len(err.splitlines()) == 1
    assert reason in err


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "gone.json"]) == 2
    assert told(capsys)[1] == "comfyc: gone.json: No such file or directory\n"
