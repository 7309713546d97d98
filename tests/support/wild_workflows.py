"""Random workflows in the format of ComfyUI's page, tricky ones: every construct that a file may hold, in any mixture.

One seed, one series: `Wild(catalog, seed).workflow()` gives one after another.
"""

from __future__ import annotations

import itertools
import random
import uuid
from dataclasses import dataclass, field
from typing import Any

from compiler.catalog import DYNAMIC_COMBO, MATCH_TYPE, Catalog, InputSpec, NodeSchema
from compiler.workflow.layout import CONTROL, WidgetSpec, is_widget, layout_of, sockets_of
from compiler.workflow.rules import rules_for

FAVOURITES = (
    "KSampler", "KSamplerAdvanced", "CLIPTextEncode", "EmptyImage", "ImageBlur", "ImageInvert", "ImageBatch",
    "LoadImage", "SaveImage", "PreviewImage", "PreviewAny", "LoraLoader", "CheckpointLoaderSimple", "VAEDecode",
    "EmptyLatentImage", "ImageScaleBy", "PrimitiveInt", "PrimitiveString", "PrimitiveFloat", "RandomNoise",
    "ResizeImageMaskNode", "BatchImagesNode", "ComfySwitchNode", "CustomCombo", "ConditioningCombine",
    "ControlNetApplyAdvanced", "MaskToImage", "ImageToMask", "StringConcatenate", "BatchMasksNode",
    "BatchLatentsNode", "LoadImageMask", "SaveAudio", "LatentUpscale", "Canny",
)  # fmt: skip
"""Classes that come more often than the rest."""
DYNAMIC = ("Batch", "ComfySwitch", "CustomCombo", "ResizeImageMask")
"""Beginnings of those whose slots or widgets move; there were none yet when group nodes were made."""
ANY = "*"
TEXTS = (
    "",
    "x",
    "a cat, blue sky",
    "a\r\nb",
    " 7 ",
    "(a:1.2)",
    "naïve 東京 🌊",
    r"\{b\}",
    "{one}",
    "a /* b */ c",
    "http://a",
)
ODD: tuple[Any, ...] = (None, "", 0, -1, 2.5, "16", True, [1, 2], ["1", 0], {"a": 1}, 2**60, "no such choice", [], 1e30)
PREFIXES = ("out", "%EmptyImage.width%/x", "a%date:%", "%Noted.text%", "%width%")


@dataclass
class Scope:
    """Nodes and links of the root or of one definition, while it grows."""

    nodes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    links: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    ends: list[tuple[Any, int, str]] = field(default_factory=list[tuple[Any, int, str]])
    """(node, slot, type) of all outputs so far."""
    primitives: set[Any] = field(default_factory=set[Any])
    """Primitives among them: the page lets them feed widgets alone."""


class Wild:
    """Makes workflows; `catalog` is the one of the page's ComfyUI."""

    def __init__(self, catalog: Catalog, seed: int) -> None:
        self.random = random.Random(seed)
        self.catalog, self.rules = catalog, rules_for(catalog.version)
        self.classes = [
            schema
            for schema in catalog.nodes.values()
            if not schema.api_node
            and not {"LOAD_3D", "LOAD_3D_ANIMATION", "WEBCAM", "AUDIO_RECORD"} & {spec.type for spec in schema.inputs}
        ]
        self.favourites = [catalog.nodes[name] for name in FAVOURITES if name in catalog.nodes]
        self.plain = [schema for schema in self.favourites if not schema.name.startswith(DYNAMIC)]
        self.definitions: list[dict[str, Any]] = []
        self.groups: dict[str, Any] = {}

    def chance(self, part: float) -> bool:
        return self.random.random() < part

    def workflow(self) -> dict[str, Any]:
        self.definitions, self.groups, self.numbers = [], {}, itertools.count(1)
        for _ in range(self.random.choice((0, 0, 1, 1, 2, 3))):
            self.definitions.append(self._definition())
        root = self._grown(self.random.randint(3, 12), inside=False)
        new = self.chance(0.3)
        listed = [[one["id"], *(one[key] for key in ENDS), one["type"]] for one in root.links]
        document: dict[str, Any] = {
            "version": 1 if new else 0.4,
            "nodes": root.nodes,
            "links": root.links if new else listed,
        }
        if new:
            document["state"] = {"lastNodeId": 99, "lastLinkId": 999, "lastGroupId": 0, "lastRerouteId": 0}
        document |= {"last_node_id": 99, "last_link_id": 999, "groups": [], "config": {}}
        document["extra"] = {"groupNodes": self.groups} if self.groups else {}
        if self.definitions:
            document["definitions"] = {"subgraphs": self.definitions}
        return document

    # --- scopes ---

    def _grown(self, size: int, *, inside: bool) -> Scope:
        scope = Scope()
        for number in range(1, size + 1):
            node_id = number if inside or not self.chance(0.02) else f"n{number}"
            scope.nodes.append(self._node(scope, node_id, inside))
        if self.chance(0.15):
            self.random.shuffle(scope.nodes)
        for node in scope.nodes:
            for slot, out in enumerate(node["outputs"]):
                out["links"] = [
                    link["id"] for link in scope.links if (link["origin_id"], link["origin_slot"]) == (node["id"], slot)
                ]
        return scope

    def _node(self, scope: Scope, node_id: Any, inside: bool) -> dict[str, Any]:
        node: dict[str, Any] = {"id": node_id, "type": "", "pos": [0, 0], "size": [200, 100], "flags": {}, "order": 0}
        node |= {"mode": self.random.choice((0, 0, 0, 0, 0, 0, 4, 4, 2)), "inputs": [], "outputs": [], "properties": {}}
        if self.chance(0.15):
            node["title"] = self.random.choice(("Noted", "EmptyImage", "My node", ""))
        kinds = [self._of_class] * 12 + [self._reroute, self._reroute, self._primitive, self._unknown, self._note]
        kinds += [self._instance] * 4 if self.definitions else []
        kinds += [self._group] if not inside else []
        self.random.choice(kinds)(scope, node)
        if not self._matching(node["type"]):
            scope.ends += [(node_id, slot, out["type"]) for slot, out in enumerate(node["outputs"])]
        return node

    def _matching(self, kind: str) -> bool:
        """Whether a class gives what it is given: its links are kept or dropped by the order of the file."""
        schema = self.catalog.get(kind)
        return schema is not None and any(kind == MATCH_TYPE for kind, _ in schema.outputs)

    def _link(
        self, scope: Scope, node: dict[str, Any], kind: str, widget: str = "", *, strict: bool = False
    ) -> int | None:
        """A link into the next input of a node, from a fitting output more often than not."""
        open_ends = [end for end in scope.ends if end[0] not in scope.primitives or (widget and end[2] == kind)]
        fitting = [end for end in open_ends if kind in (end[2], ANY) or end[2] == ANY or end[2] in kind.split(",")]
        if strict:
            fitting = open_ends = [end for end in fitting if end[2] != ANY]
        ends = fitting if fitting and not self.chance(0.06) else open_ends
        if not ends or self.chance(0.12) or (not fitting and self.chance(0.8)):
            return None
        origin, slot, made = self.random.choice(ends[-8:])
        return self._linked(scope, (origin, slot), (node["id"], len(node["inputs"])), made)

    def _linked(self, scope: Scope, source: tuple[Any, int], target: tuple[Any, int], kind: str) -> int:
        ends = dict(zip(ENDS, (*source, *target), strict=True))
        scope.links.append({"id": next(self.numbers), **ends, "type": kind})
        return scope.links[-1]["id"]

    def _input(
        self,
        scope: Scope,
        node: dict[str, Any],
        name: str,
        kind: str,
        widget: str = "",
        often: float = 1.0,
        *,
        strict: bool = False,
    ) -> None:
        link = self._link(scope, node, kind, widget, strict=strict) if self.chance(often) else None
        if link is None and self.chance(0.3):
            return
        node["inputs"].append(
            {"name": name, "type": kind, "link": link, **({"widget": {"name": widget}} if widget else {})}
        )

    # --- nodes ---

    def _of_class(self, scope: Scope, node: dict[str, Any]) -> None:
        schema = self.random.choice(self.favourites if self.chance(0.75) else self.classes)
        self._as_class(schema, scope, node)

    def _as_class(self, schema: NodeSchema, scope: Scope, node: dict[str, Any]) -> None:
        node["type"] = schema.name
        if self.chance(0.5):
            node["properties"]["Node name for S&R"] = schema.name
        layout = layout_of(schema, self.rules)
        sockets = list(layout.sockets)
        values, nested = self._values(schema)
        sockets += nested
        for grow in layout.growing:
            assert grow.autogrow is not None
            sockets += [(f"{grow.name}.{name}", grow.autogrow.slots[0].type, "") for name in grow.autogrow.names[2:5]]
        if self.chance(0.1):
            self.random.shuffle(sockets)
        matched = ANY
        for name, kind, widget in sockets:
            if self._matching(schema.name) and not widget:
                self._input(scope, node, name, kind if matched == ANY else matched, often=0.9, strict=True)
                matched = next((one["type"] for one in scope.links if one["target_id"] == node["id"]), ANY)
            else:
                self._input(scope, node, name, kind, widget, often=0.2 if widget else 0.9)
        if self.chance(0.03):
            self._input(scope, node, "extra", ANY)
        node["outputs"] = [
            {"name": name, "type": kind} for kind, (_, name) in zip(layout.outputs, schema.outputs, strict=True)
        ]
        if values or self.chance(0.5):
            node["widgets_values"] = self._spoilt(values)

    def _values(self, schema: NodeSchema) -> tuple[list[Any], list[tuple[str, str, str]]]:
        """Saved values of a class in order, and the slots that its dynamic choices add."""
        values: list[Any] = []
        nested: list[tuple[str, str, str]] = []
        for widget in layout_of(schema, self.rules).widgets:
            if widget.saved:
                values.append(self._value(widget))
                if widget.kind == DYNAMIC_COMBO and widget.spec is not None:
                    inner, slots = self._branch(widget.name, widget.spec, values[-1])
                    values, nested = [*values, *inner], [*nested, *slots]
        return values, nested

    def _branch(self, path: str, spec: InputSpec, key: Any) -> tuple[list[Any], list[tuple[str, str, str]]]:
        values: list[Any] = []
        slots: list[tuple[str, str, str]] = []
        for inner in spec.branches.get(key, ()):
            name = f"{path}.{inner.name}"
            if is_widget(inner, self.rules):
                values.append(self._value(WidgetSpec(name, inner.type, spec=inner)))
                slots.append((name, inner.type, name))
            else:
                slots += list(sockets_of(name, inner))
        return values, slots

    def _value(self, widget: WidgetSpec) -> Any:
        spec, choose = widget.spec, self.random.choice
        if widget.name == CONTROL:
            return choose(("fixed", "increment", "randomize"))
        if widget.name == "filename_prefix":
            return choose(PREFIXES)
        if spec is not None and spec.branches:
            return choose(list(spec.branches))
        if widget.kind == "COMBO":
            return choose(spec.values) if spec is not None and spec.values else "a.safetensors"
        made = {"INT": choose((0, 1, 7, 64, 999)), "FLOAT": choose((0.5, 1, 2.25)), "BOOLEAN": self.chance(0.5)}
        return made.get(widget.kind, choose(TEXTS) if widget.kind == "STRING" else widget.default)

    def _spoilt(self, values: list[Any]) -> Any:
        values = list(values)
        if values and self.chance(0.08):
            values[self.random.randrange(len(values))] = self.random.choice(ODD)
        if values and self.chance(0.06):
            values = values[: self.random.randrange(len(values))]
        if self.chance(0.04):
            values += [self.random.choice(ODD)]
        if self.chance(0.02):
            return {f"w{index}": value for index, value in enumerate(values)}
        return None if self.chance(0.02) else values

    def _reroute(self, scope: Scope, node: dict[str, Any]) -> None:
        node["type"] = "Reroute"
        link = self._link(scope, node, ANY)
        node["inputs"] = [{"name": "", "type": ANY, "link": link}]
        kind = next((one["type"] for one in scope.links if one["id"] == link), ANY)
        node["outputs"] = [{"name": "", "type": kind}]

    def _primitive(self, scope: Scope, node: dict[str, Any]) -> None:
        kind, value = self.random.choice((("INT", 33), ("FLOAT", 1.5), ("STRING", "said"), ("COMBO", "euler")))
        node |= {"type": "PrimitiveNode", "widgets_values": [value, "fixed"] if self.chance(0.9) else []}
        node["outputs"] = [{"name": kind, "type": kind}]
        scope.primitives.add(node["id"])

    def _unknown(self, scope: Scope, node: dict[str, Any]) -> None:
        node["type"] = "NotInstalled"
        for index in range(self.random.randint(0, 2)):
            self._input(scope, node, f"in{index}", self.random.choice(("IMAGE", "MODEL", ANY)))
        node["outputs"] = [{"name": kind, "type": kind} for kind in self.random.sample(("IMAGE", "MASK", "INT"), 2)]
        if self.chance(0.7):
            node["widgets_values"] = [1, self.random.choice(ODD)]

    def _note(self, scope: Scope, node: dict[str, Any]) -> None:
        node |= {"type": self.random.choice(("Note", "MarkdownNote")), "widgets_values": ["text"]}

    # --- subgraphs and groups ---

    def _definition(self) -> dict[str, Any]:
        scope = self._grown(self.random.randint(1, 6), inside=True)
        name = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        open_slots = [(node, slot) for node in scope.nodes for slot in node["inputs"] if slot["link"] is None]
        open_slots = [pair for pair in open_slots if pair[0]["type"] not in ("Reroute",)]
        self.random.shuffle(open_slots)
        inputs: list[dict[str, Any]] = []
        for node, slot in open_slots[: self.random.randint(0, 5)]:
            port = next((one for one in inputs if one["type"] == slot["type"] and self.chance(0.4)), None)
            if port is None:
                taken = {one["name"] for one in inputs}
                names = (slot["name"], *(f"{slot['name']}_{n}" for n in range(1, 9)))
                label = next(one for one in names if one not in taken)
                port = {"id": f"{name}-{len(inputs)}", "name": label, "type": slot["type"], "linkIds": []}
                inputs.append(port)
            target = (node["id"], node["inputs"].index(slot))
            slot["link"] = self._linked(scope, (-10, inputs.index(port)), target, slot["type"])
            port["linkIds"].append(slot["link"])
        outputs = self._outputs(scope, name)
        made: dict[str, Any] = {"id": name, "name": f"Sub {name[:4]}", "version": 1, "revision": 0, "config": {}}
        made |= {"state": {"lastGroupId": 0, "lastNodeId": 99, "lastLinkId": 999, "lastRerouteId": 0}}
        made |= {"inputNode": {"id": -10, "bounding": [0, 0, 120, 60]}}
        made |= {"outputNode": {"id": -20, "bounding": [900, 0, 120, 60]}}
        made |= {"inputs": inputs, "outputs": outputs, "nodes": scope.nodes, "links": scope.links}
        return {**made, "groups": [], "widgets": [], "extra": {}}

    def _outputs(self, scope: Scope, name: str) -> list[dict[str, Any]]:
        outputs: list[dict[str, Any]] = []
        ends = [end for end in scope.ends if end[0] not in scope.primitives]
        for node_id, slot, kind in self.random.sample(ends, min(len(ends), self.random.randint(0, 3))):
            number, place = self._linked(scope, (node_id, slot), (-20, len(outputs)), kind), len(outputs)
            outputs.append({"id": f"{name}-o{place}", "name": f"{kind}{place}", "type": kind, "linkIds": [number]})
            node = next(node for node in scope.nodes if node["id"] == node_id)
            node["outputs"][slot].setdefault("links", []).append(number)
        return outputs

    def _instance(self, scope: Scope, node: dict[str, Any]) -> None:
        made = self.random.choice(self.definitions)
        node["type"] = made["id"]
        promoted: list[tuple[str, Any]] = []
        for port in made["inputs"]:
            widget = self._widget_behind(made, port)
            self._input(
                scope, node, port["name"], port["type"], port["name"] if widget else "", often=0.25 if widget else 0.9
            )
            if widget:
                promoted.append((port["name"], self._value(widget)))
        node["outputs"] = [{"name": out["name"], "type": out["type"]} for out in made["outputs"]]
        values = [value for _, value in promoted]
        if promoted and self.chance(0.5):
            entries = [("-1", name) for name, _ in promoted if self.chance(0.9)]
            inner = [
                (str(one["id"]), widget["widget"]["name"])
                for one in made["nodes"]
                for widget in one["inputs"]
                if "widget" in widget
            ]
            entries += self.random.sample(inner, min(len(inner), self.random.randint(0, 2)))
            self.random.shuffle(entries)
            node["properties"]["proxyWidgets"] = [list(entry) for entry in entries]
            values = [dict(promoted).get(name) if at == "-1" else None for at, name in entries]
        if self.chance(0.8):
            node["widgets_values"] = self._spoilt(values)

    def _widget_behind(self, made: dict[str, Any], port: dict[str, Any]) -> WidgetSpec | None:
        for node in made["nodes"]:
            for slot in node["inputs"]:
                if slot["link"] in port["linkIds"] and "widget" in slot:
                    schema = self.catalog.get(node["type"])
                    spec = schema.by_name.get(slot["name"]) if schema else None
                    return WidgetSpec(port["name"], slot["type"], spec=spec)
        return None

    def _group(self, scope: Scope, node: dict[str, Any]) -> None:
        """A legacy group node, of a group made for it."""
        inner = Scope()
        saved: list[dict[str, Any]] = []
        values: list[Any] = []
        links: list[list[Any]] = []
        for index in range(self.random.randint(1, 3)):
            one: dict[str, Any] = {
                "id": index,
                "pos": [0, 0],
                "size": [9, 9],
                "flags": {},
                "order": index,
                "mode": 0,
                "inputs": [],
                "outputs": [],
                "properties": {},
            }
            self._as_class(self.random.choice(self.plain), inner, one)
            inner.ends += [(index, slot, out["type"]) for slot, out in enumerate(one["outputs"])]
            one["index"] = index
            one["inputs"] = [slot for slot in one["inputs"] if "widget" not in slot or slot["link"] is not None]
            saved.append(one)
            given = one.get("widgets_values")
            values += given if isinstance(given, list) else []
        for one in saved:
            for number, slot in enumerate(one["inputs"]):
                link = next((link for link in inner.links if link["id"] == slot["link"]), None)
                if link:
                    links.append(
                        [link["origin_id"], link["origin_slot"], one["index"], number, link["id"], link["type"]]
                    )
            del one["id"]
        name = f"Group{self.random.getrandbits(40):x}"
        self.groups[name] = {"nodes": saved, "links": links, "external": []}
        node |= {"type": f"workflow{self.random.choice('>/')}{name}", "widgets_values": values}
        seen: set[str] = set()
        for one in saved:
            for slot in one["inputs"]:
                if slot["link"] is None:
                    label = slot["name"] if slot["name"] not in seen else f"{one['type']} {slot['name']}"
                    seen.add(label)
                    self._input(scope, node, label, slot["type"])
        used = {(link[0], link[1]) for link in links}
        node["outputs"] = [{"name": out["name"], "type": out["type"]} for one in saved
                           for slot, out in enumerate(one["outputs"]) if (one["index"], slot) not in used]  # fmt: skip


ENDS = ("origin_id", "origin_slot", "target_id", "target_slot")
