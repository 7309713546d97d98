"""The generated pages of docs/ say what the code says, and leave nothing undocumented."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from compiler import dialects, load_library

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["commands.md", "settings.md", "providers.md", "fusara-providers.md", "templates.md"])
def test_a_page_is_what_the_generator_writes(generate: ModuleType, name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == generate.pages()[name], "run `make docs`"


def test_every_provider_is_described() -> None:
    for dialect in dialects().values():
        for provider in dialect.providers.values():
            assert type(provider).__doc__, f"{dialect.name} {provider.name} has no docstring"


def test_every_request_field_is_described() -> None:
    for dialect in dialects().values():
        for model in {provider.Request for provider in dialect.providers.values()}:
            for name, facts in model.model_json_schema()["properties"].items():
                assert facts.get("description"), f"{model.__name__}.{name} has no description"


def test_every_template_and_fragment_is_described() -> None:
    library = load_library()
    for name, one in (*library.templates.items(), *library.fragments.items()):
        assert one.manifest.title, name
        for param, facts in one.manifest.params.items():
            assert facts.description, f"{name}: {param} has no description"
