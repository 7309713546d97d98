"""A template compiled with a caller's parameters: what they become, and what is said of wrong ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from compiling import MEDIA, compiled, library, target

from compiler import LoraUse, RequestError, TargetError, compile_template, template_media, template_with_seed

TEXT, EDIT, VIDEO = "checkpoint/text_to_image", "reference_edit/image", "wan2x/video"


def faults(template: str, params: dict[str, Any], **options: Any) -> list[str]:
    with pytest.raises(RequestError) as caught:
        compile_template(template, params, MEDIA, library(), target("0.8.0"), **options)
    return [str(fault) for fault in caught.value.faults]


def test_the_stack_of_the_example_fills_in_what_is_not_given() -> None:
    made = compile_template(TEXT, {"prompt": "a cat", "steps": 9.0}, {}, library(), target("0.8.0"), prefix="here/x")
    sampler = made.graph["sampler"].inputs
    stack = library().stacks["sdxl"]
    assert (sampler["steps"], sampler["cfg"]) == (9, stack.profiles[stack.default_profile].cfg)
    assert made.graph["save_image"].inputs["filename_prefix"] == "here/x"
    assert made.plan.template == TEXT


def test_a_medium_is_uploaded_and_named_as_the_target_knows_it() -> None:
    params = {"prompt": "winter", "image": "wide.png"}
    assert [(ref.field, ref.value, ref.kind) for ref in template_media(EDIT, params, library())] == [
        ("params.image", "wide.png", "image")
    ]
    made = compile_template(EDIT, params, MEDIA, library(), target("0.8.0"))
    assert made.graph["input_image"].inputs["image"] == "comfyc/wide.png"
    assert made.plan.uploads == (MEDIA["wide.png"],)


def test_loras_go_where_the_stack_says() -> None:
    uses = [LoraUse("my_style", 0.5, "loras[0].id")]
    stocked = target("0.8.0").with_files({"models/loras": ("my_style.safetensors",)})
    made = compile_template(TEXT, {"prompt": "a cat"}, {}, library(), stocked, loras=uses)
    assert made.graph["lora_1"].inputs["lora_name"] == "my_style.safetensors"
    assert made.graph["sampler"].inputs["model"] == ("lora_1", 0)


def test_an_output_may_be_chosen() -> None:
    made = compile_template(VIDEO, {"prompt": "a cat", "length": 1}, {}, library(), target("0.8.0"), outputs=["image"])
    assert [output.kind for output in made.plan.outputs] == ["image"]


def test_a_seed_is_drawn_once_and_within_the_range() -> None:
    drawn = template_with_seed(TEXT, {"prompt": "x"}, library(), 2**70 + 5)
    assert template_with_seed(TEXT, drawn, library(), 7) == drawn
    compile_template(TEXT, drawn, {}, library(), target("0.8.0"))


def test_several_seeds_are_drawn_apart() -> None:
    manifest = library().template(TEXT).manifest
    twice = manifest.model_copy(update={"params": {**manifest.params, "seed_2": manifest.params["seed"]}})
    known = replace(library(), templates={TEXT: replace(library().template(TEXT), manifest=twice)})
    drawn = template_with_seed(TEXT, {"prompt": "x", "seed": 3}, known, 7)
    assert drawn == {"prompt": "x", "seed": 3, "seed_2": 8}


def test_what_only_sometimes_may_be_left_out_is_asked_for() -> None:
    """A mask may come from a fragment; without one it must be given."""
    assert faults("fill/image", {"prompt": "x", "image": "wide.png"}) == [
        "params.mask: is required here, since nothing else makes it. Name in the target's input folder: white is filled"
    ]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, ["params.prompt: is required. Text of the picture or video; trigger words come first"]),
        ({"prompt": 5}, ["params.prompt: must be text, not 5"]),
        ({"prompt": "\ud800"}, ["params.prompt: must be well-formed Unicode text"]),
        (
            {"prompt": "x", "promt": "y"},
            ["params.promt: is not a parameter of this template. Did you mean 'prompt'?"],
        ),
        ({"prompt": "x", "steps": True}, ["params.steps: must be a whole number, not True"]),
        ({"prompt": "x", "steps": 2.5}, ["params.steps: must be a whole number, not 2.5"]),
        ({"prompt": "x", "cfg": float("nan")}, ["params.cfg: must be a finite number"]),
        ({"prompt": "x", "cfg": 101}, ["params.cfg: must be at most 100, not 101"]),
        (
            {"prompt": "x", "width": 1001, "height": 8},
            [
                "params.width: must be a multiple of 8, not 1001. Try 1000 or 1008",
                "params.height: must be at least 16, not 8",
            ],
        ),
        (
            {"prompt": "x", "seed": 2**64},
            [f"params.seed: must be at most {2**64 - 1}, not {2**64}"],
        ),
        ({"prompt": "x", "files": {}}, ["params: is not there"]),
        (
            {"prompt": "x", "sampler": "eular"},
            ["params.sampler: 'eular' is not among the choices. Did you mean"],
        ),
        ({"prompt": "x", "filename_prefix": "../x"}, ["params.filename_prefix: is not a parameter of this template"]),
    ],
    ids=str,
)
def test_wrong_parameters_are_named(params: dict[str, Any], said: list[str]) -> None:
    found = faults(TEXT, params)
    assert len(found) == len(said)
    assert all(one.startswith(start) for one, start in zip(found, said, strict=True)), found


def test_what_else_may_be_wrong() -> None:
    right = {"prompt": "x"}
    assert faults("checkpoint/text_to_imag", right) == [
        "template: 'checkpoint/text_to_imag' is not known. Did you mean 'checkpoint/text_to_image'?"
    ]
    assert faults(TEXT, right, stack="sdx")[0].startswith("stack: 'sdx' is not known. Did you mean 'sdxl'?")
    assert faults(TEXT, right, profile="fast")[0].startswith("profile: 'fast' is not a profile of")
    assert faults(TEXT, right, outputs=["video"]) == [
        "outputs: 'video' is not an output of checkpoint/text_to_image. It has image"
    ]
    assert faults(TEXT, right, loras=[LoraUse("nope", 1, "loras[0].id")])[0].startswith("loras[0].id: 'nope' is not")
    assert faults(EDIT, {"prompt": "x", "image": "gone.png"}) == [
        "params.image: 'gone.png' was not found. Upload it first"
    ]


def test_a_class_that_the_target_lacks_is_the_targets_fault() -> None:
    bare = target("0.8.0")
    lacking = type(bare)(bare.version, {name: one for name, one in bare.nodes.items() if name != "VAEDecode"})
    with pytest.raises(TargetError):
        compile_template(TEXT, {"prompt": "x"}, {}, library(), lacking)


def test_a_request_and_its_template_give_the_same_graph() -> None:
    asked = compiled({"model": "wan22-t2i", "prompt": "a cat", "width": 768, "height": 512, "seed": 7}, "0.8.0")
    params = {"prompt": "a cat", "width": 768, "height": 512, "length": 1, "seed": 7}
    made = compile_template(VIDEO, params, {}, library(), target("0.8.0"), outputs=["image"])
    assert made.api == asked.api
