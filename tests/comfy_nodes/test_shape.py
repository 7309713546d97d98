"""Whether JSON has the shape of a schema, beside the library jsonschema where that is installed."""

from __future__ import annotations

from typing import Any

import pytest
from calling import table

from comfy_nodes.providers.shape import misfit

CASES = table("shapes.yaml")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_misfit(case: dict[str, Any]) -> None:
    for value in case.get("fits", ()):
        assert misfit(value, case["schema"]) == "", value
    for value, says in case.get("faults", ()):
        assert misfit(value, case["schema"]) == says, value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_library_agrees(case: dict[str, Any]) -> None:
    library = pytest.importorskip("jsonschema")
    judge = library.Draft202012Validator(case["schema"])
    assert all(judge.is_valid(value) for value in case.get("fits", ()))
    assert not any(judge.is_valid(value) for value, _ in case.get("faults", ()))
