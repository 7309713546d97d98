"""Templates made of graphs: every golden and shipped one imports, passes lint, makes its graph again, takes LoRA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from compiling import library
from importing import CATALOG, imported, rendered, shape

from compiler import LoraUse, Media, compile_template, load_library, template_media
from compiler.errors import ComfycError, TemplateError
from compiler.graph.api_json import parse
from compiler.graph.ir import Graph
from compiler.graph.text import parse_text
from compiler.graph.verify import findings
from compiler.template.authoring import propose
from compiler.template.expand import Attachment

GOLDENS = sorted((Path(__file__).parents[1] / "golden").glob("*/*.yaml"))


def golden_graph(path: Path) -> Graph:
    """The graph text of a golden file, which is a block of YAML."""
    text = path.read_text(encoding="utf-8")
    block = text[text.index("graph: |") :].splitlines()[1:]
    lines = [line.strip() for line in block if line.startswith("  ")]
    return parse_text("\n".join(line for line in lines if line.startswith(("%", "output"))))


def golden_graphs() -> list[Any]:
    """Those that this catalog takes: the others were compiled for other versions."""
    graphs = {f"{path.parent.name}/{path.stem}": golden_graph(path) for path in GOLDENS}
    return [pytest.param(graph, id=name) for name, graph in graphs.items() if not list(findings(graph, CATALOG))]


@pytest.mark.parametrize("graph", golden_graphs())
def test_every_golden_graph_becomes_a_template_that_makes_it_again(graph: Graph, tmp_path: Path) -> None:
    _, known = imported(graph, tmp_path)
    assert shape(rendered(known).graph) == shape(graph)


@pytest.mark.parametrize("name", [name for name, one in library().templates.items() if one.manifest.examples])
def test_every_shipped_template_can_be_imported_again(name: str, tmp_path: Path) -> None:
    example = library().templates[name].manifest.examples[0]
    refs = template_media(name, example.params, library())
    media = {ref.value: Media(ref.value, "image" if ref.kind == "mask" else ref.kind) for ref in refs}
    options: dict[str, Any] = {"stack": example.stack, "outputs": example.outputs}
    made = compile_template(name, example.params, media, library(), CATALOG, **options)
    _, known = imported(made.graph, tmp_path)
    assert shape(rendered(known).graph) == shape(made.graph)


def text_to_image() -> Graph:
    return compile_template("checkpoint/text_to_image", {"prompt": "a cat"}, {}, library(), CATALOG).graph


def test_what_is_proposed_for_a_checkpoint(tmp_path: Path) -> None:
    proposal, _ = imported(text_to_image(), tmp_path)
    assert [choice.name for choice in proposal.choices] == [
        *("prompt", "negative_prompt", "width", "height", "batch_size", "seed", "steps", "cfg"),
        *("sampler", "scheduler", "denoise", "checkpoint", "filename_prefix"),
    ]
    assert {name: wire.type for name, wire in proposal.wires.items()} == {
        "model": "MODEL",
        "clip": "CLIP",
        "vae": "VAE",
        "positive": "CONDITIONING",
        "negative": "CONDITIONING",
        "latent": "LATENT",
        "image": "IMAGE",
    }
    facts = {choice.name: choice.param for choice in proposal.choices}
    assert (facts["width"].minimum, facts["width"].multiple_of, facts["width"].default) == (16, 8, 1024)
    assert facts["seed"].maximum == 2**64 - 1
    assert "euler" in facts["sampler"].enum


@pytest.mark.parametrize(
    ("fragment", "params", "kind", "feeds"),
    [
        ("lora_model", {"file": "x.safetensors"}, "LoraLoaderModelOnly", "KSampler.model"),
        ("lora_model_clip", {"file": "x.safetensors"}, "LoraLoader", "CLIPTextEncode.clip"),
        ("negative_zero", {}, "ConditioningZeroOut", "KSampler.negative"),
        ("crop", {"crop_width": 512, "crop_height": 512}, "ImageCrop", "SaveImage.images"),
        ("clip_skip", {"clip_skip": 2}, "CLIPSetLastLayer", "CLIPTextEncode.clip"),
        ("shift_sd3", {"shift": 3.0}, "ModelSamplingSD3", "KSampler.model"),
        ("guidance_flux", {"guidance": 3.5}, "FluxGuidance", "KSampler.positive"),
        ("repeat_latent", {"amount": 2}, "RepeatLatentBatch", "KSampler.latent_image"),
    ],
)
def test_fragments_attach_to_what_was_imported(
    fragment: str, params: dict[str, Any], kind: str, feeds: str, tmp_path: Path
) -> None:
    _, known = imported(text_to_image(), tmp_path)
    graph = rendered(known, attachments=[Attachment(fragment, params)]).graph
    links = [(node, name, graph[ref.node]) for node in graph.nodes.values() for name, ref in node.links()]
    assert feeds in {f"{node.kind}.{name}" for node, name, source in links if source.kind == kind}


def test_a_lora_goes_through_model_and_text_encoder(tmp_path: Path) -> None:
    _, known = imported(text_to_image(), tmp_path)
    files = CATALOG.with_files({"models/loras": ("style.safetensors",)})
    prompt = {"prompt": "a dog"}
    made = compile_template("own/made", prompt, {}, known, files, loras=[LoraUse("style", 0.7, "loras[0].id")])
    loras = [node_id for node_id, node in made.graph.nodes.items() if node.kind == "LoraLoader"]
    assert len(loras) == 1
    fed = {name for node in made.graph.nodes.values() for name, ref in node.links() if ref.node == loras[0]}
    assert fed == {"model", "clip"}


def test_text_that_looks_like_an_expression_stays_text(tmp_path: Path) -> None:
    odd = '{{ 7*7 }} {% x %} {# y #} "quoted" \\ 東京 🌊 \n }}'
    graph = Graph(
        {
            "1": parse({"1": {"class_type": "PrimitiveStringMultiline", "inputs": {"value": odd}}})["1"],
            "2": parse({"2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}}})["2"],
        }
    )
    _, known = imported(graph, tmp_path)
    values = [node.inputs.get("value") for node in rendered(known).graph.nodes.values()]
    assert odd in values


def test_a_parameter_of_ones_own(tmp_path: Path) -> None:
    graph = parse(
        {
            "7": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 3}},
            "9": {"class_type": "SaveImage", "inputs": {"images": ["7", 0], "filename_prefix": "x"}},
        }
    )
    proposal, known = imported(graph, tmp_path, asked={"tint": "7.color"})
    assert next(choice.name for choice in proposal.choices) == "tint"
    assert rendered(known, {"tint": 9}).graph["empty_image"].inputs["color"] == 9


@pytest.mark.parametrize(
    ("nodes", "asked", "said"),
    [
        ({"1": ("EmptyImage", {})}, {}, "workflow: has no node that saves"),
        ({"1": ("EmptyImag", {})}, {}, "Did you mean 'EmptyImage'?"),
        ({"1": ("PreviewImage", {"images": ["2", 0]})}, {}, "links to '2', which is not in the graph"),
        ({"1": ("EmptyImage", {"width": 8})}, {"w": "2.width"}, "names no node of the graph"),
        ({"1": ("EmptyImage", {"width": 8})}, {"w": "1.widht"}, "Did you mean 'width'?"),
    ],
)
def test_what_cannot_be_imported_is_said(nodes: dict[str, Any], asked: dict[str, str], said: str) -> None:
    graph = parse({name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()})
    with pytest.raises(ComfycError) as caught:
        propose(graph, CATALOG, asked=asked)
    assert said in str(caught.value)


def test_a_users_folder_is_read_and_its_faults_are_named(tmp_path: Path) -> None:
    imported(text_to_image(), tmp_path)
    assert "own/made" in load_library(template_dirs=[tmp_path]).templates
    for name, text in {"bad": "{", "worse": '{"title": "x", "params": {}, "outputs": {"a": {"node": "n"}}}'}.items():
        (tmp_path / "own" / name).mkdir()
        (tmp_path / "own" / name / "manifest.json").write_text(text)
        (tmp_path / "own" / name / "graph.json").write_text("{}")
    with pytest.raises(TemplateError) as caught:
        load_library(template_dirs=[tmp_path])
    assert [fault.where for fault in caught.value.faults] == [
        "own/bad/manifest.json",
        "own/worse/manifest.json: outputs.a.kind",
    ]
    with pytest.raises(TemplateError, match="is not a folder"):
        load_library(template_dirs=[tmp_path / "nowhere"])


def test_an_input_that_the_class_does_not_take_is_left_out_and_told(tmp_path: Path) -> None:
    """ComfyUI's page sends buttons as inputs, e.g. `refresh` of LoadImageOutput."""
    graph = parse(
        {
            "7": {"class_type": "LoadImage", "inputs": {"image": "a.png", "refresh": "refresh"}},
            "8": {"class_type": "SaveImage", "inputs": {"images": ["7", 0], "filename_prefix": "x"}},
        }
    )
    proposal, _ = imported(graph, tmp_path)
    (left_out,) = proposal.unknown
    assert left_out[1:] == ("refresh", "LoadImage")
