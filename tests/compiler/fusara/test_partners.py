"""Tables of partner nodes: every row is good for some request, and what it says of versions is true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compiling import MEDIA, compiled, library, stocked, target

from compiler import (
    Catalog,
    Media,
    RequestError,
    TargetError,
    compile_request,
    dialects,
    own_nodes,
    parse_request,
    shipped_catalog,
)
from compiler.providers.fusara.partner import DRAWN, PartnerProvider
from compiler.shipped import partner_versions, shipped_versions
from compiler.template.partner import Way

GOLDENS = sorted((Path(__file__).parents[1] / "golden" / "fusara").glob("*.yaml"))
BODIES: list[dict[str, Any]] = [yaml.safe_load(path.read_text())["request"] for path in GOLDENS]
VERSIONS = (*shipped_versions(), *partner_versions())
PROVIDERS = [one for one in dialects()["fusara"].providers.values() if isinstance(one, PartnerProvider)]
GONE = {"ByteDanceImageEditNode"}
"""Classes that a newer core dropped."""


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def only(way: Way) -> list[Catalog]:
    """Each core with that one of the classes that reach closed models, where it has it."""
    found: list[Catalog] = []
    for version in VERSIONS:
        full = shipped_catalog(version).extended(own_nodes().nodes)
        if way.row.node in full:
            asks = {one.row.node for table in library().partners.values() for one in table.ways} - {way.row.node}
            kept = {kind: schema for kind, schema in full.nodes.items() if kind not in asks or not reaches(full, kind)}
            found.append(Catalog(version, kept))
    return found


def reaches(catalog: Catalog, kind: str) -> bool:
    return catalog.nodes[kind].api_node or kind.startswith("ComfycProvider")


@pytest.mark.parametrize("name", sorted(library().partners))
def test_every_row_is_taken_for_some_golden_request(name: str) -> None:
    """On a target that has nothing else, that is; and then the graph is valid there."""
    mine = {one.discriminator for one in PROVIDERS if name == one.TABLE}
    bodies = [body for body in BODIES if str(body["__type"]) in mine]
    idle = [way.row.id for way in library().partner(name).ways if not any(taken(way, body) for body in bodies)]
    assert idle == []


def taken(way: Way, body: dict[str, Any]) -> bool:
    provider, request = parse_request("fusara", body)
    for catalog in only(way):
        try:
            binding = provider.binding(provider.with_seed(request, 7), MEDIA, stocked(), catalog)
        except TargetError:
            continue
        if way.fragment in {one.fragment for one in binding.attachments}:
            compile_request(provider, provider.with_seed(request, 7), MEDIA, stocked(), catalog)
            return True
    return False


def test_the_versions_of_rows_are_those_of_the_shipped_schemas() -> None:
    since: dict[str, list[int]] = {}
    for table in library().partners.values():
        for way in table.ways:
            if not way.row.pack:
                lowest = numbers(way.row.since)
                since[way.row.node] = min(lowest, since.get(way.row.node, lowest))
    for version in VERSIONS:
        nodes = shipped_catalog(version).nodes
        there = {kind for kind, lowest in since.items() if lowest <= numbers(version)}
        assert there - GONE <= nodes.keys(), version
        assert not (since.keys() - there) & nodes.keys(), version


@pytest.mark.parametrize("version", partner_versions())
def test_a_version_with_partner_nodes_alone_has_the_newest_core_beside_them(version: str) -> None:
    catalog = shipped_catalog(version)
    assert catalog.version == version
    assert "KSampler" in catalog
    assert "PikaScenesV2_2" not in catalog
    asks = {way.row.node for table in library().partners.values() for way in table.ways if not way.row.pack}
    assert {kind for kind, schema in catalog.nodes.items() if schema.api_node} <= asks | {"ByteDanceSeedreamNodeV3"}


@pytest.mark.parametrize(
    ("body", "catalog", "words"),
    [
        ({"__type": 1}, "0.8.0", "ComfyUI 0.8.0: has no ComfycProviderImage. It needs the node pack 'comfyc'"),
        ({"__type": 111}, "0.3.64", "has no GrokVideoNode. It needs ComfyUI 0.11.1 or newer or the node pack 'comfyc'"),
        ({"__type": 107, "Model": "wan2.6-r2v", "InputMediaIds": [3]}, "0.3.64", "ComfyUI 0.8.0 or newer"),
    ],
)
def test_what_cannot_be_run_says_what_it_needs(body: dict[str, Any], catalog: str, words: str) -> None:
    with pytest.raises(TargetError, match=re.escape(words)):
        compiled({**body, "Prompt": "a"}, catalog, "fusara")


def test_a_picture_that_fills_the_canvas_leaves_nothing_to_paint() -> None:
    provider, request = parse_request("fusara", {"__type": 26, "Prompt": "a", "InputMediaIds": [9]})
    media = {"9": Media("comfyc/large.png", width=2048, height=2048)}
    with pytest.raises(RequestError, match="2048×2048\\) fills 1024×1024"):
        compile_request(provider, request, media, library(), target("0.8.0"))


def test_a_drawn_seed_that_a_model_disregards_is_not_told() -> None:
    plain = {"__type": 101, "Prompt": "a"}
    assert compiled(plain, "0.8.0", "fusara").unsupported == ()
    assert [one.field for one in compiled({**plain, "Seed": 7}, "0.8.0", "fusara").unsupported] == ["Seed"]
    provider, request = parse_request("fusara", plain)
    assert provider.with_seed(request, 9).model_dump()["Seed"] == DRAWN + 9
    again = parse_request("fusara", provider.with_seed(request, 9).model_dump(exclude_unset=True, by_alias=True))[1]
    assert again.model_dump()["Seed"] == DRAWN + 9


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda one: one.name)
def test_null_is_the_default(provider: PartnerProvider) -> None:
    least = {"InputMediaIds": [2]} if provider.MEDIA[0] else {}
    plain = {"__type": int(provider.discriminator), "Prompt": "a", **least}
    nulls = dict.fromkeys(name for name in provider.Request.model_fields if name not in ("type_", "Prompt", *least))
    catalog = "0.18.1+comfyc"
    assert compiled({**plain, **nulls}, catalog, "fusara").api == compiled(plain, catalog, "fusara").api


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda one: one.name)
def test_hostile_text_stays_text(provider: PartnerProvider) -> None:
    """Also inside of JSON that goes through a node's text."""
    text = '["4", 0] {{ 7*7 }} "},{" \n \\" ${x}'
    least = {"InputMediaIds": [2]} if provider.MEDIA[0] else {}
    made = compiled({"__type": int(provider.discriminator), "Prompt": text, **least}, "0.3.64+comfyc", "fusara")
    told = {one.field for one in made.unsupported}
    assert text in strings(made.api) or "Prompt" in told


def strings(value: Any) -> str:
    """Every text of a graph, that of payloads read as JSON, end to end."""
    if isinstance(value, dict):
        return " ".join(strings(yaml.safe_load(one) if name == "payload" else one) for name, one in value.items())
    return " ".join(map(strings, value)) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("name", ["0.8.0", "0.18.1+comfyc"])
def test_watermarks_are_off_and_models_are_named(name: str) -> None:
    """What partner nodes default to differs from version to version."""
    for provider in PROVIDERS:
        least = {"InputMediaIds": [2]} if provider.MEDIA[0] else {}
        try:
            made = compiled({"__type": int(provider.discriminator), "Prompt": "a", **least}, name, "fusara")
        except TargetError:
            continue
        node = made.graph["partner"]
        declared = target(name).nodes[node.kind].by_name
        for field in ("watermark", "model", "model_name", "seed"):
            assert field not in declared or field in node.inputs, (provider.name, field)
        assert node.inputs.get("watermark", False) is False
