"""A proposal as the two files of a template."""

from __future__ import annotations

import json
from typing import Any

from compiler.graph import api_json
from compiler.graph.ir import Graph, Node, Value
from compiler.template.authoring.propose import Proposal
from compiler.template.expression import is_expression
from compiler.template.manifest import Example, Needs, TemplateManifest


def documents(proposal: Proposal, title: str, description: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """(graph.json, manifest.json). Parameters become expressions; text that looks like one is quoted."""
    holes = {place: choice.name for choice in proposal.choices for place in choice.places}
    nodes = {
        node_id: Node(
            node.kind,
            {name: _value(value, holes.get((node_id, name), "")) for name, value in node.inputs.items()},
            node.title,
        )
        for node_id, node in proposal.graph.nodes.items()
    }
    needs: Any = {"packs": proposal.packs, "files": dict(proposal.files)}
    examples = {choice.name: choice.value for choice in proposal.choices if choice.param.media}
    manifest = TemplateManifest(
        title=title,
        description=description,
        params={choice.name: choice.param for choice in proposal.choices},
        wires=dict(proposal.wires),
        outputs=dict(proposal.outputs),
        needs=Needs(**needs),
        lora=proposal.lora,
        examples=(Example(title="As in the workflow", params=examples),),
    )
    return api_json.emit(Graph(nodes)), manifest.model_dump(mode="json", exclude_defaults=True)


def _value(value: Value, param: str) -> Value:
    if param:
        return f"{{{{ {param} }}}}"
    if isinstance(value, str) and is_expression(value):
        return f"{{{{ {_quoted(value)} }}}}"
    return value


def _quoted(text: str) -> str:
    """The text as a string constant of an expression, its braces and percent signs spelled out."""
    plain = json.dumps(text, ensure_ascii=False)
    for character in "{}%#":
        plain = plain.replace(character, f"\\u{ord(character):04x}")
    return plain
