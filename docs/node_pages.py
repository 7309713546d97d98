"""The pages of docs/nodes/, from the node classes themselves; `generate.py` writes them. Needs no torch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from own_nodes import classes, inputs

FOLDER: Final = Path(__file__).parent / "nodes"
Table = Callable[[Sequence[str], Iterable[Sequence[str]]], str]

INTRO: Final = """\
comfyc's own nodes for ComfyUI 0.3.64 and newer: `comfyc nodes link COMFYUI_DIR` puts them there, `--engine managed` has
them already. They need nothing but what ComfyUI brings along, save those whose page names a library. The
[sandbox](../sandbox.md) offers them too. [Keys and addresses](../nodes-providers.md) of what they call come from the
environment.

A picture is an IMAGE [B, H, W, C] of 0 to 1, a mask [B, H, W]; C may be 1 to 4, with alpha last. Masks and references
may have other sizes than the picture. `python docs/node_pictures.py` made the pictures of these pages."""


def pages(table: Table) -> Iterator[tuple[str, str]]:
    """File name under docs/ and text of each page."""
    yield "nodes/README.md", index(table)
    for name, node in classes().items():
        yield f"nodes/{name}.md", "\n\n".join(sections(name, node, table))


def index(table: Table) -> str:
    groups: dict[str, list[tuple[str, str]]] = {}
    for name, node in classes().items():
        groups.setdefault(node.CATEGORY, []).append((f"[{name}]({name}.md)", node.DESCRIPTION))
    parts = ["# Nodes", INTRO]
    parts += [f"## {group}\n\n{table(('class', 'what'), rows)}" for group, rows in sorted(groups.items())]
    return "\n\n".join(parts)


def sections(name: str, node: Any, table: Table) -> Iterator[str]:
    from node_examples import EXAMPLES

    yield f"# {name}\n\n{node.DESCRIPTION}"
    if name in EXAMPLES:
        shown = EXAMPLES[name].caption
        yield f"![{shown}]({name}.png)\n\n{shown}"
    yield inspect.cleandoc(node.__doc__ or "")
    yield "## Inputs\n\n" + table(("input", "type", "default", "limits", "meaning"), input_rows(inputs(node)))
    if node.RETURN_TYPES:
        rows = zip(map(code, node.RETURN_NAMES), node.RETURN_TYPES, node.OUTPUT_TOOLTIPS, strict=True)
        yield "## Outputs\n\n" + table(("output", "type", "meaning"), rows)
    yield f"In ComfyUI: {node.DISPLAY_NAME}, under {node.CATEGORY}. [All nodes](README.md)"


def input_rows(groups: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    for group in ("required", "optional"):
        for name, (kind, *given) in groups.get(group, {}).items():
            facts = given[0] if given else {}
            shown = "COMBO" if isinstance(kind, list) else kind
            default = facts.get("default", kind[0] if isinstance(kind, list) else "")
            yield (
                code(name),
                shown if group == "required" else f"{shown}, optional",
                code(default) if default != "" else "",
                limits(kind, facts),
                facts["tooltip"],
            )


def limits(kind: Any, facts: Mapping[str, Any]) -> str:
    choices = kind if isinstance(kind, list) else facts.get("options", ())
    if choices:
        return ", ".join(map(code, choices))
    known = [f"{word} {facts[key]}" for word, key in (("from", "min"), ("to", "max"), ("step", "step")) if key in facts]
    return " ".join(word for word in known if word not in ("step 1", "step 0.01"))


def code(value: Any) -> str:
    return f"`{value}`"
