"""What differs between generations of ComfyUI's page, and what the page adds to the classes that it knows.

The facts are data (graphs/catalogs/widgets.json), observed on frontend 1.27.10 (ComfyUI 0.3.64) and 1.35.9 (0.8.0).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from compiler.shipped import CATALOGS, shipped_catalog, shipped_versions


@dataclass(frozen=True)
class Rules:
    """One generation of the page."""

    frontend: str
    """Its version, for messages: `1.35`."""
    renames: Mapping[str, str]
    """Class names that old files misspell → today's."""
    widget_types: frozenset[str]
    """Types, beside the catalog's own, for which the page makes a widget."""
    replacing: frozenset[str]
    """Classes whose `filename_prefix` has `%Node.widget%` and `%date:…%` replaced."""
    captured: frozenset[str]
    """Types of widgets whose value the page takes from the browser when it sends: a camera, a scene."""
    detached: frozenset[str]
    """Types of widgets that do not take the saved value; those captured among them."""
    growing: Mapping[str, str]
    """Class → prefix of text widgets of which one more appears behind the last filled one."""
    layouts: Mapping[str, tuple[Any, ...]]
    """Class → its widgets in order, where they do not follow from its inputs: a name, or the facts of an extra one."""
    titles: Mapping[str, str]
    """Class → the name that the page shows, where it is another."""
    proxy_widgets: bool
    """Whether `properties.proxyWidgets` orders the widgets of a subgraph instance."""
    primitive_in_subgraph: bool
    """Whether a PrimitiveNode works inside a subgraph; before, the page fails on it."""
    promotes_by_number: bool
    """Whether an instance's widgets are those behind the slots that the definition's links number."""
    root_reroutes: bool
    """Whether only the root's reroutes drop links of another type than their source's."""
    object_is_ignored: bool
    """`widgets_values` as an object, on a core node: True leaves the defaults, False leaves every value out."""


@cache
def generations() -> tuple[tuple[str, Rules], ...]:
    """(newest ComfyUI that it holds for, rules), oldest first; the last holds for all newer ones."""
    facts: dict[str, Any] = json.loads((CATALOGS / "widgets.json").read_bytes())
    return tuple((raw["until"], _rules(facts, raw)) for raw in facts["generations"])


def _rules(facts: Mapping[str, Any], own: Mapping[str, Any]) -> Rules:
    def both(name: str) -> dict[str, Any]:
        return {**facts.get(name, {}), **own.get(name, {})}

    def listed(name: str) -> frozenset[str]:
        return frozenset([*facts.get(name, ()), *own.get(name, ())])

    flags = own["flags"]
    return Rules(
        frontend=own["frontend"],
        renames=both("renames"),
        widget_types=listed("widget_types"),
        replacing=listed("replacing"),
        captured=listed("captured"),
        detached=listed("captured") | listed("detached"),
        growing=both("growing"),
        layouts={kind: tuple(entries) for kind, entries in both("layouts").items()},
        titles=both("titles"),
        proxy_widgets="proxy_widgets" in flags,
        primitive_in_subgraph="primitive_in_subgraph" in flags,
        promotes_by_number="promotes_by_number" in flags,
        root_reroutes="root_reroutes" in flags,
        object_is_ignored="object_is_ignored" in flags,
    )


@cache
def rules_for(version: str) -> Rules:
    """The rules of a ComfyUI version; the newest for unknown ones."""
    numbers = _numbers(version)
    for until, rules in generations():
        if numbers and until and numbers <= _numbers(until):
            return rules
    return generations()[-1][1]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


@cache
def core_classes() -> frozenset[str]:
    """Classes of ComfyUI itself, of any shipped version: those that node packs do not bring."""
    return frozenset(kind for version in shipped_versions() for kind in shipped_catalog(version).nodes)
