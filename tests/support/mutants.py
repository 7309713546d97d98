"""Random graphs over a catalog: right ones, and what becomes of them when they are spoilt. One seed, one series."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from math import inf, nan
from typing import Any

from compiler.catalog import AUTOGROW, Catalog, InputSpec, NodeSchema
from compiler.check.own_checks import Files
from compiler.check.rules import rules_for
from compiler.check.verdict import link_fits, verdict

Prompt = dict[str, Any]

ODD_VALUES: tuple[Any, ...] = (
    None, "", "x", "7", " 8 ", "1.5", -1, 0, 3, 2**70, -(2**70), 1.5, -0.1, 1e30, True, False, "true", {}, {"a": 1},
    {"__value__": 4}, {"__value__": "x"}, {"__value__": [1, 2]}, {"__value__": None}, [], ["1"], [1, 2, 3],
    "no such choice", "a/b.png [temp]", "16:9", "1:9", "9:1", "a:b", "1:0", "-4:1",
    nan, inf, -inf, "nan", "inf", "1e3", "1_000", "0x10", "１２", "9" * 5000, "../x.png", {"__value__": nan},
)  # fmt: skip
TEXTS = ("", "a lighthouse at dawn", "42", '["1", 0]', "{{ 7*7 }}", "naïve 東京 🌊", "two\nlines")
SIZES = {"width": 64, "height": 64, "length": 1, "batch_size": 1, "amount": 1, "steps": 1, "blur_radius": 1}
"""Values that keep an accepted graph cheap to run."""
DEEPEST = 4
"""Nodes between an output of a grown graph and its sources."""


class Mutants:
    """Makes one graph after another; `seeds` are right graphs to begin with, beside those that it grows itself."""

    def __init__(self, catalog: Catalog, seed: int, seeds: Iterable[Prompt] = (), files: Files | None = None) -> None:
        self.random = random.Random(seed)
        self.catalog, self.files = catalog, files
        self.seeds = [seed for seed in seeds if all(node["class_type"] in catalog for node in seed.values())]
        self.own = rules_for(catalog.version).own_checks
        usable = [schema for schema in catalog.nodes.values() if _harmless(schema) and self._has_choices(schema)]
        self.depth = _depths(usable)
        self.makers = [schema for schema in usable if schema.outputs and schema.name in self.depth]
        self.outputs = [schema for schema in usable if schema.output_node and schema.name in self.depth]

    def right(self) -> Prompt:
        """A graph that the server takes: one of the seeds, or a grown one."""
        while True:
            prompt = self._seed() if self.seeds and self.random.random() < 0.3 else self._grown()
            if verdict(prompt, self.catalog, files=self.files).accepted:
                return prompt

    def prompt(self) -> tuple[Prompt, list[str]]:
        """A right graph spoilt in none to five places, and the names of what was done to it."""
        prompt, done = self.right(), []
        for _ in range(self.random.choice((0, 1, 1, 1, 1, 2, 2, 3, 5))):
            spoil = self.random.choice(MUTATIONS)
            spoil(self, prompt)
            done.append(spoil.__name__.strip("_"))
        return prompt, done

    # --- growing ---

    def _seed(self) -> Prompt:
        prompt = json.loads(json.dumps(self.random.choice(self.seeds)))
        for node in prompt.values():
            for name, spec in self.catalog.nodes[node["class_type"]].active(node["inputs"]).items():
                if spec.type == "COMBO" and spec.values and node["inputs"].get(name) not in spec.values:
                    node["inputs"][name] = self.random.choice(spec.values)  # a model file that this server has
        return prompt

    def _grown(self) -> Prompt:
        prompt: Prompt = {}
        for _ in range(self.random.choice((1, 1, 2, 3))):
            self._grow(prompt, self.random.choice(self.outputs), DEEPEST)
        return prompt

    def _grow(self, prompt: Prompt, schema: NodeSchema, room: int) -> str:
        inputs: dict[str, Any] = {}
        for spec in schema.by_name.values():
            self._fill(inputs, spec.name, spec, prompt, room)
        node_id = str(len(prompt) + 1)
        prompt[node_id] = {"class_type": schema.name, "inputs": inputs}
        return node_id

    def _fill(self, inputs: dict[str, Any], path: str, spec: InputSpec, prompt: Prompt, room: int) -> None:
        if not spec.required and self.random.random() < 0.7:
            return
        if spec.type == AUTOGROW and spec.autogrow:
            for name in spec.autogrow.names[: spec.autogrow.minimum + self.random.randint(0, 2)]:
                self._fill(inputs, f"{path}.{name}", spec.autogrow.slots[0], prompt, room)
        elif spec.branches:
            inputs[path] = key = self.random.choice(list(spec.branches))
            for nested in spec.branches[key]:
                self._fill(inputs, f"{path}.{nested.name}", nested, prompt, room)
        elif spec.is_widget:
            inputs[path] = self._value(spec)
        elif (link := self._link(prompt, spec, room)) is not None:
            inputs[path] = link

    def _value(self, spec: InputSpec) -> Any:
        if spec.values:
            return self.random.choice(spec.values)
        if spec.name in SIZES:
            return max(SIZES[spec.name], spec.options.get("min", 0))
        low, high = spec.options.get("min", -5), spec.options.get("max", 5)
        if spec.type in ("INT", "FLOAT") and low <= high and self.random.random() < 0.5:
            chosen = self.random.choice((low, high, spec.options.get("default", low)))
            return int(chosen) if spec.type == "INT" else float(chosen)
        if spec.type == "STRING" and self.random.random() < 0.5:
            return self.random.choice(TEXTS)
        fallback = {"INT": 1, "FLOAT": 1.0, "STRING": "text", "BOOLEAN": True}.get(spec.type, "none")
        return spec.options.get("default", fallback)

    def _link(self, prompt: Prompt, spec: InputSpec, room: int) -> list[Any] | None:
        links = self._links(prompt, spec)
        if links and self.random.random() < 0.5:
            return self.random.choice(links)
        makers = [
            (schema, slot)
            for schema in self.makers
            if self.depth[schema.name] < room
            for slot, (kind, _) in enumerate(schema.outputs)
            if link_fits(kind, spec)
        ]
        if makers:
            schema, slot = self.random.choice(makers)
            return [self._grow(prompt, schema, room - 1), slot]
        return self.random.choice(links) if links else None

    def _links(self, prompt: Prompt, spec: InputSpec) -> list[list[Any]]:
        return [
            [node_id, slot]
            for node_id, node in prompt.items()
            for slot, (kind, _) in enumerate(self.catalog.nodes[node["class_type"]].outputs)
            if link_fits(kind, spec)
        ]

    def _has_choices(self, schema: NodeSchema) -> bool:
        """Whether every combo that must be given offers something: no empty model folder."""
        return schema.name in self.own or all(
            spec.values for spec in schema.by_name.values() if spec.required and spec.type == "COMBO"
        )

    # --- spoiling ---

    def _node(self, prompt: Prompt) -> dict[str, Any]:
        node = prompt[self.random.choice(list(prompt))]
        node["inputs"] = node["inputs"] if isinstance(node.get("inputs"), dict) else {}
        return node

    def _inputs(self, prompt: Prompt, wanted: Callable[[InputSpec], bool]) -> list[tuple[dict[str, Any], InputSpec]]:
        """(inputs, spec) of every declared input of the graph that is of the wanted sort."""
        found: list[tuple[dict[str, Any], InputSpec]] = []
        for node in prompt.values():
            kind, inputs = node.get("class_type"), node.get("inputs")
            if isinstance(kind, str) and kind in self.catalog and isinstance(inputs, dict):
                specs = self.catalog.nodes[kind].by_name.values()
                found += [(inputs, spec) for spec in specs if spec.name in inputs and wanted(spec)]
        return found

    def _drop_input(self, prompt: Prompt) -> None:
        inputs = self._node(prompt)["inputs"]
        if inputs:
            del inputs[self.random.choice(list(inputs))]

    def _odd_value(self, prompt: Prompt) -> None:
        inputs = self._node(prompt)["inputs"]
        if inputs:
            inputs[self.random.choice(list(inputs))] = json.loads(json.dumps(self.random.choice(ODD_VALUES)))

    def _out_of_range(self, prompt: Prompt) -> None:
        found = self._inputs(prompt, lambda spec: "min" in spec.options or "max" in spec.options)
        if found:
            inputs, spec = self.random.choice(found)
            low, high = spec.options.get("min", -inf), spec.options.get("max", inf)
            choices = [value for value in (low - 1, high + 1, low * 2 - 0.5, high * 2) if abs(value) < inf]
            inputs[spec.name] = self.random.choice(choices or [0])

    def _wrong_choice(self, prompt: Prompt) -> None:
        found = self._inputs(prompt, lambda spec: spec.type == "COMBO")
        if found:
            inputs, spec = self.random.choice(found)
            inputs[spec.name] = self.random.choice(("nope", "", 3, str((spec.values or ("x",))[0]).upper() + " "))

    def _odd_link(self, prompt: Prompt) -> None:
        inputs = self._node(prompt)["inputs"]
        if inputs:
            node_id: Any = self.random.choice([*prompt, "missing", 1])
            slot: Any = self.random.choice([0, 0, 1, 2, 9, -1, -9, "0", 0.0, None])
            inputs[self.random.choice(list(inputs))] = [node_id, slot]

    def _wrong_link(self, prompt: Prompt) -> None:
        """A link to an output that is there, mostly of another type; often closes a cycle."""
        found = self._inputs(prompt, lambda spec: not spec.is_widget)
        if found:
            inputs, spec = self.random.choice(found)
            inputs[spec.name] = [self.random.choice(list(prompt)), self.random.choice((0, 0, 1))]

    def _cycle(self, prompt: Prompt) -> None:
        links = [
            (node_id, value[0])
            for node_id, node in prompt.items()
            if isinstance(node.get("inputs"), dict)
            for value in node["inputs"].values()
            if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and value[0] in prompt
        ]
        if links:
            consumer, source = self.random.choice(links)
            inputs = prompt[source].get("inputs")
            given = inputs.items() if isinstance(inputs, dict) else ()
            linked = [name for name, value in given if isinstance(value, list)]
            if linked:
                inputs[self.random.choice(linked)] = [self.random.choice((consumer, source)), 0]

    def _unknown_input(self, prompt: Prompt) -> None:
        self._node(prompt)["inputs"]["ghost"] = self.random.choice(
            (5, "x", None, [self.random.choice(list(prompt)), 0])
        )

    def _drop_node(self, prompt: Prompt) -> None:
        if len(prompt) > 1:
            del prompt[self.random.choice(list(prompt))]

    def _stray_node(self, prompt: Prompt) -> None:
        prompt["stray"] = {"class_type": self.random.choice(self.makers).name, "inputs": {}}

    def _wrong_class(self, prompt: Prompt) -> None:
        self._node(prompt)["class_type"] = self.random.choice(("NoSuchClass", "", None, "PreviewImage", "EmptyImage"))

    def _no_class(self, prompt: Prompt) -> None:
        self._node(prompt).pop("class_type", None)

    def _no_inputs(self, prompt: Prompt) -> None:
        self._node(prompt)["inputs"] = self.random.choice((None, [], "text", 5))


MUTATIONS: tuple[Callable[[Mutants, Prompt], None], ...] = (
    *[Mutants._odd_value] * 6, *[Mutants._odd_link] * 4, *[Mutants._drop_input] * 4, *[Mutants._out_of_range] * 4,
    *[Mutants._wrong_choice] * 3, *[Mutants._wrong_link] * 4, *[Mutants._cycle] * 2, Mutants._unknown_input,
    Mutants._drop_node, Mutants._stray_node, Mutants._wrong_class, Mutants._no_class, Mutants._no_inputs,
)  # fmt: skip


def _harmless(schema: NodeSchema) -> bool:
    """Nodes whose run neither takes long nor writes models, which would then be listed as choices."""
    saves = schema.output_node and any(spec.type in ("MODEL", "CLIP", "VAE", "LORA_MODEL") for spec in schema.inputs)
    return not saves and not any(word in schema.category.lower() for word in ("train", "dataset"))


def _depths(schemas: list[NodeSchema]) -> dict[str, int]:
    """Class → how many nodes must stand before it at least, for those that can be fed at all."""
    depth: dict[str, int] = {}
    while True:
        fed: dict[str, int] = {}
        for schema in schemas:
            for kind, _ in schema.outputs if schema.name in depth else ():
                fed[kind] = min(depth[schema.name], fed.get(kind, depth[schema.name]))
        found = dict(depth)
        for schema in schemas:
            needs = [spec for spec in schema.by_name.values() if spec.required and not spec.is_widget]
            slots = [spec.autogrow.slots[0] if spec.autogrow else spec for spec in needs]
            costs = [min((cost for kind, cost in fed.items() if link_fits(kind, spec)), default=inf) for spec in slots]
            total = max(costs, default=-1) + 1
            if total < inf:
                found[schema.name] = min(int(total), depth.get(schema.name, int(total)))
        if found == depth:
            return depth
        depth = found
