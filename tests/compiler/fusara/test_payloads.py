"""What our own nodes are given for closed models becomes a request of the provider's declaration, pictures and all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from compiling import compiled

from comfy_nodes.providers import of_kind
from comfy_nodes.providers.media import Media
from comfy_nodes.providers.request import built, parsed
from compiler.graph.ir import Node, Ref

GOLDENS = sorted((Path(__file__).parents[1] / "golden" / "fusara").glob("*.yaml"))
KINDS = {"ComfycProviderImage": "image", "ComfycProviderVideo": "video"}
OWN = [path for path in GOLDENS if "ComfycProvider" in path.read_text()]
PLACE = {"project": "p", "location": "us-central1"}


def asks(path: Path) -> list[Node]:
    case: dict[str, Any] = yaml.safe_load(path.read_text())
    graph = compiled(case["request"], case["catalog"], "fusara").graph
    return [node for node in graph.nodes.values() if node.kind in KINDS]


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_a_payload_becomes_a_request(path: Path) -> None:
    for node in asks(path):
        provider = of_kind(KINDS[node.kind])[str(node.inputs["provider"])]
        shown = sorted(name for name, value in node.inputs.items() if isinstance(value, Ref))
        media = {"image": [Media(name.encode(), "image/png") for name in shown]}
        payload = parsed(str(node.inputs["payload"]))
        request, *_ = built(provider, "https://api.test", PLACE, payload, media)
        assert request.method == "POST"
        assert "{" not in request.url
        assert b"$media" not in request.body
        for one in media["image"]:
            assert one.data in request.body or one.base64.encode() in request.body, "a picture was left behind"


def test_the_models_name_goes_where_the_api_wants_it() -> None:
    (path,) = (one for one in OWN if one.stem == "018_own")
    (node,) = asks(path)
    payload = parsed(str(node.inputs["payload"]))
    request, *_ = built(of_kind("image")["google_gemini"], "https://api.test", PLACE, payload, {})
    assert request.url == "https://api.test/models/gemini-3-pro-image-preview:generateContent"
    assert json.loads(request.body)["generationConfig"]["imageConfig"] == {"aspectRatio": "21:9", "imageSize": "2K"}


def test_veos_references_are_assets() -> None:
    (path,) = (one for one in OWN if one.stem == "100_references")
    (node,) = asks(path)
    media = {"image": [Media(b"one", "image/png"), Media(b"two", "image/png")]}
    request, *_ = built(
        of_kind("video")["google_veo"], "https://api.test", PLACE, parsed(str(node.inputs["payload"])), media
    )
    (instance,) = json.loads(request.body)["instances"]
    assert [one["referenceType"] for one in instance["referenceImages"]] == ["asset", "asset"]
    assert [one["image"]["bytesBase64Encoded"] for one in instance["referenceImages"]] == [
        m.base64 for m in media["image"]
    ]
    assert "image" not in instance
