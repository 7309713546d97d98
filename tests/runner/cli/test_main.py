"""The frame of the command line: registry, exit codes, and one line for each fault."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from runner.cli import build_parser, find_commands, main

COMMANDS = {
    "serve",
    "run",
    "compile",
    "explain",
    "check",
    "convert",
    "draw",
    "template",
    "catalog",
    "engine",
    "nodes",
    "keys",
    "doctor",
}


def test_the_registry_is_the_folder() -> None:
    found = dict(find_commands())
    assert set(found) == COMMANDS
    for name, module in found.items():
        assert module.__doc__, f"{name} has no docstring: it is the command's help"
        assert callable(module.configure), name
        assert callable(module.run), name


def test_help_is_quick_because_heavy_imports_wait() -> None:
    heavy = "{'starlette', 'dbos', 'sqlalchemy', 'av', 'numpy', 'httpx2', 'rich.progress'}"
    program = (
        f"import sys; from runner.cli import build_parser; build_parser(); sys.exit(str({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"


def test_every_argument_has_a_help_line() -> None:
    pending = [build_parser()]
    while pending:
        parser = pending.pop()
        for action in parser._actions:
            choices = getattr(action, "choices", None)
            if isinstance(choices, dict):
                pending += choices.values()
            else:
                assert action.help, f"{parser.prog} {action.dest}"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["catalog", "show", "KSampl"], "KSampl: is no node class of ComfyUI 0.8.0. Did you mean 'KSampler'?"),
        (["catalog", "show", "KSampler", "--catalog", "1.0"], "--catalog: '1.0' is not a catalog."),
        (["compile", "nowhere.json"], "nowhere.json: No such file or directory"),
        (["compile", "a.json", "b.json"], "--out: is missing."),
    ],
)
def test_wrong_input_is_exit_2_and_one_line(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert capsys.readouterr().err.startswith(f"comfyc: {message}")


def test_failed_work_is_exit_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["catalog", "pull", "http://127.0.0.1:9", "-o", str(tmp_path / "c.json")]) == 1
    assert "http://127.0.0.1:9: does not answer as a ComfyUI" in capsys.readouterr().err


def test_catalog_show_prints_types_defaults_and_ranges(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "show", "KSampler", "--catalog", "0.3.64"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "KSampler  (sampling)"
    assert "  steps: INT = 20 (min 1, max 10000)" in lines
    assert lines[-1] == "  → LATENT: LATENT"


def test_several_faults_are_several_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"model": "wan22-t2v", "prompt": "", "duration": 9}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(body)))
    assert main(["compile", "-", "--dialect", "ext"]) == 2
    error = capsys.readouterr().err
    assert "comfyc: prompt: " in error
    assert "comfyc: duration: " in error
    assert "Traceback" not in error
