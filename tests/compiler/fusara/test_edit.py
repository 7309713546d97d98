"""Fusara's edits beyond their goldens: sizes and shapes that do not fit one another."""

from __future__ import annotations

from typing import Any

import pytest
from compiling import compiled

from compiler import Compiled, RequestError


def made(**body: Any) -> Compiled:
    return compiled({"Prompt": "a cat", **body}, "0.3.64", "fusara")


@pytest.mark.parametrize("count", [1, 3])
def test_kontext_keeps_the_first_pictures_shape_among_several(count: int) -> None:
    """What is encoded is all of them, side by side: to bring that to the first one's size would squeeze it."""
    graph = made(__type=14, InputMediaIds=[1, 2], KeepOriginalImageSize=True, NumberOfImages=count).graph
    (latent,) = (node for node in graph.nodes.values() if node.kind == "EmptySD3LatentImage")
    assert latent.inputs == {"width": 1360, "height": 768, "batch_size": count}
    assert (graph["restored"].inputs["width"], graph["restored"].inputs["height"]) == (1280, 720)


def test_one_picture_is_edited_from_its_own_latent() -> None:
    graph = made(__type=14, InputMediaIds=[1], KeepOriginalImageSize=True, NumberOfImages=3).graph
    assert not any(node.kind == "EmptySD3LatentImage" for node in graph.nodes.values())


@pytest.mark.parametrize(("picture", "mask", "told"), [(2, 1, ["MaskImageId"]), (1, 1, []), (1, 6, [])])
def test_a_feather_is_in_the_pictures_pixels(picture: int, mask: int, told: list[str]) -> None:
    """A mask of another size is brought to the picture's first, and stretched only with a word about it. 6 is wide.png
    at a quarter of its size."""
    result = made(__type=9, InputMediaIds=[picture], MaskImageId=mask)
    grown = result.graph["mask_grown"].inputs["mask"]
    assert (grown.node == "mask_fitted") is (picture != mask)
    if picture != mask:
        size = result.graph["mask_scaled"].inputs
        assert (size["width"], size["height"]) == {1: (1280, 720), 2: (600, 900)}[picture]
    assert [one.field for one in result.unsupported] == told


def test_a_mask_too_deep_to_read_is_no_json() -> None:
    with pytest.raises(RequestError, match="MaskJson: is not JSON"):
        made(__type=9, InputMediaIds=[1], MaskJson="[" * 100_000 + "]" * 100_000)


def test_a_square_models_result_is_cropped_with_a_word_about_it() -> None:
    assert [one.code for one in made(__type=12, InputMediaIds=[1], KeepOriginalImageSize=True).unsupported] == [
        "cropped"
    ]
    assert made(__type=12, InputMediaIds=[5], KeepOriginalImageSize=True).unsupported == ()


def test_layers_are_whole() -> None:
    told = made(__type=13, InputMediaIds=[1], StopAtClipLayer=-3.5).unsupported
    assert "StopAtClipLayer" in [one.field for one in told]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"__type": 18, "Model": "2.5-flash", "Seed": 5}, "Seed"),
        ({"__type": 100, "Seed": 0}, "Seed"),
        ({"__type": 106, "Model": "gen3a_turbo", "InputMediaIds": [1], "AspectRatio": "4:3"}, "AspectRatio"),
    ],
)
def test_what_a_node_takes_and_does_not_send_is_reported(body: dict[str, Any], field: str) -> None:
    assert field in [one.field for one in made(**body).unsupported]


def test_a_negative_prompt_reaches_veo_by_way_of_runway() -> None:
    result = made(__type=106, NegativePrompt="blurry")
    assert result.graph["partner"].inputs["negative_prompt"] == "blurry"
    assert "NegativePrompt" not in [one.field for one in result.unsupported]
