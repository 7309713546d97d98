"""Every example and every kind of request, compiled, is taken by the real ComfyUI's POST /prompt.

    COMFYUI_HOME=~/ComfyUI pytest tests/acceptance/test_compile_real.py

Model files of zero bytes will do: what the engine is asked is whether the graph is valid. Each prompt is taken back at
once. Requests are in compile_real.yaml.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from real_comfyui import GIVEN, OWN_PACK, catalog, compiled, http, pulled, version

from compiler import TargetError, shipped_catalog

HERE = Path(__file__).parent
TABLE = yaml.safe_load((HERE / "compile_real.yaml").read_text())
EXAMPLES = sorted((HERE.parents[1] / "examples").glob("*/*.json"))
PICTURES = {
    "lake_dawn.png": "photo.jpg",
    "lake_noon.png": "tall.png",
    "lake_night.png": "square.png",
    "chord.flac": "chord.flac",
}
"""The examples' media → those that lie on the engine; sizes are not what is asked here."""

pytestmark = pytest.mark.comfyui("empty")
LINKED_OR_NOT = [pytest.param(kind, marks=pytest.mark.comfyui(kind)) for kind in ("empty", "bare")]


def bodies() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in EXAMPLES:
        text = file.read_text()
        for example, picture in PICTURES.items():
            text = text.replace(f"../media/{example}", picture)
        yield f"example {file.stem}", json.loads(text)
    for model, cases in TABLE["cases"].items():
        base = TABLE["base"][model]
        named = {} if "__type" in base else {"model": model}
        for name, fields in cases.items():
            body = {**named, **base, **fields}
            yield f"{model}, {name}", {field: value for field, value in body.items() if value is not None}


BODIES = dict(bodies())


def post(graph: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """POST /prompt, and the prompt taken back: it must not run into its empty model files."""
    prompt_id = str(uuid.uuid4())
    answer = http().post("/prompt", json={"prompt": graph, "prompt_id": prompt_id})
    http().post("/queue", json={"delete": [prompt_id]})
    http().post("/interrupt", json={"prompt_id": prompt_id})
    return answer.status_code, answer.json()


def has_own_pack() -> bool:
    return OWN_PACK in pulled()


def refusals(status: int, answer: dict[str, Any]) -> list[str]:
    """What the engine says against a graph."""
    found = [
        f"{node} ({said['class_type']}): {error['type']}: {error['details']}"
        for node, said in (answer.get("node_errors") or {}).items()
        for error in said["errors"]
    ]
    return found or ([] if status == 200 else [str(answer.get("error"))])


@pytest.mark.parametrize(
    "target",
    [
        "shipped",
        "pulled",
        "shipped+comfyc",
        pytest.param("pulled", id="pulled, not linked", marks=pytest.mark.comfyui("bare")),
    ],
)
@pytest.mark.parametrize("name", BODIES)
def test_is_taken(name: str, target: str) -> None:
    if target.endswith("+comfyc") and not has_own_pack():
        pytest.skip("comfyc's nodes are not linked there")
    try:
        made = compiled(BODIES[name], catalog(target))
    except TargetError as error:
        if all("node pack 'comfyc'" in fault.cure for fault in error.faults) and not target.endswith("+comfyc"):
            pytest.skip("needs comfyc's nodes, which are not linked there")
        raise
    if unloaded := made.plan.classes & set(shipped_catalog(version()).nodes) - set(pulled().nodes):
        pytest.skip(f"that ComfyUI could not load {', '.join(sorted(unloaded))}")
    status, answer = post(made.api)
    assert refusals(status, answer) == []
    assert set(pulled().nodes) >= made.plan.classes


@pytest.mark.parametrize("kind", LINKED_OR_NOT)
def test_the_own_encoder_is_used_where_it_is_linked(kind: str) -> None:
    assert GIVEN or has_own_pack() is (kind == "empty")
    made = compiled(BODIES["qwen-edit-advanced, instruction"], catalog("pulled"))
    assert (OWN_PACK in made.plan.classes) is has_own_pack()
    assert ([one.field for one in made.unsupported] == ["instruction"]) is not has_own_pack()


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("unet_name", "missing.safetensors", "value_not_in_list"),
        ("weight_dtype", ["nowhere", 0], "exception_during_inner_validation"),
    ],
)
def test_a_wrong_graph_is_refused(field: str, value: Any, kind: str) -> None:
    """Else all the above would say nothing."""
    graph = json.loads(json.dumps(compiled(BODIES["wan22-t2i, least"], catalog("shipped")).api))
    next(node for node in graph.values() if node["class_type"] == "UNETLoader")["inputs"][field] = value
    status, answer = post(graph)
    assert status == 400
    assert kind in "\n".join(refusals(status, answer))
