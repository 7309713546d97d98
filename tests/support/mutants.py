"""Random graphs over a catalog, right and wrong, to compare our verdict with a server's. One seed, one series."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from itertools import permutations
from typing import Any

from compiler.catalog import AUTOGROW, Catalog, InputSpec, NodeSchema
from compiler.check.verdict import Verdict, link_fits

Prompt = dict[str, Any]

ODD_VALUES: tuple[Any, ...] = (
    None, "", "x", "7", " 8 ", "1.5", -1, 0, 3, 2**70, -(2**70), 1.5, -0.1, 1e30, True, False, "true", {}, {"a": 1},
    {"__value__": 4}, {"__value__": "x"}, {"__value__": [1, 2]}, [], ["1"], [1, 2, 3], "no such choice",
)  # fmt: skip
SIZES = {"width": 64, "height": 64, "length": 1, "batch_size": 1, "amount": 1, "steps": 1, "blur_radius": 1}
"""Values that keep an accepted graph cheap to run."""


class Mutants:
    """Makes one graph after another."""

    def __init__(self, catalog: Catalog, seed: int) -> None:
        self.random = random.Random(seed)
        self.catalog = catalog
        plain = [schema for schema in catalog.nodes.values() if not schema.api_node and _harmless(schema)]
        self.makers: list[NodeSchema] = [schema for schema in plain if schema.outputs]
        self.outputs: list[NodeSchema] = [schema for schema in plain if schema.output_node]

    def prompt(self) -> Prompt:
        """A graph of a few nodes, changed in up to three places."""
        prompt: Prompt = {}
        for index in range(self.random.randint(2, 7)):
            self._add(prompt, str(index + 1), self.random.choice(self.makers))
        for index in range(self.random.randint(1, 3)):
            self._add(prompt, f"out{index}", self.random.choice(self.outputs))
        for _ in range(self.random.choice((0, 1, 1, 1, 2, 3))):
            self.random.choice(self.MUTATIONS)(self, prompt)
        return prompt

    def _add(self, prompt: Prompt, node_id: str, schema: NodeSchema) -> None:
        inputs: dict[str, Any] = {}
        for spec in schema.by_name.values():
            self._fill(inputs, spec.name, spec, prompt)
        prompt[node_id] = {"class_type": schema.name, "inputs": inputs}

    def _fill(self, inputs: dict[str, Any], path: str, spec: InputSpec, prompt: Prompt) -> None:
        if not spec.required and self.random.random() < 0.7:
            return
        if spec.type == AUTOGROW and spec.autogrow:
            for name in spec.autogrow.names[: self.random.randint(0, 3)]:
                self._fill(inputs, f"{path}.{name}", spec.autogrow.slots[0], prompt)
        elif spec.branches:
            inputs[path] = key = self.random.choice(list(spec.branches))
            for nested in spec.branches[key]:
                self._fill(inputs, f"{path}.{nested.name}", nested, prompt)
        elif spec.is_widget:
            inputs[path] = self._value(spec)
        else:
            links = self._links(prompt, spec)
            if links:
                inputs[path] = self.random.choice(links)

    def _value(self, spec: InputSpec) -> Any:
        if spec.values:
            return self.random.choice(spec.values)
        if spec.name in SIZES:
            return SIZES[spec.name]
        fallback = {"INT": 1, "FLOAT": 1.0, "STRING": "text", "BOOLEAN": True}.get(spec.type, "none")
        return spec.options.get("default", fallback)

    def _links(self, prompt: Prompt, spec: InputSpec) -> list[list[Any]]:
        return [
            [node_id, slot]
            for node_id, node in prompt.items()
            for slot, (kind, _) in enumerate(self.catalog.nodes[node["class_type"]].outputs)
            if link_fits(kind, spec)
        ]

    # --- mutations ---

    def _node(self, prompt: Prompt) -> dict[str, Any]:
        node = prompt[self.random.choice(list(prompt))]
        node["inputs"] = node["inputs"] if isinstance(node.get("inputs"), dict) else {}
        return node

    def _drop_input(self, prompt: Prompt) -> None:
        inputs = self._node(prompt)["inputs"]
        if inputs:
            del inputs[self.random.choice(list(inputs))]

    def _odd_value(self, prompt: Prompt) -> None:
        inputs = self._node(prompt)["inputs"]
        if inputs:
            inputs[self.random.choice(list(inputs))] = json.loads(json.dumps(self.random.choice(ODD_VALUES)))

    def _odd_link(self, prompt: Prompt) -> None:
        inputs = self._node(prompt)["inputs"]
        if inputs:
            node_id: Any = self.random.choice([*prompt, "missing", 1])
            slot: Any = self.random.choice([0, 0, 1, 2, 9, -1, "0", 0.0, None])
            inputs[self.random.choice(list(inputs))] = [node_id, slot]

    def _unknown_input(self, prompt: Prompt) -> None:
        self._node(prompt)["inputs"]["ghost"] = self.random.choice(
            (5, "x", None, [self.random.choice(list(prompt)), 0])
        )

    def _drop_node(self, prompt: Prompt) -> None:
        if len(prompt) > 1:
            del prompt[self.random.choice(list(prompt))]

    def _wrong_class(self, prompt: Prompt) -> None:
        self._node(prompt)["class_type"] = self.random.choice(("NoSuchClass", "", None, "PreviewImage", "EmptyImage"))

    def _no_class(self, prompt: Prompt) -> None:
        self._node(prompt).pop("class_type", None)

    def _no_inputs(self, prompt: Prompt) -> None:
        self._node(prompt)["inputs"] = self.random.choice((None, [], "text", 5))

    MUTATIONS: tuple[Callable[[Mutants, Prompt], None], ...] = (
        *[_odd_value] * 8, *[_odd_link] * 5, *[_drop_input] * 3, _unknown_input, _drop_node, _wrong_class, _no_class,
        _no_inputs,
    )  # fmt: skip


def _harmless(schema: NodeSchema) -> bool:
    """Nodes whose run neither takes long nor writes elsewhere; some take files that we do not have."""
    return "train" not in schema.category.lower() and "dataset" not in schema.category.lower()


# --- comparing -------------------------------------------------------------------------------------------------


def ours(said: Verdict) -> tuple[int, Any]:
    """Our verdict as (status, body), without what differs from run to run."""
    if said.crash:
        return 500, None
    if said.accepted:
        return 200, comparable({"node_errors": said.node_errors})
    return 400, comparable({"error": said.error, "node_errors": said.node_errors})


def theirs(status: int, body: Any) -> tuple[int, Any]:
    """The server's answer in the same form."""
    if status == 500:
        return 500, None
    return status, comparable({key: value for key, value in body.items() if key in ("error", "node_errors")})


def in_every_order(prompt: Prompt, catalog: Catalog) -> Iterator[Prompt]:
    """The same graph with its outputs in each order: the server visits them in that of a Python set."""
    outputs = [node_id for node_id, node in prompt.items() if _is_output(node, catalog)]
    others = {node_id: node for node_id, node in prompt.items() if node_id not in outputs}
    yield prompt
    for order in permutations(outputs):
        yield {**others, **{node_id: prompt[node_id] for node_id in order}}


def _is_output(node: Any, catalog: Catalog) -> bool:
    kind = node.get("class_type")
    return isinstance(kind, str) and kind in catalog.nodes and catalog.nodes[kind].output_node


_CONSUMER = ("input_name", "input_config", "linked_node")
"""Of the inner exception: which of several inputs met it first, in the order of another set."""


def comparable(body: Mapping[str, Any]) -> Any:
    """Errors and outputs in one order, without tracebacks, tooltips and what only a live catalog says of a combo."""
    plain = _plain(json.loads(json.dumps(body)))
    for entry in plain.get("node_errors", {}).values():
        for error in entry["errors"]:
            if error["type"] == "exception_during_inner_validation":
                error["extra_info"] = {k: v for k, v in error["extra_info"].items() if k not in _CONSUMER}
        entry["errors"].sort(key=lambda error: json.dumps(error, sort_keys=True))
        entry["dependent_outputs"].sort()
    if plain.get("error"):
        plain["error"]["details"] = sorted(plain["error"]["details"].split("\n"))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key not in {"traceback", "tooltip"}}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str):  # Python's word depends on how a class was written, which /object_info does not tell
        return value.replace("list ind", "tuple ind")
    return value
