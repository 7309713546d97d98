"""What lies beside the nodes: the registry's metadata, the table of optional things, and the page for authors."""

from __future__ import annotations

import inspect
import json
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from comfy_nodes.nodes.audio import MODELS as AUDIO_MODELS
from comfy_nodes.nodes.background import MODELS

ROOT = Path(__file__).parents[2]
PACK = ROOT / "comfy_nodes"
PAGE = (ROOT / "docs" / "nodes-authors.md").read_text("utf-8")


def test_the_registry_finds_what_it_wants() -> None:
    about = tomllib.loads((PACK / "pyproject.toml").read_text("utf-8"))
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    project, comfy = about["project"], about["tool"]["comfy"]
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", project["name"])
    assert "comfyui" not in project["name"]
    assert project["version"] == whole["project"]["version"]
    assert project["license"] == {"text": whole["project"]["license"]}
    assert (PACK / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()  # the folder is published by itself
    assert project["dependencies"] == []
    assert comfy["PublisherId"]
    assert comfy["requires-comfyui"] == ">=0.3.64"


def test_the_readme_names_every_optional_file() -> None:
    pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")
    from comfy_nodes.ops import detection, faces, labels, matting, separation

    text = (PACK / "README.md").read_text("utf-8")
    files = [*separation.FILES.values(), *separation.FACTS, faces.YUNET, f"{detection.PERSON}.onnx"]
    files += [file for file, _ in matting.ONNX_FILES.values()] + [matting.INSPYRENET[0], "bria-rmbg.onnx"]
    folders = [matting.FOLDER, separation.FOLDER, faces.FOLDER, labels.FOLDER]
    choices = [*AUDIO_MODELS, *(name for name in MODELS if name.lower() != name)]
    assert [name for name in (*files, *folders, *choices) if f"`{name}`" not in text] == []


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_authors_example_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")
    modules: list[ModuleType] = []
    for block in blocks("python"):
        name = block.splitlines()[0].removeprefix("# ").removesuffix(".py").replace("/", ".")
        module = ModuleType(name)
        module.__package__ = name.rpartition(".")[0]
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(block, name, "exec"), vars(module))
        modules.append(module)
    _, node, tests = modules
    (kind,) = node.NODES
    declared = [name for group in kind.INPUT_TYPES().values() for name in group]
    assert list(inspect.signature(getattr(kind, kind.FUNCTION)).parameters) == ["self", *declared]
    assert kind().posterize(torch.full((1, 2, 2, 3), 0.4), 3)[0].unique().tolist() == [0.5]
    run = [test for name, test in vars(tests).items() if name.startswith("test_")]
    assert len(run) == 2
    for test in run:
        test()


def test_the_authors_fragment_loads(tmp_path: Path) -> None:
    from compiler import load_library

    graph, manifest = (json.loads(block) for block in blocks("json"))
    folder = tmp_path / "fragments" / "posterize"
    folder.mkdir(parents=True)
    (tmp_path / "templates").mkdir()  # laid out as graphs/ is
    (folder / "graph.json").write_text(json.dumps(graph))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert "posterize" in load_library(template_dirs=[tmp_path]).fragments
