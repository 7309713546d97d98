"""docs/nodes-providers.md names every provider of the nodes, and what its key is called."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from comfy_nodes.providers import errors, of_kind
from comfy_nodes.providers.llm import BACKENDS

PAGE = Path(__file__).parents[2] / "docs" / "nodes-providers.md"


def test_the_page_is_what_the_generator_writes(generate: ModuleType) -> None:
    assert PAGE.read_text("utf-8") == generate.pages()["nodes-providers.md"], "run `make docs`"


def test_everything_is_there() -> None:
    text = PAGE.read_text("utf-8")
    for provider in [
        *of_kind("image").values(),
        *of_kind("video").values(),
        *[one.provider for one in BACKENDS.values()],
    ]:
        assert f"`{provider.url_env}`" in text, provider.key
        for name in [name for group in provider.auth.env for name in group]:
            assert f"`{name}`" in text, provider.key
        assert provider.source in text
    categories = {
        kind.category for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "category")
    }
    assert {name for name in categories if f"`{name}`" not in text} == set()
