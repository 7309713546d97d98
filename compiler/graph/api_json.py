"""ComfyUI's API-format JSON ⇄ Graph: the only place where a link is written `["4", 0]`."""

from __future__ import annotations

from typing import Any, cast

from compiler.errors import Fault, GraphError
from compiler.graph.ir import Graph, Node, Ref, Value

VALUE_KEY = "__value__"
"""ComfyUI unwraps `{"__value__": x}`: how a list that is no link is written (0.3.64, execution)."""


_PLAIN = frozenset({str, int, float, bool})


def emit(graph: Graph) -> dict[str, Any]:
    """The `prompt` of POST /prompt: `{id: {"class_type", "inputs", "_meta"?}}`."""
    return {node_id: _emit_node(node) for node_id, node in graph.nodes.items()}


def _emit_node(node: Node) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    for name, value in node.inputs.items():
        if type(value) is Ref:
            inputs[name] = [value.node, value.output]
        else:
            inputs[name] = {VALUE_KEY: value} if type(value) is list else value
    if node.title:
        return {"class_type": node.kind, "inputs": inputs, "_meta": {"title": node.title}}
    return {"class_type": node.kind, "inputs": inputs}


def parse(data: Any, *, where: str = "graph") -> Graph:
    """Reads API-format JSON. Any two-item list of a string and an integer is a link, as it is for ComfyUI.

    Errors: GraphError, one Fault a node that is not `{"class_type": …, "inputs": {…}}`.
    """
    if not isinstance(data, dict):
        raise GraphError(Fault(where, "is not a JSON object of nodes", "Save it with Export (API) in ComfyUI"))
    body = cast("dict[str, Any]", data)
    if isinstance(body.get("nodes"), list):
        cure = "Save it with Export (API) in ComfyUI, or convert it: comfyc convert"
        raise GraphError(Fault(where, "is a UI workflow, not an API graph", cure))
    faults = [fault for node_id, raw in body.items() if (fault := _fault(f"{where}: {node_id}", raw))]
    if faults:
        raise GraphError(*faults)
    return Graph({node_id: parse_node(raw) for node_id, raw in body.items()})


def _fault(where: str, raw: Any) -> Fault | None:
    if not isinstance(raw, dict) or not isinstance(cast("dict[str, Any]", raw).get("class_type"), str):
        return Fault(where, "has no class_type", 'Write {"class_type": "…", "inputs": {…}}')
    if not isinstance(cast("dict[str, Any]", raw).get("inputs"), dict):
        return Fault(where, "has no inputs", 'Write "inputs": {} for a node without any; ComfyUI hangs without it')
    return None


def parse_node(raw: dict[str, Any]) -> Node:
    """One node of API-format JSON that is known to be well formed."""
    meta: Any = raw.get("_meta")
    title = cast("dict[str, Any]", meta).get("title") or "" if isinstance(meta, dict) else ""
    return Node(raw["class_type"], {name: _value(value) for name, value in raw["inputs"].items()}, str(title))


def _value(value: Any) -> Value:
    if type(value) in _PLAIN:  # nearly always
        return value
    if isinstance(value, list):
        items = cast("list[Any]", value)
        if len(items) == 2 and isinstance(items[0], str) and type(items[1]) is int:
            return Ref(items[0], items[1])
        return items
    if isinstance(value, dict):
        wrapped = cast("dict[str, Any]", value)
        return wrapped[VALUE_KEY] if list(wrapped) == [VALUE_KEY] else wrapped
    return value
