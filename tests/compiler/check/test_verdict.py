"""The verdict about a prompt, case by case (verdicts.yaml), and what the table cannot say."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from compiler import shipped_catalog
from compiler.catalog import InputSpec
from compiler.check.verdict import Verdict, link_fits, verdict

VERSIONS = ("0.3.64", "0.8.0")
CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "verdicts.yaml").read_text())
BASE = {
    "image": ["EmptyImage", {"width": 8, "height": 8, "batch_size": 1, "color": 0}],
    "latent": ["EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 1}],
    "mask": ["SolidMask", {"value": 1.0, "width": 8, "height": 8}],
}


def prompt_of(case: dict[str, Any]) -> Any:
    if "raw" in case:
        return case["raw"]
    nodes = {**BASE, **case["graph"]}
    return {node_id: {"class_type": kind, "inputs": inputs} for node_id, (kind, inputs) in nodes.items()}


def cases() -> list[Any]:
    return [
        pytest.param(version, case, id=f"{version}: {case['why']}")
        for case in CASES
        for version in VERSIONS
        if case.get("version", version) == version
    ]


def problems(said: Verdict) -> list[dict[str, Any]]:
    return [{"node": node, **problem} for node, entry in said.node_errors.items() for problem in entry["errors"]]


@pytest.mark.parametrize(("version", "case"), cases())
def test_a_prompt_is_judged_as_the_server_does(version: str, case: dict[str, Any]) -> None:
    known = {"here.png"}
    said = verdict(prompt_of(case), shipped_catalog(version), targets=case.get("targets"), files=known.__contains__)
    if "crash" in case:
        assert said.crash.startswith(case["crash"])
        return
    assert list(said.outputs) == case.get("outputs", [])
    assert (said.error or {}).get("type") == case.get("error")
    for part in ("message", "details"):
        if part in case:
            assert said.error is not None
            assert said.error[part] == case[part]
    found = [f"{one['node']} {one['type']} {one['details']}" for one in problems(said)]
    assert sorted(found) == sorted(case.get("node_errors", []))
    assert said.deadly == case.get("deadly", "")
    for expected, entry in zip(case.get("messages", []), problems(said), strict=False):
        assert entry["message"] == expected
    for expected, entry in zip(case.get("exceptions", []), problems(said), strict=False):
        assert entry["extra_info"]["exception_type"] == expected
    for node_id, outputs in case.get("dependent", {}).items():
        assert said.node_errors[node_id]["dependent_outputs"] == outputs
    for node_id, inputs in case.get("converted", {}).items():
        for name, value in inputs.items():
            got = said.prompt[node_id]["inputs"][name]
            assert (got, type(got)) == (value, type(value))


def test_an_error_names_the_input_its_declaration_and_the_value() -> None:
    graph = {"scale": ["ImageScale", {"image": ["image", 0], "upscale_method": "x", "width": 1, "height": 1}]}
    graph |= {"out": ["PreviewImage", {"images": ["scale", 0]}]}
    said = verdict(prompt_of({"graph": graph}), shipped_catalog("0.3.64"))
    by_type = {one["type"]: one["extra_info"] for one in problems(said)}
    choices = ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]
    assert by_type["value_not_in_list"] == {
        "input_name": "upscale_method",
        "input_config": [choices, {}],
        "received_value": "x",
    }
    assert by_type["required_input_missing"] == {"input_name": "crop"}


def test_the_prompt_that_was_given_stays_as_it_was() -> None:
    prompt = prompt_of({"graph": {"n": ["PrimitiveInt", {"value": "7"}], "out": ["PreviewAny", {"source": ["n", 0]}]}})
    said = verdict(prompt, shipped_catalog("0.8.0"))
    assert prompt["n"]["inputs"]["value"] == "7"
    assert said.prompt["n"]["inputs"]["value"] == 7


def chain(length: int) -> dict[str, Any]:
    nodes: dict[str, Any] = {"0": {"class_type": BASE["image"][0], "inputs": BASE["image"][1]}}
    for index in range(1, length):
        nodes[str(index)] = {"class_type": "ImageInvert", "inputs": {"image": [str(index - 1), 0]}}
    nodes["out"] = {"class_type": "PreviewImage", "inputs": {"images": [str(length - 1), 0]}}
    return nodes


def test_a_chain_as_long_as_python_s_stack_is_refused_and_a_shorter_one_is_not() -> None:
    assert verdict(chain(900), shipped_catalog("0.8.0")).accepted
    refused = verdict(chain(1000), shipped_catalog("0.8.0"))
    assert [one["extra_info"]["exception_type"] for one in problems(refused)] == ["RecursionError"]


def test_a_hundred_nodes_are_judged_in_milliseconds() -> None:
    prompt, catalog = chain(100), shipped_catalog("0.8.0")
    fastest = float("inf")
    for _ in range(20):
        began = time.process_time()
        verdict(prompt, catalog)
        fastest = min(fastest, time.process_time() - began)
    assert fastest < 0.02


@pytest.mark.parametrize(
    ("received", "wanted", "fits"),
    [
        ("IMAGE", "IMAGE", True),
        ("IMAGE", "MASK", False),
        ("*", "LATENT", True),
        ("LATENT", "*", True),
        ("MASK", "IMAGE,MASK", True),
        ("LATENT", "IMAGE,MASK", False),
        ("IMAGE, MASK", "MASK,LATENT", True),
        ("INT", "FLOAT", False),
        ("COMFY_MATCHTYPE_V3", "IMAGE", True),
        ("LATENT", "COMFY_MATCHTYPE_V3", True),
    ],
)
def test_which_types_fit(received: str, wanted: str, fits: bool) -> None:
    assert link_fits(received, InputSpec("x", wanted)) is fits


def test_a_plain_list_of_choices_takes_no_text_over_a_link() -> None:
    spec = InputSpec("x", "COMBO", values=("a",), listed=True)
    assert not link_fits("STRING", spec)
    assert link_fits("*", spec)
