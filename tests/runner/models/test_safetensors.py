"""Only files that are safetensors to the last byte are taken."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from civitai_double import safetensors

from runner.models.safetensors import NotSafetensors, check_safetensors


def with_header(header: object, data: bytes = b"\0\0") -> bytes:
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + data


def zipped(path: Path) -> bytes:
    """What torch.save writes: a zip with a pickle inside."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": [1.0]}))
    return path.read_bytes()


ROW = {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}
WRONG: dict[str, Callable[[Path], bytes]] = {
    "empty": lambda path: b"",
    "a pickle": lambda path: pickle.dumps({"weight": [1.0] * 100}),
    "torch's zip": zipped,
    "a web page": lambda path: b"<!DOCTYPE html><html>" + b" " * 500,
    "cut off": lambda path: safetensors()[:-1],
    "with bytes behind": lambda path: safetensors() + b"\0",
    "no JSON": lambda path: struct.pack("<Q", 4) + b"nope" + b"\0" * 8,
    "a list": lambda path: with_header([1]),
    "no tensor": lambda path: with_header({"__metadata__": {}}, b""),
    "no offsets": lambda path: with_header({"a": {"dtype": "F16", "shape": [1]}}),
    "offsets of text": lambda path: with_header({"a": ROW | {"data_offsets": ["0", "2"]}}),
    "backward offsets": lambda path: with_header({"a": ROW | {"data_offsets": [2, 0]}}),
    "a header larger than the file": lambda path: struct.pack("<Q", 2**40) + b"{}",
    "a deep header": lambda path: struct.pack("<Q", 20000) + b"[" * 20000,
}


def test_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(safetensors(3))
    assert check_safetensors(tmp_path / "a") == 3
    (tmp_path / "b").write_bytes(with_header({"a": ROW}))
    assert check_safetensors(tmp_path / "b") == 1


@pytest.mark.parametrize("name", WRONG)
def test_others(name: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(WRONG[name](tmp_path / "z"))
    with pytest.raises(NotSafetensors):
        check_safetensors(tmp_path / "a")
