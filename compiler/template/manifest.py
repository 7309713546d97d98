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
    minimum: int | float | None = None
    maximum: int | float | None = None
    multiple_of: Annotated[int, Field(gt=0)] | None = None
    enum: tuple[Any, ...] = ()
    media: Literal["", "image", "video", "audio", "mask"] = ""
    """For a string that names a medium of the caller: what it must be. It is uploaded, and the target's name for it
    takes its place."""

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
    optional: bool = False
    """True: where the graph has no such wire, the inputs linked to it are left out."""


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
    files: dict[str, tuple[str, ...]] = Field(default_factory=dict[str, "tuple[str, ...]"])
    """Model files that the graph or a default names, by folder; those of a stack are the stack's."""


class Example(_Strict):
    """A use of the template that must compile; shown in docs."""

    title: str
    params: dict[str, Any] = Field(default_factory=dict[str, Any])
    stack: str = ""
    profile: str = ""
    outputs: tuple[str, ...] = ()


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
    """Families of LoRA that fit; empty: any."""


class TemplateManifest(_Strict):
    """graphs/templates/<family>/<name>/manifest.json"""

    title: str
    description: str = ""
    params: dict[str, Param]
    wires: dict[str, Wire] = Field(default_factory=dict[str, Wire])
    outputs: dict[str, TemplateOutput]
    needs: Needs = Needs()
    lora: LoraRule | None = None
    """How LoRA are applied where no stack says it: a template whose model files are its own."""
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
    """Shift of the noise schedule; null leaves the model's own."""
    guidance: float | None = None
    """Guidance scale that the model takes as an input, where the stack's guidance is `distilled`."""
    loras: tuple[dict[str, str], ...] = ()
    """LoRA files that belong to the profile (distillation), by expert (`*` for all); strength 1, before the user's."""
    negative: Literal["text", "zero"] = "text"
    """`zero` where the guidance scale is 1: ComfyUI then drops the negative (samplers, 0.3.64)."""


class Reference(_Strict):
    """A way to show a picture to the models of a stack."""

    fragments: tuple[str, ...]
    """Attached for each picture, in order. The picture is on the wire `reference`; wires that the template does not
    have are the picture's own."""
    once: tuple[str, ...] = ()
    """Attached once, with the largest weight, however many pictures need it."""
    params: dict[str, Any] = Field(default_factory=dict[str, Any])
    """Of the fragments, beside `weight` (0–1)."""
    denoise: float = 0.0
    """Where the picture lies on the latent: the share of the noise schedule that is left out at full weight."""
    most: int = 0
    """Pictures that can be shown this way; 0 for any number."""
    loss: str = ""
    """What is lost against the way before; reported."""


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
    profiles: dict[str, Profile] = Field(default_factory=dict[str, Profile])
    """Ways to sample; none where nothing is sampled, as by an upscale model."""
    default_profile: str = ""
    lora: LoraRule | None = None
    fragments: tuple[str, ...] = ()
    """Attached to every graph of the stack, fed by profile and template: encoder loaders, guidance, empty latent."""
    shift: str = ""
    """The fragment that shifts the noise schedule, attached where there is a shift; empty where it has no meaning."""
    clip_skip: int = 0
    """Least ClipSkip that differs from what the text encoder does by itself; 0 where it has no meaning."""
    prompt_weights: bool = False
    """Whether `(text:1.2)` in a prompt is emphasis: CLIP encoders; language models and T5 are given plain text."""
    references: dict[str, tuple[Reference, ...]] = Field(default_factory=dict[str, tuple[Reference, ...]])
    """Purpose (image, style, character, contour, depth, composition) → the ways to show a picture for it, best first.
    The first is taken whose node classes the target has."""
    comfyui: str = ""
    """Lowest ComfyUI version whose code can load the model."""


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
