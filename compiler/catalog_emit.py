"""A catalog as `/object_info` JSON, in the shapes that ComfyUI itself answers (V1 lists and V3 objects).

`parse_catalog(object_info(catalog))` gives the same schemas, as far as the shapes can say: folders of file combos are
written as the lists they hold, and which ComfyUI it is stands in `/system_stats`, not here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from compiler.catalog import AUTOGROW, DYNAMIC_COMBO, Catalog, InputSpec, NodeSchema

GROUPS = ("required", "optional", "hidden")


def object_info(catalog: Catalog) -> dict[str, Any]:
    """The body of GET /object_info: one entry a class."""
    return {name: node_info(schema) for name, schema in catalog.nodes.items()}


def node_info(schema: NodeSchema) -> dict[str, Any]:
    """One class of `/object_info`."""
    groups = input_groups(schema.inputs)
    info: dict[str, Any] = {
        "input": groups,
        "input_order": {group: list(inputs) for group, inputs in groups.items()},
        "output": [list(schema.choices.get(slot, ())) or kind for slot, (kind, _) in enumerate(schema.outputs)],
        "output_is_list": list(schema.output_is_list) or [False] * len(schema.outputs),
        "output_name": [label for _, label in schema.outputs],
        "name": schema.name,
        "display_name": schema.display_name or schema.name,
        "description": "",
        "python_module": f"custom_nodes.{schema.pack}" if schema.pack else "nodes",
        "category": schema.category,
        "output_node": schema.output_node,
        "deprecated": schema.deprecated,
        "experimental": schema.experimental,
        "api_node": schema.api_node,
    }
    return {**info, "output_tooltips": [None] * len(schema.outputs)} if schema.v3 else info


def input_groups(inputs: Iterable[InputSpec]) -> dict[str, dict[str, Any]]:
    """`{"required": {name: [type, options]}, …}`; a group without inputs is left out."""
    groups: dict[str, dict[str, Any]] = {}
    for spec in inputs:
        groups.setdefault(spec.group, {})[spec.name] = declared(spec) if spec.group != "hidden" else spec.type
    return {group: groups[group] for group in GROUPS if group in groups}


def declared(spec: InputSpec) -> list[Any]:
    """One input as `[type, options]`; a V1 combo has its list in the place of the type."""
    if spec.listed:
        return [list(spec.values or ()), _facts(spec)]
    if spec.type == "COMBO":
        known = spec.values is not None or spec.folder
        return ["COMBO", {**_facts(spec), "options": list(spec.values or ())} if known else _facts(spec)]
    if spec.type == DYNAMIC_COMBO:
        branches = [{"key": key, "inputs": input_groups(inputs)} for key, inputs in spec.branches.items()]
        return [spec.type, {**spec.options, "options": branches}]
    if spec.type == AUTOGROW and spec.autogrow:
        template = {
            "input": input_groups(spec.autogrow.slots),
            "names": list(spec.autogrow.names),
            "min": spec.autogrow.minimum,
        }
        return [spec.type, {**spec.options, "template": template}]
    return [spec.type, dict(spec.options)]


def _facts(spec: InputSpec) -> dict[str, Any]:
    # `beside_files` is a note of the shipped catalogs: once the files are known, these choices stand in the list.
    return {key: value for key, value in spec.options.items() if key != "beside_files"}
