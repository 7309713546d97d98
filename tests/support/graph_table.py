"""Tables of small graphs that run on a real ComfyUI and through the sandbox's nodes, and what is compared of them.

A case has `nodes` by name as [class, inputs], where `@name` or `@name.1` is a link and `@rgb` and the other names of
SOURCES are input pictures, and `show`: the nodes whose results are compared. `only: sizes` leaves pixels out; `far` is
the share of values that may differ by more than TOLERANCE; `as` gives types of outputs that have none.
"""

from __future__ import annotations

import io
import time
import uuid
from typing import Any, Final

import httpx2
import numpy as np
from ops_runner import OpsRunner
from PIL import Image

from compiler.catalog import Catalog

TOLERANCE: Final = 2
"""Levels of 255 that a pixel may differ by; `far` in a case says what share of pixels may differ by more."""


def pattern(width: int, height: int, channels: int, seed: int) -> np.ndarray[Any, Any]:
    """A smooth picture with some hard edges."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    waves = [np.sin(x / (5 + k + seed) + y / (7 - k) + seed * k) * 110 + 128 for k in range(channels)]
    picture = np.stack(waves, -1)
    picture[height // 4 : height // 2, width // 3 : width // 2, : min(3, channels)] = (240, 20, 90)[: min(3, channels)]
    return np.clip(picture, 0, 255).astype(np.uint8)


def sources() -> dict[str, bytes]:
    """Input files by name."""
    made: dict[str, bytes] = {}
    for name, size in {"rgb": (48, 36, 3), "small": (30, 40, 3), "wide": (61, 23, 3), "rgba": (40, 32, 4)}.items():
        made[f"{name}.png"] = png(pattern(*size, seed=len(made)))
    frames = [Image.fromarray(pattern(24, 20, 3, seed)) for seed in range(3)]
    target = io.BytesIO()
    frames[0].save(target, "GIF", save_all=True, append_images=frames[1:], duration=50)
    made["moving.gif"] = target.getvalue()
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pattern(32, 24, 3, 4)).save(turned, "JPEG", exif=exif, quality=95)
    made["turned.jpg"] = turned.getvalue()
    deep = io.BytesIO()
    Image.fromarray(pattern(20, 20, 1, 3)[..., 0].astype(np.uint16) * 257).save(deep, "PNG")
    made["deep.png"] = deep.getvalue()
    grey = io.BytesIO()
    Image.fromarray(pattern(20, 20, 1, 2)[..., 0]).save(grey, "PNG")
    made["grey.png"] = grey.getvalue()
    palette = io.BytesIO()
    Image.fromarray(pattern(20, 16, 3, 1)).quantize(16).save(palette, "PNG", transparency=3)
    made["palette.png"] = palette.getvalue()
    return made


def png(array: np.ndarray[Any, Any]) -> bytes:
    target = io.BytesIO()
    Image.fromarray(array).save(target, "PNG")
    return target.getvalue()


def graph_of(case: dict[str, Any], catalog: Catalog) -> dict[str, Any]:
    """The case as a prompt, with a node that shows each result: a picture or a text."""
    graph: dict[str, Any] = {}
    for name, (kind, inputs) in case["nodes"].items():
        graph[name] = {"class_type": kind, "inputs": {key: link(value, graph) for key, value in inputs.items()}}
    for shown in case["show"]:
        node, slot = link(f"@{shown}", graph)
        type_ = catalog.nodes[graph[node]["class_type"]].outputs[slot][0]
        type_ = case.get("as", {}).get(shown, type_)
        label = f"show {shown}"
        if type_ == "MASK":
            graph[f"picture {shown}"] = {"class_type": "MaskToImage", "inputs": {"mask": [node, slot]}}
            node, slot = f"picture {shown}", 0
        if type_ in ("IMAGE", "MASK"):
            inputs = {"images": [node, slot], "filename_prefix": "parity/x"}
            graph[label] = {"class_type": "SaveImage", "inputs": inputs}
        else:
            graph[label] = {"class_type": "PreviewAny", "inputs": {"source": [node, slot]}}
    return graph


def link(value: Any, graph: dict[str, Any]) -> Any:
    if not (isinstance(value, str) and value.startswith("@")):
        return value
    name, _, slot = value[1:].partition(".")
    files = {file.partition(".")[0]: file for file in SOURCES}
    if name in files and name not in graph:
        graph[name] = {"class_type": "LoadImage", "inputs": {"image": files[name]}}
    return [name, int(slot or 0)]


SOURCES: Final = sources()


def run_real(comfy: httpx2.Client, graph: dict[str, Any]) -> dict[str, Any]:
    """History outputs of one run; fails with ComfyUI's message."""
    answer = comfy.post("/prompt", json={"prompt": graph, "client_id": uuid.uuid4().hex})
    assert answer.status_code == 200, answer.text
    assert not answer.json()["node_errors"], answer.text
    ident = answer.json()["prompt_id"]
    for _ in range(1200):
        entry = comfy.get(f"/history/{ident}").json().get(ident)
        if entry:
            assert entry["status"]["status_str"] == "success", entry["status"]["messages"][-1][1]
            return entry["outputs"]
        time.sleep(0.02)
    raise AssertionError("no end of the run")


def pictures_real(comfy: httpx2.Client, shown: dict[str, Any]) -> list[np.ndarray[Any, Any]]:
    return [np.asarray(Image.open(io.BytesIO(comfy.get("/view", params=file).content))) for file in shown["images"]]


def pictures_ours(sandbox: OpsRunner, shown: Any) -> list[np.ndarray[Any, Any]]:
    folder = sandbox.root / "output"
    return [np.asarray(Image.open(folder / file["subfolder"] / file["filename"])) for file in shown["images"]]


def differences(real: np.ndarray[Any, Any], ours: np.ndarray[Any, Any]) -> tuple[int, float]:
    """The largest difference in levels, and the share of values that differ by more than the tolerance."""
    apart = np.abs(real.astype(int) - ours.astype(int))
    return int(apart.max()), float((apart > TOLERANCE).mean())


def compare(case: dict[str, Any], comfy: httpx2.Client, catalog: Catalog, sandbox: OpsRunner) -> None:
    """Runs a case on both. Errors: AssertionError with what differs."""
    graph = graph_of(case, catalog)
    real = run_real(comfy, graph)
    ours = sandbox.run(graph)
    for shown in case["show"]:
        label = f"show {shown}"
        if graph[label]["class_type"] == "PreviewAny":
            assert (ours[label].ui or {})["text"] == real[label]["text"], shown
            continue
        theirs, mine = pictures_real(comfy, real[label]), pictures_ours(sandbox, ours[label].ui)
        assert [one.shape for one in mine] == [one.shape for one in theirs], shown
        if case.get("only") == "sizes":
            continue
        for number, (one, other) in enumerate(zip(theirs, mine, strict=True)):
            most, far = differences(one, other)
            assert far <= case.get("far", 0.0), f"{shown} #{number}: up to {most} levels apart, {far:.2%} of the values"
