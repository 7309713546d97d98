"""Two checks of a graph: that it hangs together, and that a catalog's ComfyUI would run it as it is meant.

The second is stricter than ComfyUI's own validation (PROTOCOL: unknown inputs are dropped there, V3 combos of 0.3.64
and steps are unchecked, a float in an INT is cut): a wrong knob must be an error, not a run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from compiler.catalog import DYNAMIC_COMBO, MATCH_TYPE, Catalog, InputSpec, NodeSchema
from compiler.errors import Fault, GraphError, TargetError, nearest
from compiler.graph.ir import Graph, Node, Ref, Value, topological

ANY = "*"


def verify_structure(graph: Graph) -> None:
    """Every link and output leads to a node, and there is no cycle. Raises GraphError, a Fault each."""
    faults = [
        Fault(f"{node_id}.{name}", f"links to {ref.node!r}, which is not in the graph", nearest(ref.node, graph.nodes))
        for node_id, node in graph.nodes.items()
        for name, ref in node.links()
        if ref.node not in graph.nodes
    ]
    faults += [
        Fault(output, "is named as an output but is not in the graph")
        for output in graph.outputs
        if output not in graph.nodes
    ]
    if faults:
        raise GraphError(*faults)
    topological(graph.nodes)


def verify(graph: Graph, catalog: Catalog) -> None:
    """The catalog's ComfyUI has every class and file, and takes every value. Raises TargetError, a Fault each."""
    faults = list(findings(graph, catalog))
    if faults:
        raise TargetError(*faults)


def findings(graph: Graph, catalog: Catalog) -> Iterator[Fault]:
    """What is wrong with a graph for this catalog; empty if nothing."""
    schemas = {node_id: catalog.nodes.get(node.kind) for node_id, node in graph.nodes.items()}
    for node_id, node in graph.nodes.items():
        schema = schemas[node_id]
        if schema is None:
            yield Fault(
                node_id,
                f"{catalog.label} has no node class {node.kind!r}",
                catalog.did_you_mean(node.kind) or "Install the node pack that has it, or run on a newer ComfyUI",
                code="missing_node_type",
            )
        else:
            yield from _node_findings(node_id, node, schema, schemas)


def _node_findings(
    node_id: str, node: Node, schema: NodeSchema, schemas: Mapping[str, NodeSchema | None]
) -> Iterator[Fault]:
    specs, fits = schema.active(node.inputs), schema.fits
    for name, value in node.inputs.items():
        if type(value) is Ref:
            spec = specs.get(name)
            if spec is None:
                yield _unknown(node_id, name, node, specs)
            elif (fault := _link_fault(value, spec, schemas)) is not None:
                yield Fault(f"{node_id}.{name}", fault, code="return_type_mismatch")
        elif name not in fits or not fits[name](value):  # seldom: now slowly, to say what is wrong
            spec = specs.get(name)
            if spec is None:
                yield _unknown(node_id, name, node, specs)
            elif (found := value_fault(value, spec)) is not None:
                yield Fault(f"{node_id}.{name}", found[1], found[2], code=found[0])
    if schema.is_dynamic or not schema.required <= node.inputs.keys():
        for name, spec in specs.items():
            if spec.required and spec.autogrow is None and name not in node.inputs:
                yield Fault(f"{node_id}.{name}", f"{node.kind} needs this input", code="required_input_missing")


def _unknown(node_id: str, name: str, node: Node, specs: Mapping[str, InputSpec]) -> Fault:
    cure = nearest(name, specs) or f"{node.kind} takes {', '.join(specs) or 'no inputs'}"
    return Fault(f"{node_id}.{name}", f"{node.kind} has no such input", cure, code="unknown_input")


def _link_fault(ref: Ref, spec: InputSpec, schemas: Mapping[str, NodeSchema | None]) -> str | None:
    schema = schemas.get(ref.node)
    if schema is None:
        return None  # reported at the source itself
    if not 0 <= ref.output < len(schema.outputs):
        return f"links to output {ref.output} of {ref.node!r}, which has {len(schema.outputs)}"
    given = schema.outputs[ref.output][0]
    if given == spec.type or types_match(given, spec.type):
        return None
    return f"takes {spec.type}, but output {ref.output} of {ref.node!r} is {given}"


def types_match(given: str, wanted: str) -> bool:
    """ComfyUI's rule for a link: equal, either is `*`, or the comma lists overlap (0.3.64)."""
    if given == wanted or ANY in (given, wanted) or MATCH_TYPE in (given, wanted):
        return True
    return not set(given.split(",")).isdisjoint(wanted.split(","))


def value_fault(value: Value, spec: InputSpec) -> tuple[str, str, str] | None:
    """(code, what, cure) if a plain value does not fit its declaration."""
    check = _CHECKS.get(spec.type)
    if check is None:
        return ("bad_linked_input", f"takes a link to {spec.type}, not the value {value!r}", "")
    return check(value, spec)


def _check_number(value: Any, spec: InputSpec) -> tuple[str, str, str] | None:
    wanted = (int,) if spec.type == "INT" else (int, float)
    if not isinstance(value, wanted) or isinstance(value, bool) or not math.isfinite(value):
        return ("invalid_input_type", f"{value!r} is not {'a whole' if spec.type == 'INT' else 'a finite'} number", "")
    low, high = spec.options.get("min"), spec.options.get("max")
    if low is not None and value < low:
        return ("value_smaller_than_min", f"{value!r} is less than the least allowed, {low!r}", "")
    if high is not None and value > high:
        return ("value_bigger_than_max", f"{value!r} is more than the most allowed, {high!r}", "")
    return None


def _check_string(value: Any, spec: InputSpec) -> tuple[str, str, str] | None:
    return None if isinstance(value, str) else ("invalid_input_type", f"{value!r} is not text", "")


def _check_boolean(value: Any, spec: InputSpec) -> tuple[str, str, str] | None:
    return None if isinstance(value, bool) else ("invalid_input_type", f"{value!r} is not true or false", "")


def _check_combo(value: Any, spec: InputSpec) -> tuple[str, str, str] | None:
    if spec.values is None or value in spec.values or spec.is_upload:
        return None
    names = [str(choice) for choice in spec.values]
    shown = ", ".join(names[:8]) + (f", … ({len(names)} in all)" if len(names) > 8 else "")
    cure = nearest(str(value), names) or f"It offers: {shown or 'nothing'}"
    return ("value_not_in_list", f"{value!r} is not among the choices", cure)


_CHECKS = {
    "INT": _check_number,
    "FLOAT": _check_number,
    "STRING": _check_string,
    "BOOLEAN": _check_boolean,
    "COMBO": _check_combo,
    DYNAMIC_COMBO: _check_combo,
}
"""By type. An autogrow has no check of its own: its slots are checked one by one, under dotted names."""
