"""A graph as text for people and tests, a line a node, sources first:

    %ckpt = CheckpointLoaderSimple(ckpt_name="sd_xl_base_1.0.safetensors")
    %sampler = KSampler(model=%ckpt, positive=%positive.0, seed=7)
    output %save

`%node` is output 0, `%node.2` output 2. Values are JSON. `parse_text(print_text(g))` gives g's nodes again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from compiler.errors import Fault, GraphError
from compiler.graph.ir import Graph, Node, Ref, Value

_LINE = re.compile(r"%(?P<id>\S+) = (?P<kind>[^(]+)\((?P<inputs>.*)\)\s*$")
_INPUT = re.compile(r"\s*(?P<name>[^=,\s]+)=")
_REF = re.compile(r"%(?P<node>[^\s,).]+)(?:\.(?P<output>\d+))?")


def print_text(graph: Graph) -> str:
    """The text of a graph, ending in a newline."""
    lines = [f"%{node_id} = {node.kind}({_inputs(node)})" for node_id, node in graph.nodes.items()]
    lines += [f"output %{node_id}" for node_id in graph.outputs]
    return "\n".join(lines) + "\n"


def _inputs(node: Node) -> str:
    return ", ".join(f"{name}={_print(value)}" for name, value in node.inputs.items())


def _print(value: Value) -> str:
    if isinstance(value, Ref):
        return f"%{value.node}.{value.output}" if value.output else f"%{value.node}"
    return json.dumps(value, ensure_ascii=False)


def parse_text(text: str) -> Graph:
    """Reads what print_text writes; blank lines and lines that begin with `#` are skipped.

    Errors: GraphError naming the line.
    """
    nodes: dict[str, Node] = {}
    outputs: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith("output %"):
            outputs.append(stripped.removeprefix("output %"))
        elif match := _LINE.match(stripped):
            nodes[match["id"]] = Node(match["kind"].strip(), dict(_parse_inputs(match["inputs"], number)))
        else:
            raise GraphError(Fault(f"line {number}", f"cannot read {stripped!r}", "Write %id = Class(input=value, …)"))
    return Graph(nodes, {}, tuple(outputs))


def _parse_inputs(text: str, number: int) -> Iterator[tuple[str, Value]]:
    position = 0
    while text[position:].strip():
        name = _INPUT.match(text, position)
        if name is None:
            raise GraphError(Fault(f"line {number}", f"cannot read {text[position:]!r}", "Write name=value"))
        value, position = _parse_value(text, name.end(), number)
        yield name["name"], value
        while position < len(text) and text[position] in ", ":
            position += 1


def _parse_value(text: str, position: int, number: int) -> tuple[Value, int]:
    if ref := _REF.match(text, position):
        return Ref(ref["node"], int(ref["output"] or 0)), ref.end()
    try:
        return json.JSONDecoder().raw_decode(text, position)
    except ValueError as error:
        raise GraphError(Fault(f"line {number}", f"{text[position:]!r} is not JSON", 'Quote text: "euler"')) from error
