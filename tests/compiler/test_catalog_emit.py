"""A catalog written as /object_info and read again is the same catalog."""

from __future__ import annotations

import json

import pytest

from compiler import load_library, parse_catalog, shipped_catalog
from compiler.catalog import NodeSchema
from compiler.catalog_emit import node_info, object_info


def plain(schema: NodeSchema) -> object:
    """What the shapes can say: no folders, no notes of the shipped form, names where a label was empty."""
    inputs = [
        (
            spec.name,
            spec.type,
            spec.group,
            {key: value for key, value in spec.options.items() if key not in ("beside_files", "multiselect")},
            spec.values or (),
            spec.listed,
            {key: len(nested) for key, nested in spec.branches.items()},
            (spec.autogrow.names, spec.autogrow.minimum) if spec.autogrow else None,
        )
        for spec in sorted(schema.inputs, key=lambda spec: ("required", "optional", "hidden").index(spec.group))
    ]
    return schema.name, inputs, [kind for kind, _ in schema.outputs], schema.output_node, schema.category


@pytest.mark.parametrize("version", ["0.3.64", "0.8.0"])
def test_every_class_comes_back_as_it_went(version: str) -> None:
    catalog = load_library().stocked(shipped_catalog(version))
    text = json.dumps(object_info(catalog))
    back = parse_catalog(json.loads(text), version=version)
    assert set(back.nodes) == set(catalog.nodes)
    assert [plain(back.nodes[kind]) for kind in catalog.nodes] == [plain(node) for node in catalog.nodes.values()]


def test_old_and_new_declarations_keep_their_shapes() -> None:
    catalog = shipped_catalog("0.8.0")
    scale = node_info(catalog.nodes["ImageScale"])["input"]["required"]
    assert scale["image"] == ["IMAGE", {}]
    assert scale["crop"] == [["disabled", "center"], {}]
    compare = node_info(catalog.nodes["StringCompare"])["input"]["required"]
    assert compare["mode"][0] == "COMBO"
    assert compare["mode"][1]["options"] == ["Starts With", "Ends With", "Equal"]
    resize = node_info(catalog.nodes["ResizeImageMaskNode"])["input"]["required"]["resize_type"]
    assert resize[0] == "COMFY_DYNAMICCOMBO_V3"
    assert "multiplier" in resize[1]["options"][0]["inputs"]["required"]
    batch = node_info(catalog.nodes["BatchImagesNode"])["input"]["required"]["images"]
    assert batch[1]["template"]["min"] == 2
    assert batch[1]["template"]["input"]["required"]["image"] == ["IMAGE", {}]
