"""What README and the other pages name is there: links, files, commands, make targets, settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runner.cli import find_commands
from runner.settings import FOREIGN, Settings, variable

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = {page: page.read_text() for page in PAGES}
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(#[^)]*)?\)")
FILE = re.compile(r"\b(?:tests|benchmarks|docs|examples)/[\w./-]+\.(?:py|json|md|png)\b")
SETTING = re.compile(r"\bCOMFY(?:C_[A-Z_]+|UI_HOME)\b")


def anchors(text: str) -> set[str]:
    """GitHub's anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(TEXT[page]):
        found = page.parent / target
        assert found.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor[1:] in anchors(found.read_text()), f"{page.name} links to {target}{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_exist(page: Path) -> None:
    for name in FILE.findall(TEXT[page]):
        assert (ROOT / name).exists(), f"{page.name} names {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_targets_exist(page: Path) -> None:
    commands = {name for name, _ in find_commands()}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block in re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`", TEXT[page], re.DOTALL):
        for line in "".join(block).splitlines():
            if match := re.match(r"(?:\.venv/bin/)?comfyc\s+([a-z]+)", line):
                assert match[1] in commands, f"{page.name}: {line}"
            if match := re.match(r"make ([a-z]+)", line):
                assert match[1] in targets, f"{page.name}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_exist(page: Path) -> None:
    known = {Settings.config_variable, "COMFYUI_HOME", *(variable(field) for field in Settings.model_fields)}
    assert {name for name in SETTING.findall(TEXT[page]) if not name.startswith(FOREIGN)} <= known
