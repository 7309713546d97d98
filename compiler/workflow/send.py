"""A settled workflow → the prompt that ComfyUI's page sends: `{id: {"inputs", "class_type", "_meta"}}`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from compiler.errors import Fault
from compiler.graph.api_json import VALUE_KEY
from compiler.graph.ir import Ref
from compiler.workflow.faults import Broken
from compiler.workflow.javascript import as_javascript, as_text
from compiler.workflow.load import Workflow
from compiler.workflow.marks import KEY, exact, restore
from compiler.workflow.model import ABSENT, BYPASSED, MUTED, VIRTUAL, Knot, Role, Scope, Widget, items, mapping, text
from compiler.workflow.resolve import Inherited, Place, places, resolve
from compiler.workflow.texts import UNFINISHED, dynamic_prompt, filename, is_unfinished, unix_lines


@dataclass(slots=True)
class Sender:
    """Makes the prompt of one workflow."""

    workflow: Workflow
    now: datetime | None
    faults: list[Fault] = field(default_factory=list[Fault])
    findings: list[Fault] = field(default_factory=list[Fault])
    all_nodes: list[Knot] = field(default_factory=list[Knot])

    def prompt(self) -> dict[str, Any]:
        """All nodes that are sent: whole numbers first, ascending, then the rest as the page visits them."""
        known = places(self.workflow.root)
        sent = {place.id: self._node(place, known) for place in known.values() if _is_sent(place.knot)}
        numbered = sorted([node_id for node_id in sent if node_id.isdecimal()], key=int)
        return {node_id: sent[node_id] for node_id in (*numbered, *(key for key in sent if not key.isdecimal()))}

    def _node(self, place: Place, known: dict[str, Place]) -> dict[str, Any]:
        knot = place.knot
        inputs: dict[str, Any] = {}
        if knot.role is Role.UNKNOWN:
            self._unknown(place, inputs)
        linked, marked = self._linked(place, known), KEY in mapping(knot.raw.get("properties"))
        for widget in knot.widgets:
            name = widget.spec.name
            if name in linked:
                inputs[name] = linked[name]
            elif widget.spec.sent and name and (_shown(widget) is not ABSENT or self._replaces(place, widget)):
                kept = exact(knot.raw, widget.spec, widget.value) if marked else None
                inputs[name] = self._widget(place, widget) if kept is None else _wrapped(kept)
        inputs.update(linked)
        for name in [name for name, value in linked.items() if _leads_nowhere(value, known)]:
            del inputs[name]
            if place.scope.group and known[linked[name][0]].knot.mode != MUTED:
                what = f"ComfyUI's page drops the link into {name!r}: a group takes links from plain nodes alone"
                cure = "Convert the group node to a subgraph"
                self.findings.append(Fault(place.where, what, cure, "lost_link"))
        if marked:
            restore(knot.raw, {widget.name: widget.spec for widget in knot.widgets}, inputs)
        if knot.role is Role.UNKNOWN:
            title = text(knot.raw.get("title"))
            return {"inputs": inputs, "_meta": {"title": title} if title else {}}
        return {"inputs": inputs, "class_type": knot.kind, "_meta": {"title": knot.title}}

    def _linked(self, place: Place, known: dict[str, Place]) -> dict[str, Any]:
        """Inputs that come over links: `[id, output]`, or the value of a promoted widget."""
        inputs: dict[str, Any] = {}
        for index, slot in enumerate(place.knot.slots):
            if slot.link is None:
                continue
            try:
                found = resolve(place, index, known)
            except Broken as broken:
                self.faults.append(Fault(place.where, broken.what, broken.cure, broken.code))
                continue
            if isinstance(found, Ref):
                inputs[slot.name] = [found.node, found.output]
            elif found is not None and (found.multiline or found.value is not ABSENT):
                inputs[slot.name] = self._inherited(place, slot.name, found)
        return inputs

    def _unknown(self, place: Place, inputs: dict[str, Any]) -> None:
        values = items(place.knot.raw.get("widgets_values"))
        if values:
            last = as_javascript(values[-1])
            as_text = last is None or isinstance(last, (list, dict))
            inputs["UNKNOWN"] = json.dumps(last, separators=(",", ":"), ensure_ascii=False) if as_text else last
        cure = "Give a catalog that has it: --catalog URL of a ComfyUI with its node pack"
        self.faults.append(Fault(place.where, f"the class {place.knot.kind!r} is not known", cure, "unknown"))

    def _widget(self, place: Place, widget: Widget) -> Any:
        value, spec = _shown(widget), widget.spec.spec
        if spec is not None and spec.is_upload and spec.type == "COMBO" and not isinstance(value, str):
            value = _file(value, widget)
        if widget.spec.kind in self.workflow.rules.captured:
            what, cure = "the page takes this from the browser; it is left empty", "Set it in the graph"
            self.findings.append(Fault(f"{place.where}.{widget.name}", what, cure, "captured"))
        if self._replaces(place, widget):
            if not isinstance(value, str):
                cure = "Give it a text"
                shown = "there is no value" if value is ABSENT else f"{value!r} is no text"
                self.faults.append(Fault(f"{place.where}.{widget.name}", shown, cure))
                return None
            value = self.replaced(value)
        if isinstance(value, str):
            if spec is not None and spec.options.get("dynamicPrompts"):
                value = self._dynamic(place, widget.name, value)
            return value
        return self._value(place, widget.name, value)

    def _replaces(self, place: Place, widget: Widget) -> bool:
        """Whether the page replaces patterns in a widget's text; it fails if that is no text."""
        return widget.spec.name == "filename_prefix" and place.knot.kind in self.workflow.rules.replacing

    def _inherited(self, place: Place, name: str, found: Inherited) -> Any:
        return self._value(place, name, text_area(found.value) if found.multiline else found.value)

    def _dynamic(self, place: Place, name: str, value: str) -> str:
        where = f"{place.where}.{name}"
        try:
            plain, choice = dynamic_prompt(value)
        except Broken as broken:
            self.faults.append(Fault(where, broken.what, broken.cure, broken.code))
            return value
        if choice:
            cure = r"Write \{ and \} for braces that stay"
            self.findings.append(Fault(where, "of {a|b} the first is taken; the page draws one", cure, "choice"))
        if "://" in value and "://" not in plain:
            cure = "Write the address without //"
            self.findings.append(Fault(where, "the page takes // for a comment: an address is cut", cure, "cut"))
        if plain.endswith(UNFINISHED) and is_unfinished(value):
            what = "the page adds “undefined” after the backslash at the end"
            self.findings.append(Fault(where, what, "Take the backslash away", "undefined"))
        return plain

    def replaced(self, value: str, scope: Scope | None = None) -> str:
        """Text with `%Node.widget%` and `%date:…%` replaced as the page does it."""
        if "%" not in value:
            return value
        if not self.all_nodes:
            every = places(self.workflow.root).values()
            self.all_nodes = [place.knot for place in every if not place.scope.group]
        return filename(value, self._look_up, self.now)

    def _look_up(self, node: str, widget: str) -> object:
        named = [knot for knot in self.all_nodes if knot.alias == node]
        named = named or [knot for knot in self.all_nodes if knot.title == node]
        found = named[0].widget(widget) if named else None
        if found is None:
            return None
        value = _shown(found)
        return "" if value in (None, ABSENT) else value

    def _value(self, place: Place, name: str, value: Any) -> Any:
        """A value as JSON from JavaScript has it; a list is wrapped, so that it is no link."""
        plain = as_javascript(value)
        if type(value) is int and plain != value:
            what = f"{value} is sent as {plain}: ComfyUI's page loses digits beyond 2^53"
            where = f"{place.where}.{name}"
            self.findings.append(Fault(where, what, "Use a number below 9007199254740992", "rounded"))
        return _wrapped(plain)


def _shown(widget: Widget) -> Any:
    """A widget's value as the page reads it: that of a text area is text."""
    spec = widget.spec.spec
    return text_area(widget.value) if spec is not None and spec.options.get("multiline") else widget.value


def _file(value: Any, widget: Widget) -> Any:
    """What an upload widget makes of a value that is no text: the first of a list, the first file for
    nothing, no name for what is none."""
    if value.__class__ is list and value:
        return value[0]
    if value:
        return text(mapping(value).get("filename"))
    spec = widget.spec.spec
    if value.__class__ is list or spec is None or spec.values is None:
        return value
    return widget.spec.default if spec.values else "undefined"


def text_area(value: Any) -> str:
    """A value after it was written into a text area."""
    return unix_lines("undefined" if value is ABSENT else as_text(value))


def _wrapped(value: Any) -> Any:
    return {VALUE_KEY: value} if value.__class__ is list else value


def _is_sent(knot: Knot) -> bool:
    return knot.role not in VIRTUAL and knot.mode not in (MUTED, BYPASSED)


def _leads_nowhere(value: Any, known: dict[str, Place]) -> bool:
    return value.__class__ is list and not _is_sent(known[value[0]].knot)
