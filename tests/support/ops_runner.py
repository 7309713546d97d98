"""Runs a graph straight through the sandbox's nodes: no server, no cache, lists mapped as ComfyUI does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from compiler.catalog import Catalog
from compiler.catalog_parse import parse_catalog
from compiler.graph.api_json import VALUE_KEY
from runner.engine.sandbox import ops
from runner.engine.sandbox.node import NodeContext, NodeResult

Graph = Mapping[str, Mapping[str, Any]]
CATALOGS = Path(__file__).parents[2] / "graphs" / "catalogs"


def read_catalog(version: str) -> Catalog:
    """A shipped catalog."""
    import json

    return parse_catalog(json.loads((CATALOGS / f"{version}.json").read_text()))


@dataclass
class OpsRunner:
    """A folder tree and a catalog to run graphs in."""

    root: Path
    catalog: Catalog
    extra_pnginfo: Mapping[str, Any] | None = None
    steps: list[tuple[str, float, float, bytes | None]] = field(default_factory=list)
    """Progress reports: node, value, maximum, preview."""
    slept: float = 0.0

    def __post_init__(self) -> None:
        for name in ("input", "output", "temp"):
            (self.root / name).mkdir(parents=True, exist_ok=True)

    def run(self, graph: Graph) -> dict[str, NodeResult]:
        """Runs every node of the graph, in the order of their links."""
        done: dict[str, NodeResult] = {}
        for node in graph:
            self._visit(graph, node, done)
        return done

    def one(self, kind: str, /, **inputs: Any) -> Any:
        """The outputs of one node run on values; a single output comes without its tuple."""
        outputs = self._run_node("1", {"1": {"class_type": kind, "inputs": {}}}, inputs).outputs
        return outputs[0] if len(outputs) == 1 else outputs

    def context(self, node: str, graph: Graph) -> NodeContext:
        schema = self.catalog.nodes[graph[node]["class_type"]]
        folders = (self.root / "input", self.root / "output", self.root / "temp")

        def progress(value: float, maximum: float, image: bytes | None) -> None:
            self.steps.append((node, value, maximum, image))

        def sleep(seconds: float) -> None:
            self.slept += seconds

        return NodeContext(node, schema, self.catalog, *folders, graph, self.extra_pnginfo, progress, sleep)

    def picture(self, array: np.ndarray[Any, Any], name: str = "picture.png") -> str:
        """Puts a picture [H,W,C] uint8 into the input folder."""
        Image.fromarray(array).save(self.root / "input" / name)
        return name

    def _visit(self, graph: Graph, node: str, done: dict[str, NodeResult]) -> NodeResult:
        if node not in done:
            inputs = {name: self._value(graph, value, done) for name, value in graph[node]["inputs"].items()}
            done[node] = self._run_lists(node, graph, inputs)
        return done[node]

    def _value(self, graph: Graph, value: Any, done: dict[str, NodeResult]) -> list[Any]:
        """Every input as a list: one value, or the items of a list output."""
        if isinstance(value, dict) and VALUE_KEY in value:  # a list that is no link
            return [value[VALUE_KEY]]
        if not isinstance(value, list):
            return [value]
        source = self._visit(graph, value[0], done)
        got = source.outputs[value[1]]
        is_list = bool(source.list_outputs) and source.list_outputs[value[1]]
        return list(got) if is_list else [got]

    def _run_lists(self, node: str, graph: Graph, inputs: dict[str, list[Any]]) -> NodeResult:
        if ops.takes_lists(graph[node]["class_type"]):
            return self._run_node(node, graph, inputs)
        count = max((len(values) for values in inputs.values()), default=1)
        results = [
            self._run_node(node, graph, {name: values[min(at, len(values) - 1)] for name, values in inputs.items()})
            for at in range(count)
        ]
        if count == 1:
            return results[0]
        ui: dict[str, list[Any]] = {}
        for result in results:
            for key, value in (result.ui or {}).items():
                ui.setdefault(key, []).extend(value)
        outputs = tuple(list(values) for values in zip(*(result.outputs for result in results), strict=True))
        return NodeResult(outputs, ui or None, tuple(True for _ in outputs))

    def _run_node(self, node: str, graph: Graph, inputs: Mapping[str, Any]) -> NodeResult:
        return ops.run_node(graph[node]["class_type"], inputs, self.context(node, graph))
