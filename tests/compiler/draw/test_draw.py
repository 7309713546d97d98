"""Drawings: every node and link is there, text cannot break out, broken graphs are drawn too."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from compiling import compiled, library, target

from compiler import compile_template
from compiler.draw import draw, fragment_groups, subgraph_groups
from compiler.draw.text import clip, clip_start, width, wrap
from compiler.graph.api_json import parse
from compiler.graph.ir import Graph, Node, Ref

SVG = "{http://www.w3.org/2000/svg}"
HERE = Path(__file__).parent
HOSTILE = '</text><script>alert(1)</script>&"\x00\ud800'


def nodes_of(text: str) -> dict[str, ET.Element]:
    found = (one for one in ET.fromstring(text).iter(f"{SVG}g") if one.get("data-node") is not None)
    return {str(one.get("data-node")): one for one in found}


def links_of(text: str, kind: str = "link") -> list[tuple[str | None, str | None]]:
    return [
        (one.get("data-from"), one.get("data-to"))
        for one in ET.fromstring(text).iter(f"{SVG}path")
        if kind in (one.get("class") or "").split()
    ]


def frames_of(text: str) -> list[tuple[float, float, float, float, str]]:
    """(left, top, right, bottom, id) of each node's frame."""
    found: list[tuple[float, float, float, float, str]] = []
    for node_id, one in nodes_of(text).items():
        x, y = map(float, re.findall(r"[\d.]+", one.get("transform") or ""))
        body = one.find(f"{SVG}rect[@class='body']")
        assert body is not None
        found.append((x, y, x + float(body.get("width", 0)), y + float(body.get("height", 0)), node_id))
    return found


def graph_of(**nodes: Any) -> Graph:
    return parse({name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()})


@pytest.fixture(scope="module")
def picture() -> Graph:
    return compiled({"model": "wan22-t2i", "prompt": "a lighthouse", "width": 768, "height": 512}, "0.8.0").graph


def test_every_node_and_link_is_there(picture: Graph) -> None:
    text = draw(picture, target("0.8.0"))
    assert list(nodes_of(text)) == list(picture.nodes)
    assert all(one.get("id") == f"node-{node_id}" for node_id, one in nodes_of(text).items())
    links = [(ref.node, node_id) for node_id, node in picture.nodes.items() for _, ref in node.links()]
    assert sorted(links_of(text)) == sorted(links)
    outputs = [node_id for node_id, one in nodes_of(text).items() if "output" in (one.get("class") or "").split()]
    assert outputs == list(picture.outputs)


def test_nothing_lies_on_anything_and_sources_stand_left(picture: Graph) -> None:
    frames = frames_of(draw(picture, target("0.8.0")))
    for index, (left, top, right, bottom, _) in enumerate(frames):
        for other in frames[index + 1 :]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
    lefts = {node_id: left for left, _, _, _, node_id in frames}
    assert all(lefts[ref.node] < lefts[node_id] for node_id, node in picture.nodes.items() for _, ref in node.links())


def test_values_are_shown_and_long_ones_cut() -> None:
    prompt = "a very long prompt " * 30
    text = draw(
        graph_of(a=("CLIPTextEncode", {"text": prompt, "clip": ["b", 0]}), b=("CLIPLoader", {})), target("0.8.0")
    )
    long = [one.text or "" for one in nodes_of(text)["a"].iter(f"{SVG}text") if one.get("class") == "long"]
    assert len(long) == 5
    assert long[-1].endswith("…")
    title = nodes_of(text)["a"].find(f"{SVG}title")
    assert title is not None
    assert prompt.strip() in (title.text or "")


def test_text_stays_text() -> None:
    graph = Graph({HOSTILE: Node("No<Such>", {"text": HOSTILE, HOSTILE: 1}, HOSTILE)})
    text = draw(graph, target("0.8.0"), groups={HOSTILE: HOSTILE})
    assert text.encode()
    assert not list(ET.fromstring(text).iter(f"{SVG}script"))
    assert "<script" not in text


def test_broken_graphs_are_drawn_as_they_are() -> None:
    graph = graph_of(
        a=("ImageInvert", {"image": ["b", 0]}),
        b=("ImageInvert", {"image": ["a", 0]}),
        loop=("ImageInvert", {"image": ["loop", 0]}),
        c=("NoSuchClass", {"model": ["gone", 3]}),
        d=("KSampler", {"seed": 1, "steps": ["a", -1]}),
    )
    text = draw(graph, target("0.8.0"))
    classes = {node_id: (one.get("class") or "").split() for node_id, one in nodes_of(text).items()}
    assert [node_id for node_id, one in classes.items() if "missing" in one] == ["c", "gone"]
    assert sorted(links_of(text, "back")) == [("b", "a"), ("loop", "loop")] or links_of(text, "back")[0] == ("a", "b")
    assert ("gone", "c") in links_of(text)
    assert draw(graph).count("data-node") == len(classes)
    assert nodes_of(draw(Graph({}))) == {}


def test_links_that_close_a_cycle_go_around_everything_and_stay_on_the_sheet() -> None:
    chain = {f"n{index}": ("ImageInvert", {"image": [f"n{(index + 1) % 5}", 0]}) for index in range(5)}
    text = draw(graph_of(**chain, tall=("KSampler", {"model": ["n2", 0], **{f"v{index}": 1 for index in range(9)}})))
    width, height = (float(ET.fromstring(text).get(side, 0)) for side in ("width", "height"))
    back = next(one for one in ET.fromstring(text).iter(f"{SVG}path") if "back" in (one.get("class") or ""))
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", back.get("d") or "")]
    # M x y C x y x low x low H to C …: a cubic swings out by three quarters of what its handles do
    x, low, to, out = numbers[0], numbers[7], numbers[8], numbers[9]
    assert to - 0.75 * (to - out) > 0
    assert x + 0.75 * (numbers[2] - x) < width
    assert max(bottom for _, _, _, bottom, _ in frames_of(text)) < low < height


def test_names_of_slots_stay_in_their_node() -> None:
    long = "an_input_with_a_name_that_goes_on_and_on_and_on_for_ever"
    text = draw(graph_of(a=("Odd", {long: ["b", 0]}), b=("EmptyImage", {})), target("0.8.0"))
    names = [one.text or "" for one in nodes_of(text)["a"].iter(f"{SVG}text") if one.get("class") == "slot"]
    left, _, right, _, _ = frames_of(text)[0]
    assert names[0].startswith("an_input")
    assert width(names[0], 11) < right - left


def test_of_a_file_in_a_folder_the_end_is_kept() -> None:
    for path in ("some/folder with blanks and more/v10.safetensors", "SDXL\\some folder of mine\\v10.ckpt"):
        text = draw(graph_of(a=("CheckpointLoaderSimple", {"ckpt_name": path})), target("0.8.0"))
        shown = [one.text or "" for one in nodes_of(text)["a"].iter(f"{SVG}text") if one.get("class") == "value"]
        assert "v10." in shown[0]


def test_an_output_that_no_node_can_have_is_not_drawn() -> None:
    graph = graph_of(a=("ImageInvert", {"image": ["b", 10**12]}), b=("ImageInvert", {"image": ["gone", 10**12]}))
    text = draw(graph, target("0.8.0"))
    assert list(nodes_of(text)) == ["a", "b", "gone"]
    assert links_of(text) == []


def test_fragments_and_subgraphs_are_framed() -> None:
    body = {"model": "wan22-t2i", "prompt": "x", "width": 700, "height": 500}
    made = compiled(body, "0.8.0")
    groups = fragment_groups(made, library())
    assert {"crop", "lora_high_1"} <= groups.keys()
    assert not groups.keys() & {"sampler_high", "vae_decode", "save_image"}
    text = draw(made.graph, target("0.8.0"), groups=groups)
    frames = [one for one in ET.fromstring(text).iter(f"{SVG}g") if one.get("class") == "group"]
    assert {one.findtext(f"{SVG}text") for one in frames} == set(groups.values())
    inner = Graph(
        {"5:1": Node("EmptyImage"), "5:2": Node("ImageInvert", {"image": Ref("5:1")}), "6": Node("PreviewAny")}
    )
    assert subgraph_groups(inner, {"5": "Make"}) == {"5:1": "Make", "5:2": "Make"}
    assert set(subgraph_groups(inner, {}).values()) == {"subgraph 5"}


def test_two_hundred_nodes_take_less_than_a_second() -> None:
    nodes = {"n0": Node("EmptyImage", {"width": 8})}
    for index in range(1, 200):
        nodes[f"n{index}"] = Node("ImageBatch", {"image1": Ref(f"n{index // 2}"), "image2": Ref(f"n{index * 2 // 3}")})
    began = time.process_time()
    draw(Graph(nodes), target("0.8.0"))
    assert time.process_time() - began < 1


def test_a_graph_of_all_with_all_is_drawn_too() -> None:
    nodes = {f"n{index}": Node("ImageInvert", {"image": Ref(f"n{index - 1}")} if index else {}) for index in range(400)}
    nodes["end"] = Node("Odd", {f"i{index}": Ref(f"n{index}") for index in range(400)})
    began = time.process_time()
    text = draw(Graph(nodes))
    assert time.process_time() - began < 3
    assert len(links_of(text)) == 399 + 400


@pytest.mark.parametrize("name", ["text_to_image"])
def test_a_drawing_looks_as_it_did(name: str, update_golden: bool) -> None:
    params = {"prompt": "a lighthouse at dusk, oil painting", "negative_prompt": "people, ships"}
    made = compile_template("checkpoint/text_to_image", params, {}, library(), target("0.8.0"))
    text = draw(made.graph, target("0.8.0"), groups=fragment_groups(made, library()))
    golden = HERE / f"{name}.svg"
    if update_golden:
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_text_is_cut_to_measure() -> None:
    assert clip("short", 10, 100) == "short"
    for room in (20, 60, 90):
        cut = clip("a picture of a lake at dawn", 10, room)
        assert cut.endswith("…")
        assert width(cut, 10) <= room
    assert clip_start("folder/sub/name.png", 10, 70).endswith("name.png")
    lines = wrap("one two three four five six", 10, 60, 2)
    assert len(lines) == 2
    assert lines[-1].endswith("…")
    assert width("e\u0301\u200d", 10) == width("e", 10)  # accents and joiners take no room
    assert clip("🦊\u200d🦊", 10, 19.9) == "🦊…"
    assert wrap("x" * 100, 10, 60, 2)[0] != ""
    assert wrap("", 10, 60, 3) == [""]
    assert len(wrap("東京タワー" * 9, 10, 60, 99)) > 5
