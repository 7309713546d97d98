"""graphs/catalogs/comfyc.json from the pack's own classes, which need no torch for it: `python docs/own_nodes.py`.

The compact form of compiler/catalog_parse.py: facts without tooltips, one input a line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

TARGET: Final = ROOT / "graphs/catalogs/comfyc.json"
FLAGS: Final = {"output_node": "OUTPUT_NODE", "deprecated": "DEPRECATED", "experimental": "EXPERIMENTAL"}
"""Key of the catalog → attribute of the class; written where it is true."""


def classes() -> Mapping[str, Any]:
    """The pack's node classes by name, sorted."""
    from comfy_nodes import NODE_CLASS_MAPPINGS

    return dict(sorted(NODE_CLASS_MAPPINGS.items()))


def catalog_text() -> str:
    """The whole file."""
    nodes = {name: node_facts(node) for name, node in classes().items()}
    return "\n".join(written({"meta": {"comfyui": "", "pack": "comfyc"}, "nodes": nodes})) + "\n"


def node_facts(node: Any) -> dict[str, Any]:
    """One class in the compact form."""
    groups = {group: [declared(name, spec) for name, spec in specs.items()] for group, specs in inputs(node).items()}
    flags = {key: True for key, attribute in FLAGS.items() if getattr(node, attribute, False)}
    lists = getattr(node, "OUTPUT_IS_LIST", ()) or (False,) * len(node.RETURN_TYPES)
    outputs = [
        [kind, name, *(["list"] if listed else [])]
        for kind, name, listed in zip(node.RETURN_TYPES, node.RETURN_NAMES, lists, strict=True)
    ]
    return {"category": node.CATEGORY, **flags, "inputs": groups, "outputs": outputs}


def inputs(node: Any) -> dict[str, dict[str, Any]]:
    """`{"required": {name: spec}, …}` without empty groups."""
    return {group: specs for group, specs in node.INPUT_TYPES().items() if specs}


def declared(name: str, spec: Any) -> list[Any]:
    """`[name, type]` or `[name, type, options]`."""
    kind, options = (spec, {}) if isinstance(spec, str) else (spec[0], dict(spec[1]) if len(spec) > 1 else {})
    options.pop("tooltip", None)
    if isinstance(kind, list):
        kind, options = "COMBO", {"decl": "list", "values": kind, **options}
    elif kind == "COMBO":
        options["values"] = options.pop("options")
    return [name, kind, options] if options else [name, kind]


def written(value: Any, depth: int = 0) -> Iterator[str]:
    """JSON lines: objects and lists of lists are broken up, everything else is one line."""
    broken = isinstance(value, dict) and depth < 4 and any(isinstance(part, (dict, list)) for part in value.values())
    if not (value and (broken or (isinstance(value, list) and isinstance(value[0], list)))):
        yield json.dumps(value, ensure_ascii=False)
        return
    opening, closing = "{}" if broken else "[]"
    heads = [f"{json.dumps(key)}: " for key in value] if broken else [""] * len(value)
    parts = list(value.values()) if broken else value
    yield opening
    for number, (head, part) in enumerate(zip(heads, parts, strict=True), 1):
        lines = list(written(part, depth + 1))
        lines[0] = head + lines[0]
        lines[-1] += "," if number < len(parts) else ""
        yield from (f"  {line}" for line in lines)
    yield closing


def main() -> None:
    TARGET.write_text(catalog_text(), encoding="utf-8")
    print(TARGET.relative_to(ROOT))


if __name__ == "__main__":
    main()
