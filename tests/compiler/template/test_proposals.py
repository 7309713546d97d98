"""What import proposes, case by case (importing.yaml): names, limits, the files needed, where LoRA go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from importing import CATALOG, imported, rendered, shape

from compiler import LoraUse
from compiler.graph.ir import Graph, Node
from compiler.graph.text import parse_text

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "importing.yaml").read_text())


def graph_of(case: dict[str, Any]) -> Graph:
    graph, titles = parse_text(case["graph"]), case.get("titles", {})
    nodes = {name: Node(node.kind, node.inputs, titles.get(name, "")) for name, node in graph.nodes.items()}
    return Graph(nodes)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"][:60])
def test_proposals(case: dict[str, Any], tmp_path: Path) -> None:
    proposal, known = imported(graph_of(case), tmp_path)
    places = {one.name: ", ".join(f"{node}.{name}" for node, name in one.places) for one in proposal.choices}
    assert list(places.items()) == list(case["params"].items())
    facts = {one.name: one.param.model_dump(mode="json") for one in proposal.choices}
    for name, wanted in case.get("facts", {}).items():
        assert {key: facts[name][key] for key in wanted} == wanted
    rule = known.templates["own/made"].manifest.lora
    points = {point.wires["model"]: point.expert for point in rule.points} if rule else {}
    assert points == {wire: expert for wire, (expert, _) in case.get("loras", {}).items()}


@pytest.mark.parametrize("case", [case for case in CASES if "loras" in case], ids=lambda case: case["why"][:60])
def test_a_lora_goes_on_every_model(case: dict[str, Any], tmp_path: Path) -> None:
    proposal, known = imported(graph_of(case), tmp_path)
    files = CATALOG.with_files({"models/loras": ("style.safetensors",)})
    params = known.templates["own/made"].manifest.examples[0].params
    plain = rendered(known, params)
    made = rendered(known, catalog=files, loras=[LoraUse("style", 0.7, "loras[0].id")])
    loaders = {node_id: node for node_id, node in made.graph.nodes.items() if node.kind.startswith("LoraLoader")}
    sources = sorted(ref.node for node in loaders.values() for name, ref in node.links() if name == "model")
    assert sources == sorted(source for _, source in case["loras"].values())
    assert len(shape(made.graph)) == len(shape(plain.graph)) + len(loaders)
    assert proposal.packs == ()
