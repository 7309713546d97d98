"""A graph.json made ready: fixed values apart from holes, so that filling it in is one pass over the nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from compiler.errors import Fault, TemplateError
from compiler.graph.api_json import parse
from compiler.graph.ir import Node, Ref, Value
from compiler.template.expression import Expressions, is_expression
from compiler.template.manifest import Param

PORT = "$"
"""`["$model", 0]` in a fragment's graph.json is its port `model`."""


PortValue = Callable[[str, str, str], Ref | None]
"""(port, node id, input name) → what the port is linked to; None leaves the input out."""


@dataclass(frozen=True, slots=True)
class _Recipe:
    """One node, sorted by what must be done to make it."""

    kind: str
    title: str
    inputs: Mapping[str, Value]
    """Every input in order; those below are placeholders."""
    holes: tuple[tuple[str, int], ...]
    """(input, index of its expression)"""
    ports: tuple[tuple[str, str], ...]
    """(input, port)"""
    links: tuple[tuple[str, Ref], ...]
    """(input, node of this skeleton): renamed with the node ids"""


class Skeleton:
    """The nodes of one graph.json. `build` gives them with every expression evaluated."""

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
        places = {(node_id, name): index for index, (node_id, name, _) in enumerate(holes)}
        plain = self._expressions.plain.items()
        self._param_of = {f"{holes[index][0]}.{holes[index][1]}": name for index, name in plain}
        self._recipes = {node_id: _recipe(node_id, node, places) for node_id, node in self.nodes.items()}
        self.used_params = self._expressions.names
        self.ports = frozenset(port for recipe in self._recipes.values() for _, port in recipe.ports)
        self.classes = frozenset(node.kind for node in self.nodes.values())

    def build(self, context: Mapping[str, Any], suffix: str = "", port: PortValue | None = None) -> dict[str, Node]:
        """The nodes with their values, `suffix` behind every id and ports linked by `port`.

        An input whose value comes out as null is left out: it is optional and was not given.
        """
        values = self._expressions(context)
        built: dict[str, Node] = {}
        for node_id, recipe in self._recipes.items():
            new_id = node_id + suffix
            inputs = dict(recipe.inputs)
            for name, index in recipe.holes:
                inputs[name] = values[index]
                if values[index] is None:
                    del inputs[name]
            if suffix:
                for name, ref in recipe.links:
                    inputs[name] = Ref(ref.node + suffix, ref.output)
            if port is not None:
                for name, wire in recipe.ports:
                    linked = port(wire, new_id, name)
                    if linked is None:
                        del inputs[name]
                    else:
                        inputs[name] = linked
            built[new_id] = Node(recipe.kind, inputs, recipe.title)
        return built

    def param_of(self, place: str) -> str:
        """The parameter that alone is the value of an input, `sampler.cfg`; empty if there is none."""
        return self._param_of.get(place, "")

    def check_ref(self, what: str, ref: tuple[str, int]) -> Ref:
        """A [node, output] of the manifest as a Ref. Raises TemplateError if there is no such node."""
        if ref[0] not in self.nodes:
            raise TemplateError(Fault(f"{self.where}: {what}", f"names node {ref[0]!r}, which is not in graph.json"))
        return Ref(*ref)


def _recipe(node_id: str, node: Node, places: Mapping[tuple[str, str], int]) -> _Recipe:
    links = tuple(node.links())
    return _Recipe(
        node.kind,
        node.title,
        node.inputs,
        tuple((name, places[node_id, name]) for name in node.inputs if (node_id, name) in places),
        tuple((name, ref.node.removeprefix(PORT)) for name, ref in links if ref.node.startswith(PORT)),
        tuple((name, ref) for name, ref in links if not ref.node.startswith(PORT)),
    )


NOTHING: Mapping[str, Any] = {}


def complete(
    params: Mapping[str, Param], given: Mapping[str, Any], where: str, host: Mapping[str, Any] = NOTHING
) -> dict[str, Any]:
    """Every declared parameter with its value: given, the host's, default, or null where optional.

    Errors: TemplateError if one that must be given is not.
    """
    context: dict[str, Any] = {}
    for name, param in params.items():
        value = given.get(name)
        if value is None:
            value = host.get(name)
        if value is None:
            value = param.default
            if value is None and not param.optional:
                raise TemplateError(Fault(f"{where}: {name}", "is not given and has no default"))
        context[name] = value
    return context
