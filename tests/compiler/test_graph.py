"""The graph type, its JSON and its text, and the two checks."""

from __future__ import annotations

import json

import pytest
from compiling import target
from hypothesis import given
from hypothesis import strategies as st

from compiler import GraphError, TargetError
from compiler.graph import api_json
from compiler.graph.ir import Graph, Node, Ref, topological
from compiler.graph.text import parse_text, print_text
from compiler.graph.verify import findings, types_match, verify, verify_structure

IDS = st.text("abcz_9", min_size=1, max_size=6)
VALUES = st.one_of(
    st.text(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.lists(st.one_of(st.text(), st.integers()), max_size=3),
    st.builds(Ref, IDS, st.integers(0, 3)),
)
NODES = st.builds(Node, st.text("ABCabc", min_size=1), st.dictionaries(IDS, VALUES, max_size=4))


@given(st.dictionaries(IDS, NODES, max_size=5))
def test_json_and_text_bring_every_graph_back(nodes: dict[str, Node]) -> None:
    graph = Graph(nodes)
    assert api_json.parse(json.loads(json.dumps(api_json.emit(graph)))).nodes == nodes
    assert parse_text(print_text(graph)).nodes == nodes


def test_a_list_that_looks_like_a_link_is_wrapped() -> None:
    emitted = api_json.emit(Graph({"a": Node("X", {"list": ["4", 0], "link": Ref("b", 1)})}))
    assert emitted["a"]["inputs"] == {"list": {"__value__": ["4", 0]}, "link": ["b", 1]}


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ([], "not a JSON object"),
        ({"nodes": [], "links": []}, "UI workflow"),
        ({"1": {"inputs": {}}}, "no class_type"),
        ({"1": {"class_type": "X"}}, "no inputs"),
        ({"1": {"class_type": "X", "inputs": None}}, "no inputs"),
    ],
)
def test_json_that_is_no_graph(data: object, word: str) -> None:
    with pytest.raises(GraphError, match=word):
        api_json.parse(data)


@pytest.mark.parametrize(
    ("text", "word"), [("%a = X(b=%c)", "'c', which is not in the graph"), ("%a = X(b=%a)", "cycle"),
                       ("%a = X(b=%b)\n%b = X(b=%a)", "cycle"), ("%a = X()\noutput %z", "z: is named as an output")]
)  # fmt: skip
def test_a_graph_that_does_not_hang_together(text: str, word: str) -> None:
    with pytest.raises(GraphError, match=word):
        verify_structure(parse_text(text))


def test_sources_come_first_and_ties_keep_their_order() -> None:
    graph = parse_text("%d = X(a=%b, c=%c)\n%c = X()\n%b = X()\n%a = X()")
    assert topological(graph.nodes) == ["b", "c", "d", "a"]


TARGET_CASES = [
    ('%a = KSamplr(seed=1)', "missing_node_type", "Did you mean 'KSampler'"),
    ('%a = EmptyImage(width=64, height=64, batch_size=1, color=0, colour=1)', "unknown_input", "Did you mean 'color'"),
    ('%a = EmptyImage(width=64, height=64, batch_size=1)', "required_input_missing", "needs this input"),
    ('%a = EmptyImage(width=0, height=64, batch_size=1, color=0)', "value_smaller_than_min", "least allowed, 1"),
    ('%a = EmptyImage(width=64, height=64, batch_size=1, color=99999999)', "value_bigger_than_max", "16777215"),
    ('%a = EmptyImage(width=64.5, height=64, batch_size=1, color=0)', "invalid_input_type", "whole number"),
    ('%a = EmptyImage(width=true, height=64, batch_size=1, color=0)', "invalid_input_type", "whole number"),
    ('%a = UNETLoader(unet_name="u", weight_dtype="fp7")', "value_not_in_list", "fp8_e4m3fn"),
    ('%a = StringCompare(string_a="", string_b="", mode="Equals", case_sensitive=true)', "value_not_in_list", "Equal"),
    ('%a = LoadImage(image="x")\n%b = VAEDecode(samples=%a, vae=%a.1)', "return_type_mismatch", "takes VAE"),
    ('%a = LoadImage(image="x")\n%b = ImageInvert(image=%a.7)', "return_type_mismatch", "output 7"),
    ('%a = ImageInvert(image="x")', "bad_linked_input", "takes a link to IMAGE"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "word"), TARGET_CASES, ids=[f"{c[1]}: {c[2]}" for c in TARGET_CASES])
def test_what_a_target_would_not_run_as_meant(text: str, code: str, word: str) -> None:
    graph = parse_text(text)
    found = {fault.code: str(fault) for fault in findings(graph, target("0.3.64"))}
    assert word in found[code]
    with pytest.raises(TargetError):
        verify(graph, target("0.3.64"))


def test_dynamic_inputs_follow_the_value_that_picks_them() -> None:
    sized = 'resize_type="scale dimensions", resize_type.width=8, resize_type.height=8, resize_type.crop="center"'
    good = f'%i = LoadImage(image="x")\n%a = ResizeImageMaskNode(input=%i, {sized}, scale_method="area")'
    assert list(findings(parse_text(good), target("0.8.0"))) == []
    bad = good.replace("scale dimensions", "scale by multiplier")
    codes = sorted((fault.where, fault.code) for fault in findings(parse_text(bad), target("0.8.0")))
    assert ("a.resize_type.multiplier", "required_input_missing") in codes
    assert ("a.resize_type.width", "unknown_input") in codes


@pytest.mark.parametrize(
    ("given_type", "wanted", "fits"),
    [("IMAGE", "IMAGE", True), ("INT", "FLOAT", False), ("*", "IMAGE", True), ("MASK", "IMAGE,MASK", True),
     ("LATENT", "IMAGE,MASK", False), ("COMFY_MATCHTYPE_V3", "LATENT", True)],
)  # fmt: skip
def test_link_types(given_type: str, wanted: str, fits: bool) -> None:
    assert types_match(given_type, wanted) is fits
