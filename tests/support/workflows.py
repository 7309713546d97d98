"""Workflows in a short notation, for test tables → the JSON that ComfyUI's page saves.

nodes:
  1: {type: EmptyImage, values: [64, 48, 1, 0]}
  2: {type: ImageBlur, in: {image: [1, 0]}, mode: 4}     # image comes from output 0 of node 1; 4 is bypassed, 2 muted
subgraphs:
  S:
    inputs: {image: IMAGE}
    outputs: {blurred: [IMAGE, 1, 0]}                     # output 0 of inner node 1; of null: nothing
    nodes: {1: {type: ImageBlur, in: {image: [in, image]}}}

Also for a node: title, properties, types (of saved inputs, by name), out (types of saved outputs), raw (fields as they
are). Inputs that are named are saved; a link of null is an empty slot, a number names a link that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def workflow(case: Mapping[str, Any]) -> dict[str, Any]:
    """The saved workflow of a case."""
    document: dict[str, Any] = {"version": 0.4, "groups": [], "config": {}, "extra": case.get("extra", {})}
    nodes, links = _scope(case["nodes"], {}, {})
    document["nodes"] = nodes
    document["links"] = [[link["id"], *_ends(link), link["type"]] for link in links]
    subgraphs = [_definition(name, raw) for name, raw in case.get("subgraphs", {}).items()]
    if subgraphs:
        document["definitions"] = {"subgraphs": subgraphs}
    numbers = [node["id"] for node in nodes if isinstance(node["id"], int)]
    return {"last_node_id": max(numbers, default=0), "last_link_id": len(links), **document, **case.get("raw", {})}


def _ends(link: Mapping[str, Any]) -> list[Any]:
    return [link[key] for key in ("origin_id", "origin_slot", "target_id", "target_slot")]


def _definition(name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    inputs, outputs = raw.get("inputs", {}), raw.get("outputs", {})
    nodes, links = _scope(raw["nodes"], inputs, outputs)
    return {
        "id": name,
        "name": name,
        "version": 1,
        "revision": 0,
        "state": {"lastGroupId": 0, "lastNodeId": 100, "lastLinkId": len(links), "lastRerouteId": 0},
        "config": {},
        "inputNode": {"id": -10, "bounding": [0, 0, 120, 60]},
        "outputNode": {"id": -20, "bounding": [900, 0, 120, 60]},
        "inputs": [
            {"id": f"{name}-in-{port}", "name": port, "type": kind, "linkIds": _from(links, -10, index)}
            for index, (port, kind) in enumerate(inputs.items())
        ],
        "outputs": [
            {"id": f"{name}-out-{port}", "name": port, "type": to[0], "linkIds": _to(links, -20, index)}
            for index, (port, to) in enumerate(outputs.items())
        ],
        "widgets": [],
        "nodes": nodes,
        "groups": [],
        "links": links,
        "extra": {},
    }


def _from(links: list[dict[str, Any]], node: Any, slot: int) -> list[int]:
    return [link["id"] for link in links if link["origin_id"] == node and link["origin_slot"] == slot]


def _to(links: list[dict[str, Any]], node: Any, slot: int) -> list[int]:
    return [link["id"] for link in links if link["target_id"] == node and link["target_slot"] == slot]


def _scope(
    raws: Mapping[Any, Mapping[str, Any]], inputs: Mapping[str, str], outputs: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(nodes, links as objects) of the root or of a definition."""
    links: list[dict[str, Any]] = []
    nodes = [_node(node_id, raw, links, list(inputs)) for node_id, raw in raws.items()]
    for index, (kind, source, slot) in enumerate(outputs.values()):
        if source is not None:
            _link(links, source, slot, -20, index, kind, list(inputs))
    for node in nodes:
        saved = raws[node["id"]].get("out", [])
        used = [link["origin_slot"] for link in links if link["origin_id"] == node["id"]]
        for slot in range(max([len(saved), *(number + 1 for number in used)])):
            kind = saved[slot] if slot < len(saved) else "*"
            node["outputs"].append({"name": kind, "type": kind, "links": _from(links, node["id"], slot)})
    return nodes, links


def _link(links: list[dict[str, Any]], source: Any, slot: Any, target: Any, index: int, kind: str, names: Any) -> int:
    outside = source == "in"
    ends = {"origin_id": -10 if outside else source, "origin_slot": names.index(slot) if outside else slot}
    links.append({"id": len(links) + 1, **ends, "target_id": target, "target_slot": index, "type": kind})
    return len(links)


def _node(node_id: Any, raw: Mapping[str, Any], links: list[dict[str, Any]], names: list[str]) -> dict[str, Any]:
    node: dict[str, Any] = {"id": node_id, "type": raw["type"], "pos": [0, 0], "size": [200, 100], "flags": {}}
    node |= {"order": 0, "mode": raw.get("mode", 0), "inputs": [], "outputs": []}
    node["properties"] = raw.get("properties", {})
    node |= {"title": raw["title"]} if "title" in raw else {}
    node |= {"widgets_values": raw["values"]} if "values" in raw else {}
    for index, (name, source) in enumerate(raw.get("in", {}).items()):
        kind = raw.get("types", {}).get(name, "*")
        link = _link(links, *source, node_id, index, kind, names) if isinstance(source, list) else source
        node["inputs"].append({"name": name, "type": kind, "link": link})
    return node | raw.get("raw", {})
