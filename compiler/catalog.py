"""What one ComfyUI offers, as a frozen value: node schemas and, through their combos, model files.

A catalog is parsed (see `catalog_parse`), never fetched: the runner reads `/object_info` and hands the JSON over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from typing import Any, Final

from compiler.errors import nearest

WIDGET_TYPES: Final = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})
"""Types whose values are written into the prompt; every other type arrives over a link."""

DYNAMIC_COMBO: Final = "COMFY_DYNAMICCOMBO_V3"
AUTOGROW: Final = "COMFY_AUTOGROW_V3"
MATCH_TYPE: Final = "COMFY_MATCHTYPE_V3"

FOLDERS: Final[Mapping[str, tuple[str, str]]] = {
    "checkpoints": ("CheckpointLoaderSimple", "ckpt_name"),
    "diffusion_models": ("UNETLoader", "unet_name"),
    "text_encoders": ("CLIPLoader", "clip_name"),
    "vae": ("VAELoader", "vae_name"),
    "loras": ("LoraLoaderModelOnly", "lora_name"),
    "controlnet": ("ControlNetLoader", "control_net_name"),
    "clip_vision": ("CLIPVisionLoader", "clip_name"),
    "style_models": ("StyleModelLoader", "style_model_name"),
    "model_patches": ("ModelPatchLoader", "name"),
    "upscale_models": ("UpscaleModelLoader", "model_name"),
}
"""Model folder → the core node and input whose combo lists its files (ComfyUI 0.3.64 and 0.8.0)."""


@dataclass(frozen=True, slots=True)
class Autogrow:
    """An input that grows into numbered or named slots: `images` → `images.image0`, `images.image1`, …"""

    slots: tuple[InputSpec, ...]
    """The slot's own inputs; one, in every core node of 0.8.0."""
    names: tuple[str, ...]
    """All slot names that the server accepts, in order."""
    minimum: int


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One declared input of a node class."""

    name: str
    type: str
    """`INT`, `MODEL`, `COMBO`, `IMAGE,MASK`, `*`, …"""
    group: str = "required"
    """`required`, `optional` or `hidden`."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Facts beside the type: default, min, max, step, multiline, forceInput, …"""
    values: tuple[Any, ...] | None = None
    """The choices of a COMBO; None where they are not known (a folder of a shipped catalog)."""
    folder: str = ""
    """For a COMBO of files: where they lie, e.g. `models/loras`, `input:image` (shipped catalogs only)."""
    listed: bool = False
    """Declared as a plain list (V1): ComfyUI 0.3.64 checks membership of these combos only."""
    branches: Mapping[str, tuple[InputSpec, ...]] = field(default_factory=dict[str, "tuple[InputSpec, ...]"])
    """Dynamic combo: the inputs that each choice adds, under dotted names."""
    autogrow: Autogrow | None = None

    @property
    def is_widget(self) -> bool:
        """True if a plain value may be written for it."""
        return (self.type in WIDGET_TYPES or self.type == DYNAMIC_COMBO) and not self.options.get("forceInput")

    @property
    def is_upload(self) -> bool:
        """True for a combo that lists the input folder: the runner uploads the file before it submits."""
        flags = ("image_upload", "audio_upload", "video_upload", "file_upload")
        return self.folder.startswith("input") or any(self.options.get(flag) for flag in flags)

    @property
    def required(self) -> bool:
        return self.group == "required"


@dataclass(frozen=True)
class NodeSchema:
    """One node class: its inputs in declared order and its outputs."""

    name: str
    inputs: tuple[InputSpec, ...]
    outputs: tuple[tuple[str, str], ...]
    """(type, name) of each output slot; a combo output has the type `COMBO`."""
    output_node: bool = False
    category: str = ""
    api_node: bool = False
    deprecated: bool = False
    experimental: bool = False
    output_is_list: tuple[bool, ...] = ()
    display_name: str = ""
    v3: bool = False
    """Written against ComfyUI's newer node API; the server words some errors otherwise then."""
    pack: str = ""
    """The node pack that it comes from, by its folder; empty for ComfyUI's own (live catalogs only)."""
    choices: Mapping[int, tuple[Any, ...]] = field(default_factory=dict[int, "tuple[Any, ...]"])
    """Output slot → its type where that is a plain list of choices (some packs)."""

    @cached_property
    def by_name(self) -> Mapping[str, InputSpec]:
        """Declared inputs by name; hidden ones are not written in a prompt and are left out."""
        return {spec.name: spec for spec in self.inputs if spec.group != "hidden"}

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        """Required widgets that have a default, or a combo's first choice: what a prompt may leave to the target."""
        found: dict[str, Any] = {}
        for spec in self.by_name.values():
            if spec.required and spec.is_widget:
                if spec.options.get("default") is not None:
                    found[spec.name] = spec.options["default"]
                elif spec.values and not spec.folder:
                    found[spec.name] = spec.values[0]
        return found

    @cached_property
    def fits(self) -> Mapping[str, Callable[[Any], bool]]:
        """Input name → whether a plain value fits its declaration; the quick answer behind graph.verify."""
        return {name: _fits(spec) for name, spec in self.by_name.items()}

    @cached_property
    def required(self) -> frozenset[str]:
        """Names of the inputs that a prompt must hold, dynamic ones apart."""
        return frozenset(name for name, spec in self.by_name.items() if spec.required and spec.autogrow is None)

    @cached_property
    def is_dynamic(self) -> bool:
        """True if the inputs that exist depend on the values given (V3 dynamic combo or autogrow)."""
        return any(spec.branches or spec.autogrow for spec in self.inputs)

    def active(self, given: Mapping[str, Any]) -> Mapping[str, InputSpec]:
        """The inputs that exist for the values given, dynamic ones expanded to dotted names."""
        if not self.is_dynamic:
            return self.by_name
        found: dict[str, InputSpec] = {}
        for spec in self.by_name.values():
            found.update(_expand(spec, spec.name, given))
        return found


def _fits(spec: InputSpec) -> Callable[[Any], bool]:
    low, high = spec.options.get("min", -inf), spec.options.get("max", inf)
    if spec.type == "INT":
        return lambda value: type(value) is int and low <= value <= high
    if spec.type == "FLOAT":
        return lambda value: type(value) in (int, float) and low <= value <= high and -inf < value < inf
    if spec.type == "STRING":
        return lambda value: type(value) is str
    if spec.type == "BOOLEAN":
        return lambda value: type(value) is bool
    if spec.type == "COMBO" and (spec.values is None or spec.is_upload):
        return lambda value: type(value) is str
    if spec.type == "COMBO" and spec.values and all(type(choice) is str for choice in spec.values):
        choices = frozenset(spec.values)
        return lambda value: type(value) is str and value in choices
    return lambda value: False  # the slow check decides


def _expand(spec: InputSpec, path: str, given: Mapping[str, Any]) -> Iterator[tuple[str, InputSpec]]:
    if spec.autogrow is None:
        yield path, spec
    for name in spec.autogrow.names if spec.autogrow else ():
        for slot in spec.autogrow.slots if spec.autogrow else ():
            if f"{path}.{name}" in given:
                yield f"{path}.{name}", slot
    choice = given.get(path)
    for nested in spec.branches.get(choice, ()) if isinstance(choice, str) else ():
        yield from _expand(nested, f"{path}.{nested.name}", given)


@dataclass(frozen=True)
class Catalog:
    """Node schemas by class name, and which ComfyUI they were read from."""

    version: str
    """ComfyUI's version, e.g. `0.3.64`; empty if unknown."""
    nodes: Mapping[str, NodeSchema]
    source: str = ""
    """Where it came from, for messages: a URL, a file, `shipped`."""

    def __contains__(self, kind: object) -> bool:
        return kind in self.nodes

    def get(self, kind: str) -> NodeSchema | None:
        return self.nodes.get(kind)

    def lacks(self, kinds: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the class names that this ComfyUI does not have."""
        return tuple(kind for kind in kinds if kind not in self.nodes)

    def files(self, folder: str) -> tuple[str, ...] | None:
        """Model files in a folder (`loras`, `vae`, …), or None where this catalog does not know them."""
        kind, name = FOLDERS[folder]
        schema = self.nodes.get(kind)
        spec = schema.by_name.get(name) if schema else None
        return spec.values if spec else None

    def did_you_mean(self, kind: str) -> str:
        """A hint for an unknown class name, or an empty string."""
        return nearest(kind, self.nodes)

    @property
    def label(self) -> str:
        """For messages: `ComfyUI 0.3.64`."""
        return f"ComfyUI {self.version}" if self.version else (self.source or "this ComfyUI")

    def with_files(self, files: Mapping[str, tuple[str, ...]]) -> Catalog:
        """The same catalog whose open file combos list `files`, by the folder they name (`models/loras`)."""
        nodes = {kind: _fill(schema, files) for kind, schema in self.nodes.items()}
        return Catalog(self.version, nodes, self.source)

    def extended(self, other: Mapping[str, NodeSchema]) -> Catalog:
        """The same catalog with more node classes, e.g. those of a node pack."""
        return Catalog(self.version, {**self.nodes, **other}, self.source)


def _fill(schema: NodeSchema, files: Mapping[str, tuple[str, ...]]) -> NodeSchema:
    if not any(spec.folder in files for spec in schema.inputs):
        return schema
    return replace(schema, inputs=tuple(_stock(spec, files) for spec in schema.inputs))


def _stock(spec: InputSpec, files: Mapping[str, tuple[str, ...]]) -> InputSpec:
    if spec.folder not in files:
        return spec
    return replace(spec, values=(*files[spec.folder], *spec.options.get("beside_files", ())))
