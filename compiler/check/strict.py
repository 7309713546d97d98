"""What ComfyUI does not notice in a graph: it would run, but not as it is meant. Findings are ours, never the server's.

Unknown inputs, values outside a combo that the target does not check, numbers that would be cut, types that a V3 node
takes only at run time (`compiler.graph.verify`); here: nodes that never run, an autogrow with too few slots, and
graphs that would end the server's worker.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from compiler.catalog import Catalog
from compiler.check.deadly import deadly, is_link
from compiler.errors import Fault, GraphError
from compiler.graph.api_json import parse
from compiler.graph.verify import findings as graph_findings
from compiler.graph.verify import verify_structure

_KIND: Final = "class_type"
"""What has none is no node, and there is no more to say of it."""


def findings(prompt: Any, catalog: Catalog) -> tuple[Fault, ...]:
    """Everything that our stricter check says of an API-format graph; empty if nothing."""
    try:
        graph = parse(prompt)
        verify_structure(graph)
        found = list(graph_findings(graph, catalog))
    except GraphError as error:
        found = list(error.faults)
    nodes = _nodes(prompt)
    return (*found, *_deadly(nodes), *_growing(nodes, catalog), *_idle(nodes, catalog))


def _nodes(prompt: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(prompt, dict):
        return {}
    entries = cast("dict[str, Any]", prompt).items()
    return {node_id: cast("dict[str, Any]", one) for node_id, one in entries if isinstance(one, dict) and _KIND in one}


def _inputs(node: Mapping[str, Any]) -> dict[str, Any]:
    inputs = node.get("inputs")
    return cast("dict[str, Any]", inputs) if isinstance(inputs, dict) else {}


def _deadly(nodes: Mapping[str, Any]) -> Iterator[Fault]:
    if reason := deadly(nodes, ()):
        yield Fault("", f"running this ends the server's worker: {reason}", "Write inputs: {}", code="deadly")


def _growing(nodes: Mapping[str, Any], catalog: Catalog) -> Iterator[Fault]:
    """Autogrow inputs with fewer slots than their minimum: ComfyUI does not count them."""
    for node_id, node in nodes.items():
        schema = catalog.get(str(node.get("class_type")))
        if schema is None or not schema.is_dynamic:
            continue
        inputs = _inputs(node)
        for spec in schema.by_name.values():
            if spec.autogrow is None:
                continue
            given = sum(f"{spec.name}.{slot}" in inputs for slot in spec.autogrow.names)
            if given < spec.autogrow.minimum:
                what = f"has {given} of at least {spec.autogrow.minimum} slots"
                example = f"{spec.name}.{spec.autogrow.names[given]}"
                yield Fault(f"{node_id}.{spec.name}", what, f"Link {example}", code="too_few_slots")


def _idle(nodes: Mapping[str, Any], catalog: Catalog) -> Iterator[Fault]:
    """Nodes that lead to no output: ComfyUI neither checks nor runs them."""
    waiting = [node_id for node_id, node in nodes.items() if _is_output(node, catalog)]
    met = set(waiting)
    while waiting:
        for value in _inputs(nodes[waiting.pop()]).values():
            if is_link(value) and value[0] in nodes and value[0] not in met:
                met.add(value[0])
                waiting.append(value[0])
    for node_id in nodes:
        if node_id not in met:
            yield Fault(node_id, "leads to no output node and will not run", "Link it or drop it", code="unreachable")


def _is_output(node: Mapping[str, Any], catalog: Catalog) -> bool:
    schema = catalog.get(str(node.get("class_type")))
    return schema is not None and schema.output_node
