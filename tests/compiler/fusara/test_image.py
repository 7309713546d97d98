"""Fusara's local text-to-image providers beyond their goldens, and what a target's own files change."""

from __future__ import annotations

from typing import Any

import pytest
from compiling import MEDIA, compiled, library, target

from compiler import compile_request, dialects, parse_request
from compiler.providers.fusara.image import QWEN_SIZES


@pytest.mark.parametrize("size", QWEN_SIZES.values())
@pytest.mark.parametrize("given", [("Width", "Height"), ("Width",), ("Height",)])
def test_each_row_of_qwens_table_is_taken_and_one_side_names_it(size: tuple[int, int], given: tuple[str, ...]) -> None:
    sides = dict(zip(("Width", "Height"), size, strict=True))
    made = compiled({"__type": 21, "Prompt": "a", **{name: sides[name] for name in given}}, dialect="fusara")
    assert (made.graph["latent"].inputs["width"], made.graph["latent"].inputs["height"]) == size
    assert made.unsupported == ()


@pytest.mark.parametrize("number", ["2", "4", "5", "11", "21", "27"])
def test_null_is_the_default(number: str) -> None:
    model = dialects()["fusara"].providers[number].Request
    fields = [name for name in model.model_fields if name not in ("type_", "Prompt")]
    plain = {"__type": int(number), "Prompt": "a"}
    given = compiled({**plain, **dict.fromkeys(fields)}, dialect="fusara")
    assert given.api == compiled(plain, dialect="fusara").api


@pytest.mark.parametrize(
    ("body", "folder", "file", "node", "told"),
    [
        ({"__type": 4}, "checkpoints", "sub/mine.safetensors", "checkpoint", []),
        ({"__type": 5}, "diffusion_models", "mine-flux.sft", "unet", []),
        ({"__type": 2}, "checkpoints", "mine.ckpt", "checkpoint", ["CheckpointName"]),
    ],
)
def test_a_file_of_the_target_is_a_checkpoint(
    body: dict[str, Any], folder: str, file: str, node: str, told: list[str]
) -> None:
    """Its family is not known: where there is a choice of stacks, that is told."""
    catalog = target("0.3.64").with_files({f"models/{folder}": (file,)})
    name = file.rpartition(".")[0]
    provider, request = parse_request("fusara", {**body, "Prompt": "a", "CheckpointName": name})
    made = compile_request(provider, request, MEDIA, library(), catalog)
    assert file in made.graph[node].inputs.values()
    assert [one.field for one in made.unsupported] == told


@pytest.mark.parametrize(
    ("number", "name", "file"),
    [
        (4, "sd_xl_base_1.0", "sd_xl_base_1.0.safetensors"),  # SUPIR's stack names it, too
        (4, "realvisxlV50_v50Bakedvae", "realvisxlV50_v50Bakedvae.safetensors"),  # that of another stack of the family
        (2, "juggernaut_reborn.safetensors", "juggernaut_reborn.safetensors"),
        (5, "flux1-dev", "flux1-dev.safetensors"),
    ],
)
def test_a_checkpoint_that_a_stack_names_is_known(number: int, name: str, file: str) -> None:
    made = compiled({"__type": number, "Prompt": "a", "CheckpointName": name}, dialect="fusara")
    assert made.unsupported == ()
    assert file in [used for _, used in made.plan.files]


def test_the_same_references_on_a_target_with_the_pack_lose_nothing() -> None:
    body = {"__type": 4, "Prompt": "a", "TaskPresets": [{"__type": kind, "ImageId": 1} for kind in (1, 2, 3, 10)]}
    without, having = (compiled(body, one, "fusara") for one in ("0.3.64", "0.3.64+ipadapter_plus"))
    assert [one.field for one in without.unsupported] == [f"TaskPresets[{index}].ImageId" for index in range(4)]
    assert having.unsupported == ()
    assert (without.plan.packs, having.plan.packs) == ((), ("ipadapter_plus",))
    assert not any(kind.startswith("IPAdapter") for kind in without.plan.classes)


def test_a_reference_of_weight_0_leaves_the_graph_as_it_is() -> None:
    plain = {"__type": 5, "Prompt": "a"}
    shown = {**plain, "TaskPresets": [{"__type": kind, "ImageId": 1, "Weight": 0} for kind in (1, 2, 3, 8, 9)]}
    made = compiled(shown, dialect="fusara")
    assert made.api == compiled(plain, dialect="fusara").api
    assert made.plan.uploads == ()
