"""Where things live: borders that lint cannot draw."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from compiling import library

from compiler import dialects

ROOT = Path(__file__).resolve().parents[1]
CORE_FOLDERS = (
    "compiler",
    *(
        f"compiler/{name}"
        for name in ("check", "draw", "graph", "passes", "template", "template/authoring", "workflow")
    ),
    "runner",
    *(f"runner/{name}" for name in ("api", "api/studio", "api/v1", "cli/commands", "models", "store")),
    *(f"runner/{name}" for name in ("engine", "engine/sandbox")),
)
"""Not the sandbox's `ops`: they are ComfyUI's node classes, some of which have a family in their name."""
CORE = [path for folder in CORE_FOLDERS for path in sorted(ROOT.glob(f"{folder}/*.py"))]


def strings_and_names(path: Path) -> Iterator[str]:
    """Every name and string of the code, docstrings and comments left out."""
    tree = ast.parse(path.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_core_names_no_provider_and_no_model_family(path: Path) -> None:
    providers = {one.name for dialect in dialects().values() for one in dialect.providers.values()}
    families = {stack.family for stack in library().stacks.values()}
    known = "|".join(re.escape(word) for word in sorted(providers | families))
    words = re.compile(rf"\b({known})\b", re.IGNORECASE)
    named = [text for text in strings_and_names(path) if words.search(text)]
    assert named == []


def test_graphs_is_data() -> None:
    assert {path.suffix for path in (ROOT / "graphs").rglob("*") if path.is_file()} == {".json"}


@pytest.mark.parametrize("dialect", sorted(dialects()))
def test_dialects_do_not_know_each_other(dialect: str) -> None:
    others = [name for name in dialects() if name != dialect]
    files = [*ROOT.glob(f"compiler/providers/{dialect}/*.py"), ROOT / "runner" / "api" / "dialects" / f"{dialect}.py"]
    for path in files:
        assert not [name for name in imports(path) for other in others if f".{other}" in name], path


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("compiler", ("runner", "comfy_nodes", "torch", "httpx2", "fastapi")),
        ("comfy_nodes", ("runner", "compiler")),
        ("runner/engine", ("runner.api", "runner.service", "runner.worker", "runner.durable", "runner.cli")),
        ("runner/store", ("runner.api", "runner.service", "runner.worker", "runner.cli", "runner.settings")),
        ("runner/api", ("runner.cli", "runner.settings", "runner.assemble")),
    ],
)
def test_no_import_runs_back_up(folder: str, forbidden: tuple[str, ...]) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        up = {
            name
            for name in imports(path)
            if name.startswith(tuple(f"{one}." for one in forbidden)) or name in forbidden
        }
        assert up == set(), path


def test_nobody_swallows_its_own_cancellation() -> None:
    """`runner.tasks.cancel_and_wait` is what waits for a cancelled task."""
    swallow = re.compile(r"(suppress\(|except )\(?[\w., ]*\bCancelledError")
    found = [
        path.relative_to(ROOT).as_posix() for path in ROOT.glob("runner/**/*.py") if swallow.search(path.read_text())
    ]
    assert found == []
