"""API graph → workflow → API graph: the same; and what a person sees of it."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from compiling import compiled, library, target
from hypothesis import given
from hypothesis import strategies as st

from compiler import shipped_catalog, shipped_versions
from compiler.graph import api_json
from compiler.shipped import CATALOGS
from compiler.template.expand import expand
from compiler.template.library import Template
from compiler.template.manifest import Example
from compiler.template.skeleton import complete
from compiler.workflow import WorkflowError, convert, kind_of, to_ui
from compiler.workflow.texts import dynamic_prompt, literal_prompt

HERE = Path(__file__).parent
GOLDENS = sorted((HERE.parent / "golden").glob("*/*.yaml"))
EXAMPLES = [(one, example) for one in library().templates.values() for example in one.manifest.examples]
EVERYTHING = target("+".join(["0.8.0", "comfyc", *sorted(path.stem for path in (CATALOGS / "packs").glob("*.json"))]))
CASES = [
    pytest.param(case["api"], version, id=f"{path.stem}: {case['name']} {version}")
    for path in sorted((HERE / "cases").glob("*.yaml"))
    for case in yaml.safe_load(path.read_text())
    for version in ([case["only"]] if "only" in case else shipped_versions())
    if case.get("api") and not case.get("errors")
]


def returned(api: dict[str, Any], version: str) -> dict[str, Any]:
    workflow = to_ui(api, target(version))
    assert kind_of(workflow) == "ui"
    return convert(workflow, target(version)).api


def untitled(api: dict[str, Any]) -> dict[str, Any]:
    return {node_id: (node["class_type"], node["inputs"]) for node_id, node in api.items()}


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_golden_comes_back(path: Path) -> None:
    case: dict[str, Any] = yaml.safe_load(path.read_text())
    version = case.get("catalog", "0.3.64")
    api = compiled(case["request"], version, path.parent.name).api
    assert untitled(returned(api, version)) == untitled(api)


@pytest.mark.parametrize("value", [[], [[1]], [{}], ["2"], ["1", 0, 0], {"a": []}, None], ids=str)
def test_inputs_that_the_class_does_not_know_come_back(value: Any) -> None:
    inputs = {"width": 512, "height": 512, "batch_size": 1, "more": value}
    api = {"1": {"class_type": "EmptyLatentImage", "inputs": inputs}}
    assert untitled(returned(api, "0.8.0")) == untitled(api)


@pytest.mark.parametrize(("template", "example"), EXAMPLES, ids=[f"{t.id}: {e.title}" for t, e in EXAMPLES])
def test_every_template_comes_back(template: Template, example: Example) -> None:
    stack = library().stack(example.stack) if example.stack else None
    profile = stack.profiles.get(example.profile or stack.default_profile) if stack else None
    facts = {**(stack.model_dump() if stack else {}), **(profile.model_dump() if profile else {}), **example.params}
    params = complete(template.manifest.params, facts, template.id)
    api = api_json.emit(expand(template, params, example.outputs))
    assert untitled(convert(to_ui(api, EVERYTHING), EVERYTHING).api) == untitled(api)


@pytest.mark.parametrize(("short", "version"), CASES)
def test_every_converted_case_comes_back(short: dict[str, Any], version: str) -> None:
    api = {node_id: {"class_type": kind, "inputs": inputs} for node_id, (kind, inputs) in short.items()}
    assert untitled(returned(api, version)) == untitled(api)


def test_titles_come_back() -> None:
    api = {"a": {"class_type": "EmptyImage", "inputs": {"width": 8}, "_meta": {"title": "Canvas"}}}
    assert returned(api, "0.8.0") == api


@pytest.mark.parametrize("seed", [2**53 + 1, 2**64 - 1])
def test_a_seed_beyond_2_53_is_kept_until_it_is_changed(seed: int) -> None:
    api = {"1": {"class_type": "RandomNoise", "inputs": {"noise_seed": seed}}}
    workflow = to_ui(api, target("0.8.0"))
    assert convert(workflow, target("0.8.0")).api["1"]["inputs"] == {"noise_seed": seed}
    workflow["nodes"][0]["widgets_values"][0] = 5
    assert convert(workflow, target("0.8.0")).api["1"]["inputs"] == {"noise_seed": 5}


def test_an_input_left_out_appears_when_it_is_changed() -> None:
    api = {"1": {"class_type": "EmptyImage", "inputs": {"width": 8}}}
    workflow = to_ui(api, target("0.8.0"))
    assert workflow["nodes"][0]["widgets_values"] == [8, 512, 1, 0]
    assert convert(workflow, target("0.8.0")).api["1"]["inputs"] == {"width": 8}
    workflow["nodes"][0]["widgets_values"][1] = 16
    assert convert(workflow, target("0.8.0")).api["1"]["inputs"] == {"width": 8, "height": 16}


def test_slots_that_an_autogrow_leaves_out() -> None:
    picture = {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}}
    links = {"images.image0": ["1", 0], "images.image2": ["1", 0], "images.image5": ["1", 0]}
    api = {"1": picture, "2": {"class_type": "BatchImagesNode", "inputs": links}}
    assert untitled(returned(api, "0.8.0")) == untitled(api)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"class_type": "NoSuch", "inputs": {}}, "node 1 (NoSuch): the class 'NoSuch' is not known"),
        ({"class_type": "KSamplr", "inputs": {}}, "Did you mean 'KSampler'?"),
        ({"inputs": {}}, "node 1: has no class_type or no inputs"),
        ({"class_type": "VAEDecode", "inputs": {"samples": ["7", 0]}}, "input 'samples' is linked to node 7"),
        ({"class_type": "VAEDecode", "inputs": {"samples": ["1", 10**9]}}, "output number 1000000000 of node 1"),
        ({"class_type": "VAEDecode", "inputs": {"samples": 5}}, "samples: the page has no widget for this input"),
    ],
)
def test_what_cannot_be_shown(node: dict[str, Any], expected: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        to_ui({"1": node}, shipped_catalog())
    assert expected in str(caught.value)


@pytest.mark.parametrize("path", GOLDENS[::6], ids=lambda path: path.stem)
def test_a_person_can_read_it(path: Path) -> None:
    case: dict[str, Any] = yaml.safe_load(path.read_text())
    version = case.get("catalog", "0.3.64")
    workflow = to_ui(compiled(case["request"], version, path.parent.name).api, target(version))
    boxes = {node["id"]: (*node["pos"], *node["size"]) for node in workflow["nodes"]}
    for (x, y, wide, high), (left, top, width, height) in combinations(boxes.values(), 2):
        assert x + wide <= left or left + width <= x or y + high <= top or top + height <= y
    for _, source, _, consumer, _, _ in workflow["links"]:
        assert boxes[source][0] + boxes[source][2] < boxes[consumer][0]


@given(st.text(alphabet="a{}|\\/* \n", max_size=12).filter(lambda text: not text.endswith("\\")))
def test_any_text_passes_the_page_unchanged(text: str) -> None:
    assert dynamic_prompt(literal_prompt(text))[0] == text
