"""Every provider's declaration against a stand-in of its API: the exact requests, and what is made of the answers."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from calling import CLIP, MEDIA, RESULT, FakeHost, table
from stand_in import StandIn, form, served

from comfy_nodes.providers import of_kind
from comfy_nodes.providers.call import call
from comfy_nodes.providers.errors import CallError
from comfy_nodes.providers.request import built

CASES = table("providers.yaml")
PLACES = table("provider_places.yaml")
SORTS = ("image", "mask", "video")
KINDS = {key: kind for kind in ("video", "image") for key in of_kind(kind)}


def run(case: dict[str, Any], stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, host: FakeHost) -> Any:
    """The call of a case, with the stand-in in place of the provider's host."""
    provider = of_kind(case.get("kind") or KINDS[case["provider"]])[case["provider"]]
    base = case.get("base", urlsplit(provider.base_url).path)
    monkeypatch.setenv(provider.url_env, stand_in.url + base)
    for name, value in case["env"].items():
        monkeypatch.setenv(name, value)
    given = {sort: [MEDIA[name] for name in case.get("media", ()) if name.startswith(sort)] for sort in SORTS}
    media = {"images": given["image"], "masks": given["mask"], "videos": given["video"]}
    return call(provider, json.dumps(case["payload"]), 60, host=host, **media)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_exchange(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    host = FakeHost()
    with served([one["answer"] for one in case["exchanges"]] or [{"status": 500}]) as stand_in:
        if "error" in case:
            with pytest.raises(CallError) as caught:
                run(case, stand_in, monkeypatch, host)
            assert caught.value.category == case["error"]
            assert str(caught.value).startswith(f"[comfyc:{case['error']}] ")
            assert case.get("says", "") in str(caught.value)
        else:
            files, response = run(case, stand_in, monkeypatch, host)
            wanted = CLIP if (case.get("kind") or KINDS[case["provider"]]) == "video" else RESULT
            assert files == [wanted] * case["files"]
            assert len(response) < 2000, "the response carries media"
            assert host.shares[-1] == 1.0
    assert [asked["line"] for asked in stand_in.asked] == [one["ask"] for one in case["exchanges"]]
    for asked, one in zip(stand_in.asked, case["exchanges"], strict=True):
        check_request(asked, one, case.get("paid", {}))
    assert host.waited == case.get("waited", host.waited)
    assert [round(share, 2) for share in host.shares] == case.get("shares", [round(one, 2) for one in host.shares])


def check_request(asked: dict[str, Any], wanted: dict[str, Any], paid: dict[str, str]) -> None:
    if "json" in wanted:
        assert json.loads(asked["body"]) == wanted["json"]
        assert asked["headers"]["content-type"] == "application/json"
    if "form" in wanted:
        assert shown(form(asked)) == wanted["form"]
    if wanted["ask"].startswith("POST") or wanted.get("keyed"):
        for name, value in paid.items():
            assert asked["headers"][name] == value


def shown(parts: dict[str, Any]) -> dict[str, Any]:
    """The files of a form by the names of the media."""
    names = {one.data: name for name, one in MEDIA.items()}

    def named(value: Any) -> Any:
        if isinstance(value, list):
            return [named(one) for one in value]
        return value if isinstance(value, str) else names[value[2]]

    return {name: named(value) for name, value in parts.items()}


@pytest.mark.parametrize("case", PLACES, ids=lambda case: f"{case['provider']} {next(iter(case['payload'].values()))}")
def test_where_media_go(case: dict[str, Any]) -> None:
    provider = of_kind(KINDS[case["provider"]])[case["provider"]]
    for _ in range(case.get("door", 0)):
        assert provider.otherwise is not None
        provider = provider.otherwise
    given = {sort: [MEDIA[name] for name in case["media"] if name.startswith(sort)] for sort in SORTS}
    request, _, _ = built(provider, "https://base.example", {}, case["payload"], given)
    assert request.url == "https://base.example" + case["path"]
    if "json" in case:
        assert json.loads(request.body) == case["json"]
    else:
        asked = {"headers": {"content-type": request.headers["Content-Type"]}, "body": request.body}
        assert shown(form(asked)) == case["form"]


def test_every_provider_has_cases() -> None:
    assert {case["provider"] for case in CASES} == {key for kind in ("image", "video") for key in of_kind(kind)}
    for kind in ("image", "video"):
        for key in of_kind(kind):
            mine = [case for case in CASES if case["provider"] == key and case.get("kind", KINDS[key]) == kind]
            assert any("files" in case for case in mine), f"{key}: no case that succeeds"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("image", "video"):
        for provider in of_kind(kind).values():
            door = provider
            while door is not None:
                for name in [name for group in door.auth.env for name in group]:
                    monkeypatch.delenv(name, raising=False)
                for variable, _ in door.variables.values():
                    monkeypatch.delenv(variable, raising=False)
                door = door.otherwise
