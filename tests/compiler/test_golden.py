"""Requests and the graphs they become, side by side in golden/<dialect>/*.yaml; --update-golden writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from compiling import compiled

from compiler.graph import api_json
from compiler.graph.text import parse_text, print_text

CASES = sorted((Path(__file__).parent / "golden").glob("*/*.yaml"))


class _Block(str):
    """Text that YAML writes as a block."""


yaml.SafeDumper.add_representer(
    _Block, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
)


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_request_becomes_the_golden_graph(path: Path, update_golden: bool) -> None:
    case: dict[str, Any] = yaml.safe_load(path.read_text())
    stages: list[str] = []
    dialect, catalog = path.parent.name, case.get("catalog", "0.3.64")
    found = compiled(case["request"], catalog, dialect, watch=lambda name, graph: stages.append(name))
    actual = {
        "unsupported": [str(one) for one in found.unsupported],
        "steps": dict(found.plan.steps),
        "uploads": [media.name for media in found.plan.uploads],
        "graph": print_text(found.graph),
    }
    if update_golden:
        case.update({**actual, "graph": _Block(actual["graph"])})
        path.write_text(yaml.safe_dump(case, sort_keys=False, allow_unicode=True, width=1000))
        return
    assert actual == {name: case[name] for name in actual}
    assert stages[0] == "expand"
    assert stages[-1] == "verify_for_target"
    assert parse_text(actual["graph"]).nodes.keys() == found.graph.nodes.keys()
    assert api_json.parse(found.api).nodes == found.graph.nodes


def test_every_provider_has_a_golden() -> None:
    from compiler import dialects

    cases = [(dialects()[path.parent.name], yaml.safe_load(path.read_text())["request"]) for path in CASES]
    named = {(dialect.name, str(request[dialect.key])) for dialect, request in cases}
    known = {(dialect.name, name) for dialect in dialects().values() for name in dialect.providers}
    assert named == known
