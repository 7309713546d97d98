"""Midjourney's parameters, which differ from version to version."""

from __future__ import annotations

import json
from typing import Any

import pytest
from compiling import compiled

KEPT = {"CharacterReference": "https://x.test/a.png"}


@pytest.mark.parametrize(
    ("body", "line", "told"),
    [
        ({**KEPT, "CharacterWeight": 40}, "--oref https://x.test/a.png --ow 40", []),
        ({**KEPT, "ModelVersion": "7"}, "--oref https://x.test/a.png --v 7", []),
        ({**KEPT, "ModelVersion": "v6.1", "CharacterWeight": 0}, "--cref https://x.test/a.png --cw 0 --v 6.1", []),
        ({**KEPT, "ModelVersion": "niji 6"}, "--cref https://x.test/a.png --niji 6", []),
        ({**KEPT, "CharacterWeight": 0}, "--oref https://x.test/a.png --ow 1", ["CharacterWeight"]),
        ({"Style": "raw"}, "--style raw", []),
        ({"Style": "expressive"}, "--style expressive --niji 5", ["ModelVersion"]),
        ({"Style": "expressive", "ModelVersion": "niji 5"}, "--style expressive --niji 5", []),
        ({"Style": "expressive", "ModelVersion": "7"}, "--v 7", ["Style"]),
    ],
)
def test_parameters_are_those_of_the_version(body: dict[str, Any], line: str, told: list[str]) -> None:
    made = compiled({"__type": 1, "Prompt": "a", "Seed": 5, **body}, "0.3.64+comfyc", "fusara")
    payload = json.loads(str(made.graph["partner"].inputs["payload"]))
    assert payload["prompt"] == f"a --seed 5 {line}"
    assert [one.field for one in made.unsupported] == told
