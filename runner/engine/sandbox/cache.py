"""What ran before and need not run again. Keys are content, not ids; only the latest prompt's entries are kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from compiler.catalog import Catalog
from compiler.check.deadly import is_link

Fingerprint = Callable[[str, Mapping[str, Any]], str | None]


@dataclass(frozen=True, slots=True)
class Entry:
    """The results of one node: a list of values for each slot, and what it showed."""

    slots: tuple[list[Any], ...]
    ui: Mapping[str, Any] | None = None
    node_id: str = ""


def keys(prompt: Mapping[str, Any], catalog: Catalog, fingerprint: Fingerprint) -> dict[str, str]:
    """A key for every node: its class, its values and fingerprint, and the keys of all that feeds it.

    Classes that take their own node id (hidden UNIQUE_ID) have it in their key. A node in a ring or fed by a node
    that is not there has a key of its own each time.
    """
    found: dict[str, str] = {}
    for root in prompt:
        _key(root, prompt, catalog, fingerprint, found)
    return found


def _key(
    root: str, prompt: Mapping[str, Any], catalog: Catalog, fingerprint: Fingerprint, found: dict[str, str]
) -> None:
    stack, opened = [root], set[str]()
    while stack:
        node_id = stack[-1]
        if node_id in found:
            stack.pop()
            continue
        inputs: Mapping[str, Any] = prompt[node_id]["inputs"]
        waiting = [
            value[0] for value in inputs.values() if is_link(value) and value[0] in prompt and value[0] not in found
        ]
        if waiting and node_id not in opened:
            opened.add(node_id)
            stack += waiting
            continue
        stack.pop()
        found[node_id] = uuid4().hex if waiting else _own(node_id, prompt, catalog, fingerprint, found)


def _own(
    node_id: str, prompt: Mapping[str, Any], catalog: Catalog, fingerprint: Fingerprint, found: Mapping[str, str]
) -> str:
    node = prompt[node_id]
    kind: str = node["class_type"]
    parts: list[Any] = [kind, fingerprint(kind, node["inputs"])]
    if any(spec.type == "UNIQUE_ID" for spec in catalog.nodes[kind].inputs):
        parts.append(node_id)
    for name, value in sorted(node["inputs"].items()):
        link = is_link(value)
        parts.append([name, found.get(value[0], uuid4().hex), value[1]] if link else [name, value])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass
class Cache:
    """Results by key."""

    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    keys: Mapping[str, str] = field(default_factory=dict[str, str])
    """Node id → key, of the prompt that runs."""

    def begin(self, keys: Mapping[str, str]) -> list[str]:
        """A new prompt: drops what it does not contain; returns the ids of its nodes that are cached."""
        wanted = set(keys.values())
        self.entries = {key: entry for key, entry in self.entries.items() if key in wanted}
        self.keys = keys
        return [node_id for node_id, key in keys.items() if key in self.entries]

    def get(self, node_id: str) -> Entry | None:
        key = self.keys.get(node_id)
        return self.entries.get(key) if key is not None else None

    def put(self, node_id: str, entry: Entry) -> None:
        self.entries[self.keys[node_id]] = entry

    def clear(self) -> None:
        self.entries.clear()
