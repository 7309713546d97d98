"""What a wrong request is told, and what a right one may hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from compiling import MEDIA, compiled, library, target

from compiler import RequestError, compile_request, parse_request, recognise

TABLES = sorted((Path(__file__).parent / "bad_requests").glob("*/*.yaml"))
CASES: list[tuple[str, dict[str, Any]]] = [
    (table.parent.name, case) for table in TABLES for case in yaml.safe_load(table.read_text())
]


@pytest.mark.parametrize(("dialect", "case"), CASES, ids=[f"{name}: {case['why']}" for name, case in CASES])
def test_every_fault_is_named_with_its_cure(dialect: str, case: dict[str, Any]) -> None:
    """bad_requests/<dialect>/*.yaml: body → faults. `operation` is that of the path it was sent to."""
    catalog = case.get("catalog", "0.3.64")
    with pytest.raises(RequestError) as caught:
        compiled(case["body"], catalog, dialect, operation=case.get("operation", ""))
    found = {(fault.where, fault.code): str(fault) for fault in caught.value.faults}
    assert set(found) == {(where, code) for where, code, _ in case["faults"]}
    for where, code, word in case["faults"]:
        assert word in found[where, code]


@pytest.mark.parametrize("body", ["text", 5, None, [], [1]])
def test_a_body_that_is_no_object(body: Any) -> None:
    with pytest.raises(RequestError, match="not a JSON object"):
        parse_request("ext", body)


def test_an_operation_refuses_the_models_of_another() -> None:
    with pytest.raises(RequestError, match=r"model: wan22-t2i .* does not belong here. Send it to POST /api/v1/img"):
        parse_request("ext", {"model": "wan22-t2i", "prompt": "a", "duration": 1}, operation="video")


def test_whole_floats_are_integers_as_in_json_schema() -> None:
    _, request = parse_request("ext", {"model": "wan22-t2v", "prompt": "a", "duration": 2.0})
    assert request.model_dump(exclude_unset=True) == {"model": "wan22-t2v", "prompt": "a", "duration": 2}


def test_a_stored_request_compiles_to_the_same_bytes() -> None:
    body = {"model": "wan22-i2v", "prompt": "a", "duration": 1, "file_id": "wide.png", "loop": True, "odd": 1}
    provider, request = parse_request("ext", body)
    request = provider.with_seed(request, 99)
    stored = json.loads(json.dumps(request.model_dump(mode="json", exclude_unset=True)))
    again_provider, again = parse_request("ext", stored)
    graphs = [
        json.dumps(compile_request(one, two, MEDIA, library(), target("0.3.64")).api)
        for one, two in ((provider, request), (again_provider, again))
    ]
    assert graphs[0] == graphs[1]
    assert stored["seed"] == 99


def test_a_seed_is_drawn_once_and_below_the_limit() -> None:
    provider, request = parse_request("ext", {"model": "wan22-t2i", "prompt": "a"})
    seeded = provider.with_seed(request, 2**40 + 3)
    assert seeded.model_dump()["seed"] == 3
    assert provider.with_seed(seeded, 8) is seeded


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"model": "wan22-i2v"}, (("ext", "video"),)),
        ({"model": "qwen-edit-advanced"}, (("ext", "image"),)),
        ({"model": "gpt"}, ()),
        ({}, ()),
        ("x", ()),
    ],
)
def test_a_body_is_recognised_by_its_shape(body: Any, expected: tuple[tuple[str, str], ...]) -> None:
    assert recognise(body) == expected


@pytest.mark.parametrize(
    ("files", "given", "experts"),
    [
        (("mine.safetensors",), "mine", ("mine.safetensors", "mine.safetensors")),
        (("sub/mine.pt",), "sub/mine.pt", ("sub/mine.pt", "sub/mine.pt")),
        (
            ("mine_high_noise.safetensors", "mine_low_noise.safetensors"),
            "mine",
            ("mine_high_noise.safetensors", "mine_low_noise.safetensors"),
        ),
    ],
)
def test_a_lora_is_found_by_the_name_of_its_file(files: tuple[str, ...], given: str, experts: tuple[str, str]) -> None:
    lightning = tuple(f"wan2.2_t2v_lightx2v_4steps_lora_v1.1_{one}_noise.safetensors" for one in ("high", "low"))
    catalog = target("0.3.64").with_files({"models/loras": (*files, *lightning)})
    provider, request = parse_request(
        "ext", {"model": "wan22-t2i", "prompt": "a", "loras": [{"id": given, "strength": 1}]}
    )
    graph = compile_request(provider, request, {}, library(), catalog).graph
    found = tuple(graph[f"lora_{expert}_2"].inputs["lora_name"] for expert in ("high", "low"))
    assert found == experts


def test_half_a_pair_is_no_lora() -> None:
    catalog = target("0.3.64").with_files({"models/loras": ("mine_high_noise.safetensors",)})
    provider, request = parse_request(
        "ext", {"model": "wan22-t2i", "prompt": "a", "loras": [{"id": "mine", "strength": 1}]}
    )
    with pytest.raises(RequestError, match="'mine' is not a known LoRA"):
        compile_request(provider, request, {}, library(), catalog)


def test_of_very_many_unknown_fields_the_first_are_told() -> None:
    odd = {f"odd{number}": 1 for number in range(100)}
    told = compiled({"__type": 5, "Prompt": "a", **odd}, "0.8.0", "fusara").unsupported
    assert len(told) == 21
    assert str(told[19]) == "odd19: is not a field of fusara."
    assert str(told[20]) == "body: has more fields that are not known"
