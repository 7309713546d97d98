"""What stands beside a graph.json: manifests of templates and fragments; stacks; the asset table. Checked at load."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Param(_Strict):
    """A parameter of a template or fragment: what its expressions may name."""

    type: Literal["string", "integer", "number", "boolean", "object", "array"]
    description: str = ""
    default: Any = None
    """Used where nothing is given; null means that a value must be given, unless `optional`."""
    optional: bool = False
    """True: may stay unset, and is then null in expressions."""
    minimum: float | None = None
    maximum: float | None = None
    multiple_of: int | None = None
    enum: tuple[Any, ...] = ()

    def json_schema(self) -> dict[str, Any]:
        """The parameter as JSON Schema."""
        facts = {
            "type": self.type,
            "description": self.description or None,
            "default": self.default,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "multipleOf": self.multiple_of,
            "enum": list(self.enum) or None,
        }
        return {key: value for key, value in facts.items() if value is not None}


class Wire(_Strict):
    """A named value: which output carries it."""

    source: tuple[str, int]
    """[node id, output number] in this graph.json."""
    type: str
    """ComfyUI's type name, e.g. `MODEL`."""


class Port(_Strict):
    """An input of a fragment, `["$name", 0]` in its graph.json."""

    type: str
    before: int | None = None
    """Takes the value that the wire had before the splices of this stage (0: the template's own). By default a wire
    that the fragment gives back is taken as it is at this splice, one that it only taps as it is at the end."""


class TemplateOutput(_Strict):
    """A node whose files are a result."""

    node: str
    kind: Literal["image", "video", "audio", "text"]


class Needs(_Strict):
    """What a target must have beside ComfyUI's core; classes and files are read off the graph."""

    packs: tuple[str, ...] = ()
    """Node packs, by name."""
    comfyui: str = ""
    """Lowest ComfyUI version, where a model's code and not a node class is what is needed."""


class Example(_Strict):
    """A use of the template that must compile; shown in docs."""

    title: str
    params: dict[str, Any] = Field(default_factory=dict[str, Any])
    stack: str = ""
    profile: str = ""
    outputs: tuple[str, ...] = ()


class TemplateManifest(_Strict):
    """graphs/templates/<family>/<name>/manifest.json"""

    title: str
    description: str = ""
    params: dict[str, Param]
    wires: dict[str, Wire] = Field(default_factory=dict[str, Wire])
    outputs: dict[str, TemplateOutput]
    needs: Needs = Needs()
    examples: tuple[Example, ...] = ()


class Substitute(_Strict):
    """The fragment that stands in where the target lacks a node class, and what is lost by it."""

    fragment: str
    losses: dict[str, str] = Field(default_factory=dict[str, str])
    """Parameter → why it has no effect then; reported if the caller set it."""


class FragmentManifest(_Strict):
    """graphs/fragments/<name>/manifest.json"""

    title: str
    description: str = ""
    params: dict[str, Param] = Field(default_factory=dict[str, Param])
    """What an attachment does not give is taken from the template's parameter of the same name, then the default."""
    ports: dict[str, Port] = Field(default_factory=dict[str, Port])
    gives: dict[str, Wire] = Field(default_factory=dict[str, Wire])
    """Wires that it replaces, or adds."""
    stage: int = 50
    """Splices happen by stage, low first: 10 sources, 20 LoRA, 30 patches, 50 conditioning, 70 pictures, 90 last."""
    many: bool = False
    """True: may be attached several times; its node ids are numbered."""
    needs: Needs = Needs()
    substitute: Substitute | None = None


class Profile(_Strict):
    """One way to sample with a stack."""

    steps: int
    cfg: float
    sampler: str
    scheduler: str
    shift: float | None = None
    loras: tuple[dict[str, str], ...] = ()
    """LoRA files that belong to the profile (distillation), by expert (`*` for all); strength 1, before the user's."""
    negative: Literal["text", "zero"] = "text"
    """`zero` where the guidance scale is 1: ComfyUI then drops the negative (samplers, 0.3.64)."""


class LoraPoint(_Strict):
    """Where a LoRA goes on a stack: which wires one loader is spliced into."""

    wires: dict[str, str]
    """Fragment port → template wire."""
    expert: str = "*"
    """Which of an asset's files: `high`, `low`, or `*`."""
    suffix: str = ""
    """What this expert's file of a pair has behind the pair's name: `_high_noise`."""


class LoraRule(_Strict):
    """How LoRA files are applied to a stack."""

    fragment: str
    points: tuple[LoraPoint, ...]
    families: tuple[str, ...]
    """Families of LoRA that fit."""


class Stack(_Strict):
    """graphs/stacks/<name>.json: facts of one model family, from the official templates' metadata."""

    title: str
    family: str
    files: dict[str, str]
    """Role → file name; its folder is in `folders`."""
    folders: dict[str, str]
    """Role → model folder: `diffusion_models`, `text_encoders`, `vae`, …"""
    encoder_type: str = ""
    """CLIPLoader's `type`."""
    size_multiple: int = 8
    """Pixels: width and height are rounded up to a multiple."""
    default_size: tuple[int, int] = (1024, 1024)
    """Pixels, where the request names none."""
    guidance: Literal["cfg", "distilled"] = "cfg"
    """Whether a guidance scale is KSampler's cfg or a FluxGuidance value."""
    fps: int = 0
    """Frames a second of a video model; 0 for pictures."""
    profiles: dict[str, Profile]
    default_profile: str
    lora: LoraRule | None = None


class Asset(_Strict):
    """A model file that requests name by an id."""

    kind: Literal["lora", "checkpoint", "upscale_model", "diffusion_model"]
    family: str
    """The stack family it fits; empty if unknown."""
    files: dict[str, str]
    """Expert → file name; `*` for a single file."""
    trigger: str = ""
    """Words that the prompt must begin with."""
    title: str = ""


Assets = Annotated[dict[str, Asset], Field(description="graphs/tables/assets.json or a COMFYC_ASSETS file")]
