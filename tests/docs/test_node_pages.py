"""docs/nodes/ has a page for every class of the pack and no other, as the generator writes it, with its picture."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from compiler import own_nodes

FOLDER = Path(__file__).parents[2] / "docs/nodes"
LARGEST = 60_000
"""Bytes of a picture."""


@pytest.mark.parametrize("name", ["README", *own_nodes().nodes])
def test_a_page_is_what_the_generator_writes(generate: ModuleType, name: str) -> None:
    assert (FOLDER / f"{name}.md").read_text() == generate.pages()[f"nodes/{name}.md"], "run `make docs`"


def test_there_are_no_other_pages() -> None:
    assert {file.stem for file in FOLDER.glob("*.md")} == {"README", *own_nodes().nodes}


def test_pictures_are_there_and_small() -> None:
    shown = {file.stem for file in FOLDER.glob("*.md") if f"]({file.stem}.png)" in file.read_text()}
    assert shown == {file.stem for file in FOLDER.glob("*.png")}
    for name in shown:
        file = FOLDER / f"{name}.png"
        assert file.stat().st_size <= LARGEST
        assert Image.open(file).width <= 1000
