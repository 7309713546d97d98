"""`comfyc template` and `comfyc draw` from the outside."""

from __future__ import annotations

import builtins
import json
import sys
from pathlib import Path

import pytest

from runner.cli import main

ROOT = Path(__file__).parents[3]
REQUEST = str(ROOT / "examples/ext/wan22-t2i.json")


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def graph(capsys: pytest.CaptureFixture[str]) -> str:
    """The graph of a shipped template, in a file."""
    assert main(["template", "render", "checkpoint/text_to_image", "--set", "prompt=a cat", "--set", "steps=5"]) == 0
    Path("cat.json").write_text(capsys.readouterr().out)
    return "cat.json"


def test_what_is_rendered_has_the_values_that_were_set(graph: str) -> None:
    nodes = json.loads(Path(graph).read_text())
    assert nodes["sampler"]["inputs"]["steps"] == 5
    assert nodes["positive"]["inputs"]["text"] == "a cat"


def test_a_template_is_imported_listed_shown_linted_and_rendered(
    graph: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed = ["--fix", "denoise", "--fix", "checkpoint"]
    assert main(["template", "import", graph, "--yes", "--id", "own/cat", *fixed]) == 0
    told = capsys.readouterr().out
    assert "templates/own/cat" in told
    assert "wire model (MODEL) from load_checkpoint" in told
    assert "parameter denoise" not in told
    assert "needs in checkpoints: " in told
    mine = ["--templates", "templates"]
    assert main(["template", "list", *mine]) == 0
    assert "own/cat" in capsys.readouterr().out
    assert main(["template", "show", "own/cat", *mine]) == 0
    assert "steps: integer (default 5, minimum 1, maximum 10000)" in capsys.readouterr().out
    assert main(["template", "lint", "templates"]) == 0
    capsys.readouterr()
    assert main(["template", "render", "own/cat", *mine, "--set", "prompt=a dog", "--set", "seed=9"]) == 0
    nodes = json.loads(capsys.readouterr().out)
    assert nodes["ksampler"]["inputs"]["seed"] == 9
    assert main(["template", "import", graph, "--yes", "--id", "own/cat"]) == 2
    assert "is there already" in capsys.readouterr().err


def test_questions_are_asked_in_a_terminal(
    graph: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = {"id [": "own/asked", "  denoise": "-", "  steps": "how many", "  'how many'": "rounds"}
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(
        builtins, "input", lambda text: next((said for start, said in answers.items() if text.startswith(start)), "")
    )
    assert main(["template", "import", graph]) == 0
    params = json.loads(Path("templates/own/asked/manifest.json").read_text())["params"]
    assert "rounds" in params
    assert not {"steps", "denoise"} & params.keys()
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["render", "own/nothing"], "own/nothing: is not a template"),
        (["render", "checkpoint/text_to_image", "--set", "prompt"], "--set prompt: has no value. Write NAME=VALUE"),
        (["render", "checkpoint/text_to_image", "--set", "promt=x"], "Did you mean 'prompt'?"),
        (["render", "checkpoint/text_to_image", "--set", "prompt=x", "--lora", "a=b"], "'b' is not a number"),
        (["list", "--templates", "nowhere"], "nowhere: is not a folder"),
        (["lint", "nowhere"], "nowhere: holds no template"),
        (["import", "cat.json", "--yes", "--id", "../up"], "'../up' is no name for a template"),
        (["import", "cat.json", "--yes", "--param", "x"], "--param x: is no parameter"),
        (["import", "cat.json", "--yes", "--fix", "stps"], "Did you mean 'steps'?"),
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_explained(
    arguments: list[str], said: str, graph: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["template", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not Path("templates").exists()


def test_lint_ends_with_one_where_something_is_to_mend(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("mine/own/bad")
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    assert main(["template", "lint", "mine"]) == 1
    assert "manifest.json: title: Field required" in capsys.readouterr().out


def test_a_bad_template_stops_the_server_at_its_start(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("mine/own/bad")
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"title": "x", "params": {}, "outputs": {}}')
    (folder / "graph.json").write_text('{"1": {"class_type": "EmptyImage", "inputs": {"width": "{{ wide }}"}}}')
    assert main(["serve", "--templates", "mine", "--port", "0"]) == 2
    assert "own/bad/graph.json: 1.width: '{{ wide }}': 'wide' is not an input" in capsys.readouterr().err


@pytest.mark.parametrize("source", ["graph", "request", "workflow"])
def test_graphs_requests_and_workflows_are_drawn(source: str, graph: str, capsys: pytest.CaptureFixture[str]) -> None:
    if source == "workflow":
        assert main(["convert", graph, "--to", "ui"]) == 0
        Path("ui.json").write_text(capsys.readouterr().out)
    file = {"graph": graph, "request": REQUEST, "workflow": "ui.json"}[source]
    assert main(["draw", file, "-o", "out.svg"]) == 0
    text = Path("out.svg").read_text()
    assert text.startswith("<svg")
    assert "KSampler" in text
    assert main(["draw", file, "-o", "nowhere/out.svg"]) == 2
