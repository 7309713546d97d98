"""What the parts of a graph are for, read off the catalog's facts: types, flags and the names of inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from compiler.catalog import FOLDERS, Catalog, InputSpec, NodeSchema
from compiler.graph.ir import Graph, Node, Ref

_LISTS = {pair: folder for folder, pair in FOLDERS.items()}


class Roles:
    """A graph whose classes the catalog has, with look-ups in both directions."""

    def __init__(self, graph: Graph, catalog: Catalog) -> None:
        self.graph = graph
        self.schemas: Mapping[str, NodeSchema] = {
            node_id: catalog.nodes[node.kind] for node_id, node in graph.nodes.items()
        }
        self.specs: Mapping[str, Mapping[str, InputSpec]] = {
            node_id: self.schemas[node_id].active(node.inputs) for node_id, node in graph.nodes.items()
        }
        self.consumers: dict[Ref, list[tuple[str, str]]] = {}
        """Output → (node, input) of each link from it."""
        for node_id, node in graph.nodes.items():
            for name, ref in node.links():
                self.consumers.setdefault(ref, []).append((node_id, name))

        self.uploads = {
            node_id: medium
            for node_id, specs in self.specs.items()
            for spec in specs.values()
            if (medium := medium_of(self.schemas[node_id], spec))
        }
        """Node that a file of the caller enters at → its medium."""

    def is_source(self, node_id: str) -> bool:
        """Whether a node holds one value for others and does nothing else (PrimitiveInt and the like)."""
        schema = self.schemas[node_id]
        return len(schema.inputs) == 1 == len(schema.outputs) and schema.inputs[0].type == schema.outputs[0][0]

    def type_of(self, ref: Ref) -> str:
        outputs = self.schemas[ref.node].outputs
        return outputs[ref.output][0] if 0 <= ref.output < len(outputs) else ""

    def linked_types(self, node_id: str) -> set[str]:
        """Types of the links into a node."""
        return {self.type_of(ref) for _, ref in self.graph[node_id].links()}

    def outputs_of(self, kind: str) -> Iterator[Ref]:
        """Outputs of a type that something uses, in the graph's order."""
        for node_id, schema in self.schemas.items():
            for slot, (given, _) in enumerate(schema.outputs):
                if given == kind and Ref(node_id, slot) in self.consumers:
                    yield Ref(node_id, slot)

    def samplers(self) -> Iterator[tuple[str, Node]]:
        """Nodes that turn a latent and a model (or a guider) into a latent."""
        for node_id, node in self.graph.nodes.items():
            given = self.linked_types(node_id)
            makes = {kind for kind, _ in self.schemas[node_id].outputs}
            if "LATENT" in given and given & {"MODEL", "GUIDER"} and "LATENT" in makes:
                yield node_id, node

    def is_negative(self, node_id: str) -> bool:
        """Whether a node's conditioning ends in an input for what is to be kept out, and in no other."""
        ends = set(self._ends(node_id, set()))
        return bool(ends) and all("negative" in name or "uncond" in name for name in ends)

    def _ends(self, node_id: str, met: set[str]) -> Iterator[str]:
        met.add(node_id)
        for slot, (kind, _) in enumerate(self.schemas[node_id].outputs):
            for consumer, name in self.consumers.get(Ref(node_id, slot), ()):
                if kind == "CONDITIONING" and any(word in name for word in ("positive", "negative", "uncond")):
                    yield name
                elif kind in ("CONDITIONING", "STRING") and consumer not in met:
                    yield from self._ends(consumer, met)

    def encodes_text(self, node_id: str) -> bool:
        """Whether a node's text becomes conditioning or a prompt, through other text nodes if need be.

        Not that of a node which joins or replaces texts: what it holds itself is meant to stay.
        """
        kinds = [kind for kind, _ in self.schemas[node_id].outputs]
        if "CONDITIONING" in kinds:
            return True
        texts = [spec for spec in self.schemas[node_id].inputs if spec.type == "STRING"]
        return len(texts) == 1 and self._ends_as_text(node_id, kinds)

    def _ends_as_text(self, node_id: str, kinds: list[str]) -> bool:
        for slot, kind in enumerate(kinds):
            for consumer, name in self.consumers.get(Ref(node_id, slot), ()) if kind == "STRING" else ():
                made = [kind for kind, _ in self.schemas[consumer].outputs]
                if "CONDITIONING" in made or "prompt" in name or self._ends_as_text(consumer, made):
                    return True
        return False


def model_folder(kind: str, spec: InputSpec) -> str:
    """The model folder that a combo lists, or an empty string."""
    return (
        spec.folder.removeprefix("models/") if spec.folder.startswith("models/") else _LISTS.get((kind, spec.name), "")
    )


def medium_of(schema: NodeSchema, spec: InputSpec) -> str:
    """What an upload input takes: `image`, `mask`, `video`, `audio`; empty for any other input."""
    if not spec.is_upload:
        return ""
    made = [kind for kind, _ in schema.outputs]
    for kind, medium in (("VIDEO", "video"), ("AUDIO", "audio"), ("IMAGE", "image"), ("MASK", "mask")):
        if kind in made:
            return medium
    return "image" if spec.options.get("image_upload") else ""


def output_kind(schema: NodeSchema, linked: set[str]) -> str:
    """Kind of what an output node writes; empty for what is none of ours."""
    if "VIDEO" in linked or ("IMAGE" in linked and {"fps", "frame_rate"} & schema.by_name.keys()):
        return "video"
    for kind, made in (("IMAGE", "image"), ("MASK", "image"), ("AUDIO", "audio"), ("STRING", "text")):
        if kind in linked:
            return made
    return ""
