"""Template + binding → Graph: fill the template in, then splice the attachments on its wires."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from compiler.catalog import Catalog
from compiler.errors import Fault, TemplateError, nearest
from compiler.graph.ir import Graph, Node, Ref
from compiler.plan import Unsupported
from compiler.template.library import Fragment, Library, Template
from compiler.template.skeleton import complete


@dataclass(frozen=True, slots=True)
class Attachment:
    """One use of a fragment."""

    fragment: str
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    wires: Mapping[str, str] = field(default_factory=dict[str, str])
    """Port or given wire of the fragment → wire of the graph; by default the one of the same name."""
    label: str = ""
    """Put behind its node ids: `lora_high_1`."""
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    """Parameter → the caller's field that set it: what a loss is reported on."""


def expand(template: Template, params: Mapping[str, Any], outputs: Iterable[str] = ()) -> Graph:
    """The template with its expressions evaluated. `outputs` picks among the manifest's; none means all."""
    manifest = template.manifest
    nodes = template.skeleton.build(complete(manifest.params, params, template.id))
    wires = {name: Ref(*wire.source) for name, wire in manifest.wires.items()}
    wanted = tuple(outputs) or tuple(manifest.outputs)
    return Graph(nodes, wires, tuple(manifest.outputs[name].node for name in wanted))


def substitutes(
    attachments: Iterable[Attachment], library: Library, catalog: Catalog
) -> tuple[list[Attachment], list[Unsupported]]:
    """Each attachment, or the fragment that stands in where the catalog lacks a class of it, and what that loses."""
    chosen: list[Attachment] = []
    losses: list[Unsupported] = []
    for attachment in attachments:
        fragment = library.fragment(attachment.fragment)
        stand_in = fragment.manifest.substitute
        if stand_in is None or not catalog.lacks(tuple(fragment.skeleton.classes)):
            chosen.append(attachment)
            continue
        missing = ", ".join(sorted(catalog.lacks(tuple(fragment.skeleton.classes))))
        for name, why in stand_in.losses.items():
            if name in attachment.fields:
                reason = f"{why} ({catalog.label} has no {missing})"
                losses.append(Unsupported(attachment.fields[name], reason, "degraded"))
        params = {**attachment.params}
        chosen.append(Attachment(stand_in.fragment, params, attachment.wires, attachment.label, attachment.fields))
    return chosen, losses


def attach(graph: Graph, attachments: Iterable[Attachment], library: Library, host: Mapping[str, Any]) -> Graph:
    """Splices the attachments, by stage and then in order. Every consumer of a replaced wire follows it.

    `host` holds the template's parameters: what an attachment does not give itself is taken from there.
    """
    splices = [(library.fragment(one.fragment), one) for one in attachments]
    splices.sort(key=lambda splice: splice[0].manifest.stage)
    if not splices:
        return graph
    work = _Splicer(graph, host)
    for fragment, attachment in splices:
        work.splice(fragment, attachment)
    return work.finish()


class _Splicer:
    def __init__(self, graph: Graph, host: Mapping[str, Any]) -> None:
        self.graph, self.host = graph, host
        self.wires = dict(graph.wires)
        self.history = {name: [(-1, ref)] for name, ref in graph.wires.items()}  # wire → (stage, value from then on)
        self.added: dict[str, Node] = {}
        self.counts: dict[str, int] = {}
        self.late: list[tuple[str, str, str]] = []  # (node, input, wire) that wait for the wire's final value

    def splice(self, fragment: Fragment, one: Attachment) -> None:
        manifest, suffix = fragment.manifest, self._suffix(fragment, one)
        context = complete(manifest.params, one.params, fragment.id, self.host)
        nodes = fragment.skeleton.build(
            context, suffix, lambda port, node, name: self._port(fragment, one, port, node, name)
        )
        for node_id in nodes:
            if node_id in self.added or node_id in self.graph.nodes:
                raise TemplateError(Fault(fragment.id, f"its node id {node_id!r} is taken", 'Set "many": true'))
        self.added.update(nodes)
        for name, wire in manifest.gives.items():
            target = one.wires.get(name, name)
            self.wires[target] = Ref(wire.source[0] + suffix, wire.source[1])
            self.history.setdefault(target, []).append((manifest.stage, self.wires[target]))

    def _suffix(self, fragment: Fragment, one: Attachment) -> str:
        if one.label:
            return f"_{one.label}"
        if not fragment.manifest.many:
            return ""
        self.counts[fragment.id] = self.counts.get(fragment.id, 0) + 1
        return f"_{self.counts[fragment.id]}"

    def _port(self, fragment: Fragment, one: Attachment, port: str, node_id: str, name: str) -> Ref | None:
        wire = one.wires.get(port, port)
        if wire not in self.wires and fragment.manifest.ports[port].optional:
            return None
        if wire not in self.wires:
            raise TemplateError(
                Fault(fragment.id, f"taps wire {wire!r}, which is not there", nearest(wire, self.wires))
            )
        before = fragment.manifest.ports[port].before
        if before is not None:
            history = self.history[wire]
            return next((ref for stage, ref in reversed(history) if stage < before), history[0][1])
        if wire not in {one.wires.get(given, given) for given in fragment.manifest.gives}:
            self.late.append((node_id, name, wire))
        return self.wires[wire]

    def finish(self) -> Graph:
        """The template's consumers, the waiting taps and the outputs follow each wire to its final value."""
        renames = {old: self.wires[name] for name, old in self.graph.wires.items() if self.wires[name] != old}
        nodes = dict(self.graph.rewired(renames).nodes)
        for node_id, name, wire in self.late:
            node = self.added[node_id]
            self.added[node_id] = Node(node.kind, {**node.inputs, name: self.wires[wire]}, node.title)
        nodes.update(self.added)
        return Graph(nodes, self.wires, self.graph.outputs)
