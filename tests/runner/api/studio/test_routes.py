"""Studio's page and calls: who may use them, what they answer, and that every target has a form that can be drawn."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from api_double import KEYS, Api, make_api
from pictures import picture
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from compiler import MediaRef, shipped_catalog
from compiler.draw import draw
from compiler.graph import api_json
from runner.api.desk import shipped_library
from runner.api.studio.drawing import STAND_INS, compiled_answer, opened_answer
from runner.api.studio.forms import asked_of, choices, first_target, form_of, target_of
from runner.settings import Settings
from runner.store.keys import KeyRing, MemoryKeys
from runner.work import parse_work

LIBRARY = shipped_library()
TARGETS = [choice.target for group in choices(LIBRARY).values() for choice in group]
LOCAL = "ext_local"


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return make_api(tmp_path)


# --- the page ----------------------------------------------------------------------------------------------------


async def test_the_page_shows_nothing_of_anybody_and_runs_only_its_own_scripts(api: Api) -> None:
    answer = await api.client.get("/studio")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert (answer.status_code, answer.headers["x-frame-options"]) == (200, "DENY")
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert not any(key in answer.text for key in KEYS.values())
    assert "<script>" not in answer.text
    assert "style=" not in answer.text
    for target in TARGETS:
        assert f'value="{target}"' in answer.text


async def test_a_public_address_may_show_media(tmp_path: Path) -> None:
    api = make_api(tmp_path, public_url="https://api.example.com/x")
    policy = (await api.client.get("/studio")).headers["content-security-policy"]
    assert "media-src 'self' blob: https://api.example.com;" in policy


async def test_the_pages_files(api: Api) -> None:
    page = (await api.client.get("/studio")).text
    for name in ("studio.js", "studio.css", "icon.svg"):
        assert f"/studio/static/{name}" in page
        answer = await api.client.get(f"/studio/static/{name}")
        assert answer.status_code == 200
        again = await api.client.get(f"/studio/static/{name}", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
    for name in ("nothing.js", "..%2Froutes.py", "%2e%2e/routes.py"):
        assert (await api.client.get(f"/studio/static/{name}")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/studio/form?target=ext:wan22-t2i"),
        ("POST", "/studio/compile"),
        ("POST", "/studio/jobs"),
        ("GET", "/studio/jobs/job1"),
        ("POST", "/studio/open"),
        ("POST", "/studio/workflow"),
    ],
)
async def test_every_call_needs_a_key(api: Api, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer ext_nobody"}, {"Cookie": "key=ext_alice"}):
        assert (await api.client.request(method, path, headers=headers)).status_code == 401


# --- the key that the page is given ------------------------------------------------------------------------------


def local(api: Api, base: str = "http://127.0.0.1:8600", caller: str = "127.0.0.1") -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(api.app, client=(caller, 4711))
    return httpx2.AsyncClient(transport=transport, base_url=base)


def alone(folder: Path, **config: Any) -> Api:
    """An app that nobody has a key of, but the page's own."""
    keys = KeyRing(MemoryKeys(), [("default", LOCAL)])
    return make_api(folder, keys=keys, local_key=LOCAL, **config)


@pytest.mark.parametrize(
    ("base", "caller", "headers", "given"),
    [
        ("http://127.0.0.1:8600", "127.0.0.1", {}, True),
        ("http://localhost:8600", "127.0.0.1", {}, True),
        ("http://[::1]:8600", "::1", {}, True),
        ("http://127.0.0.1:8600", "127.0.0.1", {"Sec-Fetch-Site": "same-origin"}, True),
        ("http://127.0.0.1:8600", "127.0.0.1", {"Sec-Fetch-Site": "cross-site"}, False),
        ("http://127.0.0.1:8600", "127.0.0.1", {"Sec-Fetch-Site": "same-site"}, False),
        ("http://rebound.example:8600", "127.0.0.1", {}, False),
        ("http://127.0.0.1.example:8600", "127.0.0.1", {}, False),
        ("http://192.168.1.7:8600", "192.168.1.9", {}, False),
        ("http://127.0.0.1:8600", "192.168.1.9", {}, False),
        ("http://127.0.0.1:8600", "127.0.0.1", {"X-Forwarded-For": "203.0.113.5"}, False),
        ("http://127.0.0.1:8600", "127.0.0.1", {"Forwarded": "for=203.0.113.5"}, False),
    ],
)
async def test_who_is_given_a_key(tmp_path: Path, base: str, caller: str, headers: dict[str, str], given: bool) -> None:
    api = alone(tmp_path)
    answer = await local(api, base, caller).get("/studio/session", headers=headers)
    assert (answer.status_code, answer.json().get("key")) == ((200, LOCAL) if given else (401, None))
    assert answer.headers.get("access-control-allow-origin") is None


async def test_no_key_is_given_once_somebody_else_has_one(tmp_path: Path) -> None:
    api = alone(tmp_path)
    _, mine = await api.keys.create("default")
    assert (await local(api).get("/studio/session")).status_code == 200
    _, theirs = await api.keys.create("acme")
    assert (await local(api).get("/studio/session")).status_code == 401
    await api.keys.revoke(theirs.id)
    assert (await local(api).get("/studio/session")).status_code == 200
    assert mine.tenant == "default"


async def test_no_key_is_given_where_there_is_none(api: Api) -> None:
    assert (await local(api).get("/studio/session")).status_code == 401


@pytest.mark.parametrize(
    ("given", "is_alone"),
    [
        ({}, True),
        ({"host": "localhost"}, True),
        ({"host": "::1"}, True),
        ({"host": "0.0.0.0"}, False),
        ({"host": "10.0.0.1"}, False),
        ({"host": "api.internal"}, False),
        ({"api_keys": "acme:ext_1"}, False),
        ({"admin_keys": "ext_1"}, False),
        ({"public_url": "https://api.example.com"}, False),
    ],
)
def test_when_a_server_is_its_owners_alone(given: dict[str, str], is_alone: bool) -> None:
    assert Settings(**given).alone is is_alone  # pyright: ignore[reportArgumentType]


# --- forms -------------------------------------------------------------------------------------------------------


def drawable(target: str) -> dict[str, Any]:
    """The first values of a form, with a medium wherever one may be."""
    form = form_of(target, LIBRARY)
    rows, needed = form["schema"]["properties"], form["schema"]["required"]
    values = dict(form["values"])
    values |= {name: f"studio:{row['media']}" for name, row in rows.items() if "media" in row and name in needed}
    lists = {name: row["items"]["media"] for name, row in rows.items() if "media" in row.get("items", {})}
    return values | {name: [f"studio:{kind}"] for name, kind in list(lists.items())[:1]}


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_has_a_form_whose_first_values_are_taken(target: str) -> None:
    form, asked = form_of(target, LIBRARY), asked_of(target, drawable(target), LIBRARY)
    assert form["schema"]["properties"]
    assert form["call"]["path"].startswith("/")
    work = parse_work(asked.dialect, asked.body, LIBRARY, operation=asked.operation)
    assert target_of(work.dialect, work.with_seed(7).stored) == target
    assert {ref.value for ref in work.media_refs()} <= STAND_INS.keys()
    for row in form["schema"]["properties"].values():
        assert not {"$ref", "ge", "le"} & row.keys()


def test_the_first_target_draws_without_a_medium() -> None:
    target = first_target(LIBRARY)
    catalog = LIBRARY.stocked(shipped_catalog("0.8.0"))
    asked = asked_of(target, form_of(target, LIBRARY)["values"], LIBRARY)
    compiled = parse_work(asked.dialect, asked.body, LIBRARY).compile({}, LIBRARY, catalog, "comfyc")
    answer = compiled_answer(compiled, catalog, LIBRARY)
    assert answer["svg"] == draw(compiled.graph, catalog)  # no fragment, so no frame
    assert (answer["graph"], answer["nodes"]) == (compiled.api, len(compiled.api))
    assert answer["files"]


@pytest.mark.parametrize("target", ["", "nobody", "ext:nobody", "comfyc:a/b", "fusara", ":", "ext:__class__"])
async def test_an_unknown_target(api: Api, target: str) -> None:
    answer = await api.client.post("/studio/compile", json={"target": target, "values": {}}, headers=api.bearer())
    assert answer.status_code == 400
    assert answer.json()["faults"][0]["field"] == "target"


# --- calls -------------------------------------------------------------------------------------------------------

TEMPLATE = "comfyc:checkpoint/text_to_image"


@pytest.mark.parametrize(
    ("target", "values", "faults"),
    [
        (TEMPLATE, {"prompt": "x", "width": 17}, {"width"}),
        (TEMPLATE, {"widht": 512}, {"prompt", "widht"}),
        (TEMPLATE, {"prompt": "x", "loras": [{"id": "x"}, {"strength": 1}]}, {"loras[1].id"}),
        ("ext:wan22-i2v", {"prompt": "x", "duration": 9}, {"duration"}),
        ("ext:wan22-i2v", {"prompt": "x", "duration": 1}, {"file_id"}),
        ("comfyc:reference_edit/image", {"prompt": "x", "image": "/etc/passwd"}, {"image"}),
    ],
)
async def test_faults_name_the_fields_of_the_form(
    api: Api, target: str, values: dict[str, Any], faults: set[str]
) -> None:
    for path in ("/studio/compile", "/studio/jobs"):
        answer = await api.client.post(path, json={"target": target, "values": values}, headers=api.bearer())
        assert answer.status_code == 400
        assert {fault["field"] for fault in answer.json()["faults"]} == faults
    assert api.service.jobs == {}


async def test_a_stand_in_draws_and_does_not_run(api: Api) -> None:
    body = {"target": "comfyc:reference_edit/image", "values": {"prompt": "x", "image": "studio:image"}}
    drawn = await api.client.post("/studio/compile", json=body, headers=api.bearer())
    assert drawn.json()["svg"].startswith("<svg")
    run = await api.client.post("/studio/jobs", json=body, headers=api.bearer())
    assert [fault["field"] for fault in run.json()["faults"]] == ["image"]


async def test_an_address_is_fetched_once_for_many_drawings(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    resolve = api.media.resolve
    file_id = await api.media.add("alice", picture(), "x.png")

    async def counting(tenant: str, ref: MediaRef, *more: Any) -> Any:
        asked.append(ref.value)
        return await resolve(tenant, replace(ref, value=file_id), *more)

    monkeypatch.setattr(api.media, "resolve", counting)
    values = {"prompt": "x", "image": "https://pictures.example/x.png"}
    for prompt in ("a", "ab", "abc"):
        body = {"target": "comfyc:reference_edit/image", "values": {**values, "prompt": prompt}}
        assert (await api.client.post("/studio/compile", json=body, headers=api.bearer())).status_code == 200
    assert asked == [values["image"]]
    await api.client.post("/studio/jobs", json=body, headers=api.bearer())
    assert len(asked) > 1  # a job fetches it anew


async def test_fields_without_effect_are_marked(api: Api) -> None:
    answer = await api.client.get("/studio/form?target=fusara:200", headers=api.bearer())
    rows = answer.json()["schema"]["properties"]
    assert rows["Prompt"]["unused"] is True
    assert "Not used: " in rows["Prompt"]["description"]
    assert "unused" not in rows["Model"]


async def test_a_job_comes_back_as_its_form(api: Api) -> None:
    for target, values in ((TEMPLATE, {"prompt": "x"}), ("ext:wan22-t2i", {"prompt": "x"})):
        body = {"target": target, "values": values}
        made = (await api.client.post("/studio/jobs", json=body, headers=api.bearer())).json()
        again = await api.client.get(f"/studio/jobs/{made['id']}", headers=api.bearer())
        assert again.json() == {"target": target}
        assert (await api.client.get(f"/studio/jobs/{made['id']}", headers=api.bearer("bob"))).status_code == 404


@pytest.mark.parametrize("body", [{}, {"target": 1, "values": {}}, {"target": TEMPLATE, "values": []}])
async def test_calls_without_what_they_need(api: Api, body: dict[str, Any]) -> None:
    answer = await api.client.post("/studio/compile", json=body, headers=api.bearer())
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


# --- files that are dropped --------------------------------------------------------------------------------------

GRAPH = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
}
LOOSE = {"1": {"class_type": "SaveImage", "inputs": {"filename_prefix": "<b>x</b>"}}}


async def opened(api: Api, data: bytes) -> Any:
    return await api.client.post("/studio/open", files={"file": ("x.json", data)}, headers=api.bearer())


async def test_a_graph_is_checked_and_drawn(api: Api) -> None:
    answer = (await opened(api, json.dumps(GRAPH).encode())).json()
    assert (answer["kind"], answer["valid"], answer["nodes"], answer["bad_nodes"]) == ("api", True, 2, [])
    assert answer["svg"].count("data-node=") == 2


async def test_what_is_too_large_to_look_at_is_not_drawn(api: Api) -> None:
    graph = {str(number): {"class_type": "EmptyImage", "inputs": {}} for number in range(3001)}
    answer = await opened(api, json.dumps(graph).encode())
    assert answer.status_code == 400
    assert "3,001 nodes" in answer.json()["message"]


async def test_a_graph_that_would_be_refused_is_drawn_too(api: Api) -> None:
    answer = (await opened(api, json.dumps(LOOSE).encode())).json()
    assert (answer["valid"], answer["bad_nodes"]) == (False, ["1"])
    assert answer["faults"][0]["field"] == "node 1 (SaveImage)"
    assert {one["node"] for one in (*answer["faults"], *answer["findings"])} == {"1"}
    assert "<b>" not in answer["svg"]


async def test_a_workflow_comes_back_from_its_graph(api: Api) -> None:
    made = await api.client.post("/studio/workflow", json={"graph": GRAPH}, headers=api.bearer())
    answer = (await opened(api, made.content)).json()
    assert (answer["kind"], answer["valid"]) == ("ui", True)
    kinds = sorted(node["class_type"] for node in answer["graph"].values())
    assert kinds == ["LoadImage", "SaveImage"]
    assert api_json.parse(answer["graph"]).nodes


async def test_a_workflow_with_nodes_that_nobody_knows_is_drawn_too(api: Api) -> None:
    node = {"type": "NoSuch+", "mode": 0, "inputs": [], "outputs": [], "widgets_values": ["a"]}
    titled = {**node, "id": 8, "title": "My node"}
    data = {"nodes": [{**node, "id": 7}, titled], "links": [], "version": 0.4, "last_node_id": 8, "last_link_id": 0}
    answer = (await opened(api, json.dumps(data).encode())).json()
    assert (answer["valid"], answer["nodes"]) == (False, 2)
    assert "NoSuch+" in answer["faults"][0]["field"] + answer["faults"][0]["fault"]
    assert answer["svg"].count("data-node=") == 2
    assert "My node" in answer["svg"]


async def test_half_a_character_in_a_file_is_shown(api: Api) -> None:
    half = b'"\\ud800"'
    answer = await opened(api, b'{%s: {"class_type": %s, "inputs": {"a": %s}}}' % (half, half, half))
    assert answer.status_code == 200, answer.text
    assert answer.json()["graph"] == {"\ud800": {"class_type": "\ud800", "inputs": {"a": "\ud800"}}}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[1]",
        b"not json",
        b"[" * 5000,
        picture(),
        b'{"nodes": [{"type": 1}]}',
        b"\xff\xfe",
        b'{"1": {"class_type": "SaveImage", "inputs": {"a": NaN}}}',
    ],
)
async def test_what_is_no_workflow_is_a_fault_of_the_file(api: Api, data: bytes) -> None:
    answer = await opened(api, data)
    assert answer.status_code == 400, answer.text
    assert answer.json()["faults"]


def test_a_picture_that_carries_its_graph() -> None:
    info, file = PngInfo(), io.BytesIO()
    info.add_text("prompt", json.dumps(GRAPH))
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=info)
    answer = opened_answer(file.getvalue(), shipped_catalog("0.8.0"))
    assert (answer["kind"], answer["nodes"]) == ("api", 2)


async def test_no_graph_to_convert(api: Api) -> None:
    answer = await api.client.post("/studio/workflow", json={"graph": [1]}, headers=api.bearer())
    assert (answer.status_code, answer.json()["faults"][0]["field"]) == (400, "graph")
