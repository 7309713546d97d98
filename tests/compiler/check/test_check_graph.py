"""What our own check finds where the server is silent, and the two forms of a result."""

from __future__ import annotations

from typing import Any

import pytest

from compiler import shipped_catalog
from compiler.check import check_graph

IMAGE = {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}}
OUT = {"class_type": "PreviewImage", "inputs": {"images": ["image", 0]}}


def graph(**nodes: Any) -> dict[str, Any]:
    made = {"image": IMAGE, "out": OUT}
    return made | {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


def codes(prompt: Any, version: str = "0.8.0") -> list[str]:
    return sorted(f"{found.where} {found.code}" for found in check_graph(prompt, shipped_catalog(version)).findings)


def test_a_right_graph_gives_nothing() -> None:
    result = check_graph(graph(), shipped_catalog("0.8.0"))
    assert result.to_json() == {"valid": True, "error": None, "node_errors": {}, "findings": []}
    assert result.to_text() == []


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ({"stray": ("ImageInvert", {"image": ["image", 0]})}, ["stray unreachable"]),
        ({"out": ("PreviewImage", {"images": ["image", 0], "imagez": 1})}, ["out.imagez unknown_input"]),
        ({"see": ("PreviewAny", {"source": ["missing", 0]})}, ["see.source invalid"]),
        (
            {
                "batch": ("BatchImagesNode", {"images.image0": ["image", 0]}),
                "see": ("PreviewImage", {"images": ["batch", 0]}),
            },
            ["batch.images too_few_slots"],
        ),
    ],
)
def test_what_the_server_does_not_say(nodes: dict[str, Any], expected: list[str]) -> None:
    assert codes(graph(**nodes)) == expected


def test_a_value_outside_a_new_combo_is_found_for_the_server_that_does_not_look() -> None:
    inputs = {"string_a": "a", "string_b": "b", "mode": "nope", "case_sensitive": True}
    prompt = graph(compare=("StringCompare", inputs), see=("PreviewAny", {"source": ["compare", 0]}))
    result = check_graph(prompt, shipped_catalog("0.3.64"))
    assert result.valid
    assert [found.where for found in result.findings] == ["compare.mode"]


def test_a_ring_is_named_where_the_server_says_nothing() -> None:
    prompt = graph(a=("ImageInvert", {"image": ["b", 0]}), b=("ImageInvert", {"image": ["a", 0]}))
    prompt["out"] = {"class_type": "PreviewImage", "inputs": {"images": ["a", 0]}}
    result = check_graph(prompt, shipped_catalog("0.8.0"))
    assert not result.valid
    assert result.node_errors == {}
    assert any("a" in found.where or "a" in found.what for found in result.findings)


def test_a_deadly_prompt_is_invalid_though_the_server_would_take_it() -> None:
    result = check_graph({**graph(), "3": {"class_type": "EmptyImage"}}, shipped_catalog("0.8.0"))
    assert not result.valid
    assert result.error is not None
    assert result.error["type"] == "deadly"


@pytest.mark.parametrize("meta", [5, "x", [], None, {"title": 7}], ids=str)
def test_what_stands_in_meta_is_nobodys_business(meta: Any) -> None:
    prompt = graph()
    prompt["out"] = {**OUT, "_meta": meta}
    assert check_graph(prompt, shipped_catalog("0.8.0")).to_text() == []


def test_what_is_no_graph_at_all() -> None:
    result = check_graph("text", shipped_catalog("0.8.0"))
    assert not result.valid
    assert result.error is not None
    assert result.error["type"] == "server_error"


def test_lines_for_people_name_node_input_and_fault() -> None:
    prompt = graph(scale=("ImageScale", {"image": ["image", 0], "upscale_method": "area", "width": -1, "height": 8}))
    prompt["out"] = {"class_type": "PreviewImage", "inputs": {"images": ["scale", 0]}}
    lines = check_graph(prompt, shipped_catalog("0.8.0")).to_text()
    assert lines[0] == "prompt_outputs_failed_validation: Prompt outputs failed validation"
    assert "scale (ImageScale): Value -1 smaller than min of 0: width" in lines
    assert "scale (ImageScale): Required input is missing: crop" in lines


def test_an_unknown_class_has_a_hint() -> None:
    result = check_graph(graph(scale=("ImageScal", {"image": ["image", 0]})), shipped_catalog("0.8.0"))
    assert result.to_text()[0] == (
        "invalid_prompt: Cannot execute because node ImageScal does not exist. Did you mean 'ImageScale'?"
    )
    assert [found["server"] for found in result.to_json()["findings"]] == [True, False]


def test_what_the_server_says_is_said_once_and_with_a_cure() -> None:
    inputs = {"image": ["image", 0], "upscale_method": "aria", "width": 8, "height": 8, "crop": "disabled"}
    prompt = graph(scale=("ImageScale", inputs), out=("PreviewImage", {"images": ["scale", 0], "imagez": 1}))
    result = check_graph(prompt, shipped_catalog("0.8.0"))
    choices = "['nearest-exact', 'bilinear', 'area', 'bicubic', 'lanczos']"
    assert result.to_text() == [
        "prompt_outputs_failed_validation: Prompt outputs failed validation",
        f"scale (ImageScale): Value not in list: upscale_method: 'aria' not in {choices}. Did you mean 'area'?",
        "finding: out.imagez: PreviewImage has no such input. Did you mean 'images'?",
    ]
    assert {found["code"]: found["server"] for found in result.to_json()["findings"]} == {
        "value_not_in_list": True,
        "unknown_input": False,
    }
