"""A graph.json made ready: fixed values apart from holes, so that filling it in is one pass over the nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compiler.errors import Fault, TemplateError
from compiler.graph.api_json import parse
from compiler.graph.ir import Node, Ref, Value
from compiler.template.expression import Expressions, is_expression
from compiler.template.manifest import Param

PORT = "$"
"""`["$model", 0]` in a fragment's graph.json is its port `model`."""


class Skeleton:
    """The nodes of one graph.json. `fill` gives them with every expression evaluated."""

    def __init__(self, where: str, data: Any, params: Mapping[str, Param]) -> None:
        """Raises GraphError or TemplateError for a file that is wrong."""
        self.where = where
        self.params = params
        self.nodes = parse(data, where=where).nodes
        holes = [
            (node_id, name, value)
            for node_id, node in self.nodes.items()
            for name, value in node.inputs.items()
            if isinstance(value, str) and is_expression(value)
        ]
        self._expressions = Expressions([(f"{where}: {node_id}.{name}", text) for node_id, name, text in holes], params)
        self._holes = [(node_id, name) for node_id, name, _ in holes]
        self._varying = frozenset(node_id for node_id, _ in self._holes)
        self.used_params = self._expressions.names
        self.ports = frozenset(
            ref.node[1:] for node in self.nodes.values() for _, ref in node.links() if ref.node.startswith(PORT)
        )
        self.classes = frozenset(node.kind for node in self.nodes.values())

    def fill(self, context: Mapping[str, Any]) -> dict[str, Node]:
        """The nodes with their values; nodes without expressions are shared, not copied.

        An input whose value comes out as null is left out: it is optional and was not given.
        """
        filled: dict[str, dict[str, Value]] = {
            node_id: dict(self.nodes[node_id].inputs) for node_id in self.nodes if node_id in self._varying
        }
        for (node_id, name), value in zip(self._holes, self._expressions(context), strict=True):
            if value is None:
                del filled[node_id][name]
            else:
                filled[node_id][name] = value
        return {
            node_id: Node(node.kind, filled[node_id], node.title) if node_id in filled else node
            for node_id, node in self.nodes.items()
        }

    def check_ref(self, what: str, ref: tuple[str, int]) -> Ref:
        """A [node, output] of the manifest as a Ref. Raises TemplateError if there is no such node."""
        if ref[0] not in self.nodes:
            raise TemplateError(Fault(f"{self.where}: {what}", f"names node {ref[0]!r}, which is not in graph.json"))
        return Ref(*ref)


def complete(params: Mapping[str, Param], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Every declared parameter with its value: given, default, or null where optional.

    Errors: TemplateError if one that must be given is not.
    """
    context: dict[str, Any] = {}
    for name, param in params.items():
        value = given.get(name, param.default)
        if value is None and not param.optional:
            raise TemplateError(Fault(f"{where}: {name}", "is not given and has no default"))
        context[name] = value
    return context
