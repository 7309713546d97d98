"""In which order nodes run, and what a prompt keeps in the cache."""

from __future__ import annotations

from typing import Any

import pytest

from compiler import shipped_catalog
from runner.engine.sandbox.cache import Cache, Entry, keys
from runner.engine.sandbox.order import MissingNode, Plan

CATALOG = shipped_catalog("0.8.0")


def graph(**links: str) -> dict[str, Any]:
    """`b="a"`: b is fed by a; names that start with `out` are output nodes."""
    return {
        name: {"class_type": "X", "inputs": {f"in{index}": [source, 0] for index, source in enumerate(sources.split())}}
        for name, sources in links.items()
    }


def run(prompt: dict[str, Any], outputs: list[str], cached: str = "") -> list[str]:
    plan = Plan(prompt, cached.split().__contains__, lambda node: node.startswith("out"), lambda node, name: False)
    plan.add(outputs)
    ran: list[str] = []
    while plan:
        node = plan.next()
        if node is None:
            return [*ran, "ring"]
        ran.append(node)
        plan.done(node)
    return ran


@pytest.mark.parametrize(
    ("prompt", "outputs", "cached", "order"),
    [
        (graph(a="", b="a", out="b"), ["out"], "", "a b out"),
        # a sampler's sources: the checkpoint first, then what needs nothing, then what needs the checkpoint
        (
            graph(ckpt="", size="", yes="ckpt", no="ckpt", ks="ckpt yes no size", vae="ks ckpt", out="vae"),
            ["out"],
            "",
            "ckpt size no yes ks vae out",
        ),
        # an output that can run goes before other work
        (graph(a="", b="a", out1="b", out2="a"), ["out1", "out2"], "", "a out2 b out1"),
        # then a node that feeds an output
        (graph(a="", c="", d="c", b="a", out1="d", out2="b"), ["out1", "out2"], "", "c d out1 a b out2"),
        # nothing behind a cached node
        (graph(a="", b="a", out="b"), ["out"], "a b", "out"),
        # only what the wanted output needs
        (graph(a="", b="", out1="a", out2="b"), ["out2"], "", "b out2"),
        (graph(a="b", b="a", out="a"), ["out"], "", "ring"),
    ],
)
def test_the_order(prompt: dict[str, Any], outputs: list[str], cached: str, order: str) -> None:
    assert run(prompt, outputs, cached) == order.split()


def test_a_link_to_nowhere_cannot_be_planned() -> None:
    with pytest.raises(MissingNode):
        run(graph(out="nowhere"), ["out"])


def picture(color: int, *, names: str = "a b") -> dict[str, Any]:
    first, second = names.split()
    size = {"width": 8, "height": 8, "batch_size": 1, "color": color}
    return {
        first: {"class_type": "EmptyImage", "inputs": size},
        second: {"class_type": "ImageInvert", "inputs": {"image": [first, 0]}},
    }


def no_file(kind: str, inputs: Any) -> None:
    return None


def test_a_key_is_content_and_not_the_id() -> None:
    one, other = keys(picture(1), CATALOG, no_file), keys(picture(1, names="x y"), CATALOG, no_file)
    assert list(one.values()) == list(other.values())
    assert set(one.values()).isdisjoint(keys(picture(2), CATALOG, no_file).values())


def test_a_fingerprint_changes_the_key_of_all_that_follows() -> None:
    prompt = {"l": {"class_type": "LoadImage", "inputs": {"image": "a.png"}}}
    prompt["b"] = {"class_type": "ImageInvert", "inputs": {"image": ["l", 0]}}
    one = keys(prompt, CATALOG, lambda kind, inputs: "1" if kind == "LoadImage" else None)
    two = keys(prompt, CATALOG, lambda kind, inputs: "2" if kind == "LoadImage" else None)
    assert set(one.values()).isdisjoint(two.values())


def test_a_ring_and_a_missing_source_have_new_keys_each_time() -> None:
    for prompt in (
        {"a": {"class_type": "ImageInvert", "inputs": {"image": ["a", 0]}}},
        {"a": {"class_type": "ImageInvert", "inputs": {"image": ["77", 0]}}},
    ):
        assert keys(prompt, CATALOG, no_file) != keys(prompt, CATALOG, no_file)


def test_only_the_latest_prompt_s_results_are_kept() -> None:
    cache = Cache()
    first, second = keys(picture(1), CATALOG, no_file), keys(picture(2), CATALOG, no_file)
    assert cache.begin(first) == []
    cache.put("a", Entry(([1],)))
    assert cache.begin(first) == ["a"]
    assert cache.begin(second) == []
    assert cache.begin(first) == []
