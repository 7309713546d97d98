"""Catalogs from JSON: ComfyUI's own `/object_info` (V1 and V3 shapes) or the compact form of graphs/catalogs.

The compact form keeps facts only (names, types, defaults, ranges): an input is `[name, type, options]`,
a combo of files names its `folder` in place of a list, `"decl": "list"` marks a V1 combo.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from compiler.catalog import AUTOGROW, DYNAMIC_COMBO, Autogrow, Catalog, InputSpec, NodeSchema
from compiler.errors import Fault, GraphError

GROUPS = ("required", "optional", "hidden")
PACKS = "custom_nodes."
"""Before the pack's folder in the name of a class's module."""
_STRUCTURE = ("values", "folder", "decl")
_V3_KEYS = frozenset({"api_node", "deprecated", "experimental", "output_tooltips"})
"""What ComfyUI (0.3.64, 0.8.0) says of every V3 class, and never all of it of a V1 class."""


def parse_catalog(data: Any, *, version: str = "", source: str = "") -> Catalog:
    """Reads either form.

    Errors: GraphError if the JSON is neither.
    """
    if not isinstance(data, dict):
        raise _wrong(source)
    body = cast("dict[str, Any]", data)
    if isinstance(body.get("nodes"), dict) and "meta" in body:
        nodes = {name: _compact_node(name, raw) for name, raw in body["nodes"].items()}
        return Catalog(version or str(body["meta"].get("comfyui", "")), nodes, source)
    try:
        nodes = {name: _object_info_node(name, raw) for name, raw in body.items()}
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise _wrong(source) from error
    return Catalog(version, nodes, source)


def _wrong(source: str) -> GraphError:
    return GraphError(
        Fault(
            source or "catalog",
            "is not a ComfyUI catalog",
            "Give the JSON of GET /object_info, or `comfyc catalog pull`'s",
        )
    )


# --- /object_info ----------------------------------------------------------------------------------------------


def _object_info_node(name: str, raw: Mapping[str, Any]) -> NodeSchema:
    outputs: list[Any] = list(raw.get("output") or ())
    names: list[Any] = list(raw.get("output_name") or outputs)
    return NodeSchema(
        name=name,
        inputs=_object_info_inputs(raw.get("input") or {}),
        outputs=tuple(
            (kind if isinstance(kind, str) else "COMBO", str(label))
            for kind, label in zip(outputs, names, strict=False)
        ),
        output_node=bool(raw.get("output_node")),
        category=str(raw.get("category") or ""),
        api_node=bool(raw.get("api_node")),
        deprecated=bool(raw.get("deprecated")),
        experimental=bool(raw.get("experimental")),
        output_is_list=tuple(bool(flag) for flag in raw.get("output_is_list") or ()),
        display_name=str(raw.get("display_name") or ""),
        v3=raw.keys() >= _V3_KEYS,
        pack=_pack(str(raw.get("python_module") or "")),
        choices={slot: tuple(cast("list[Any]", kind)) for slot, kind in enumerate(outputs) if isinstance(kind, list)},
    )


def _pack(module: str) -> str:
    return module.removeprefix(PACKS).partition(".")[0] if module.startswith(PACKS) else ""


def _object_info_inputs(groups: Mapping[str, Any]) -> tuple[InputSpec, ...]:
    return tuple(
        _object_info_input(name, declared, group)
        for group in GROUPS
        for name, declared in cast("dict[str, Any]", groups.get(group) or {}).items()
    )


def _object_info_input(name: str, declared: Any, group: str) -> InputSpec:
    if isinstance(declared, str):  # hidden inputs: just the type
        return InputSpec(name, declared, group)
    kind: Any = declared[0]
    options: dict[str, Any] = dict(declared[1]) if len(declared) > 1 else {}
    options.pop("tooltip", None)
    if isinstance(kind, list):
        return InputSpec(name, "COMBO", group, options, tuple(cast("list[Any]", kind)), listed=True)
    if kind == "COMBO":
        values = cast("list[Any] | None", options.pop("options", None))
        return InputSpec(name, "COMBO", group, options, None if values is None else tuple(values))
    if kind == DYNAMIC_COMBO:
        choices = options.pop("options")
        branches = {choice["key"]: _object_info_inputs(choice.get("inputs") or {}) for choice in choices}
        return InputSpec(name, kind, group, options, tuple(branches), branches=branches)
    if kind == AUTOGROW:
        template = options["template"]
        slots = _object_info_inputs(template["input"])
        return InputSpec(name, kind, group, {}, autogrow=_autogrow(template, slots))
    return InputSpec(name, str(kind), group, options)


def _autogrow(template: Mapping[str, Any], slots: tuple[InputSpec, ...]) -> Autogrow:
    names = template.get("names")
    if not names:
        names = [f"{template.get('prefix', '')}{index}" for index in range(int(template.get("max", 100)))]
    return Autogrow(slots, tuple(names), int(template.get("min", 0)))


# --- compact form ----------------------------------------------------------------------------------------------


def _compact_node(name: str, raw: Mapping[str, Any]) -> NodeSchema:
    v3 = bool(raw.get("v3"))
    return NodeSchema(
        name=name,
        inputs=_compact_inputs(raw.get("inputs") or {}, v3=v3),
        outputs=tuple((str(kind), str(label)) for kind, label, *_ in raw.get("outputs") or ()),
        output_node=bool(raw.get("output_node")),
        category=str(raw.get("category") or ""),
        api_node=bool(raw.get("api_node")),
        deprecated=bool(raw.get("deprecated")),
        experimental=bool(raw.get("experimental")),
        output_is_list=tuple("list" in flags for _, _, *flags in raw.get("outputs") or ()),
        display_name=str(raw.get("display_name") or ""),
        v3=v3,
    )


def _compact_inputs(groups: Mapping[str, Iterable[list[Any]]], *, v3: bool) -> tuple[InputSpec, ...]:
    return tuple(_compact_input(declared, group, v3=v3) for group in GROUPS for declared in groups.get(group) or ())


def _compact_input(declared: list[Any], group: str, *, v3: bool) -> InputSpec:
    name, kind = str(declared[0]), str(declared[1])
    facts: dict[str, Any] = declared[2] if len(declared) > 2 else {}
    if kind == DYNAMIC_COMBO:
        options = {key: value for key, value in facts.items() if key != "options"}
        branches = {key: _compact_inputs(inputs, v3=v3) for key, inputs in facts["options"]}
        return InputSpec(name, kind, group, options, tuple(branches), branches=branches)
    if kind == AUTOGROW:
        template = facts["template"]
        slots = _compact_inputs(template["input"], v3=v3)
        return InputSpec(name, kind, group, {}, autogrow=_autogrow(template, slots))
    options = {key: value for key, value in facts.items() if key not in _STRUCTURE}
    values = facts.get("values")
    if facts.get("folder") and values:  # choices beside the files: VAELoader's `pixel_space`
        options["beside_files"], values = tuple(values), None
    if kind == "COMBO" and values is not None:
        values = tuple(values)
    listed = facts.get("decl") == "list"
    if kind == "COMBO" and v3 and not listed:
        options.setdefault("multiselect", False)
    return InputSpec(name, kind, group, options, values, folder=facts.get("folder", ""), listed=listed)
