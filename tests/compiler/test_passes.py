"""Passes on graph text: passes/<pass>.md holds a sentence of why, the graph before and the graph after."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from compiling import library, target

from compiler.graph.text import parse_text, print_text
from compiler.passes import PASSES, PassContext

FOLDER = Path(__file__).parent / "passes"
CASE = re.compile(r"## (?P<why>.+?)\n```\n(?P<before>.*?)```\nbecomes\n```\n(?P<after>.*?)```", re.DOTALL)
CASES = [
    pytest.param(path.stem, case["before"], case["after"], id=f"{path.stem}: {case['why']}")
    for path in sorted(FOLDER.glob("*.md"))
    for case in CASE.finditer(path.read_text())
]
BY_NAME = {one.__name__: one for one in PASSES}


@pytest.mark.parametrize(("name", "before", "after"), CASES)
def test_before_becomes_after(name: str, before: str, after: str) -> None:
    graph = BY_NAME[name](parse_text(before), PassContext(library(), target("0.3.64")))
    assert print_text(graph) == after


@pytest.mark.parametrize(("name", "before", "after"), CASES)
def test_a_second_run_changes_nothing(name: str, before: str, after: str) -> None:
    context = PassContext(library(), target("0.3.64"))
    once = BY_NAME[name](parse_text(before), context)
    assert print_text(BY_NAME[name](once, context)) == print_text(once)


def test_every_rewriting_pass_has_cases() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == set(BY_NAME) - {"attach_fragments", "verify_for_target"}
