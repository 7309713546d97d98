"""All official templates of two ComfyUI releases, converted and compared with what the releases' own pages send.

    COMFYC_TEST_TEMPLATES=DIR[:DIR] pytest tests/acceptance/test_convert_templates.py

DIR is a folder of installed Python packages (`site-packages`) with comfyui-workflow-templates 0.1.95 or 0.7.67 and the
packages that belong to it; without the variable, the one of the ComfyUI in COMFYUI_HOME. Expected are digests of the
right graphs (template_digests/*.json): SHA-256 of the JSON without `_meta`, whole numbers as integers, keys sorted, no
blanks, UTF-8. Templates that comfyc refuses (unknown node packs, shifted values) are compared by what the page sends.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from compiler import shipped_catalog
from compiler.workflow import WorkflowError, convert, kind_of, to_ui
from runner.engine.home import open_home

FACTS = [json.loads(path.read_text()) for path in sorted((Path(__file__).parent / "template_digests").glob("*.json"))]

pytestmark = pytest.mark.comfyui


def site_packages() -> list[Path]:
    given = [Path(word) for word in os.environ.get("COMFYC_TEST_TEMPLATES", "").split(os.pathsep) if word]
    if given or not os.environ.get("COMFYUI_HOME"):
        return given
    python = open_home(Path(os.environ["COMFYUI_HOME"])).python
    command = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return [Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())]


def templates(package: str) -> dict[str, Path]:
    """Template files by name, from the folder that has this version of the package."""
    wanted = package.replace("-", "_").replace(" ", "-") + ".dist-info"
    for folder in site_packages():
        if (folder / wanted).is_dir():
            found = folder.glob("comfyui_workflow_templates*/templates/*.json")
            return {path.stem: path for path in found}
    pytest.skip(f"{package} is not there: COMFYC_TEST_TEMPLATES=DIR")


def canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: canonical(item) for key, item in value.items() if key != "_meta"}
    if isinstance(value, list):
        return [canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def digest(api: Any) -> str:
    text = json.dumps(canonical(api), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("facts", FACTS, ids=[facts["package"] for facts in FACTS])
def test_all_templates(facts: dict[str, Any]) -> None:
    files, catalog = templates(facts["package"]), shipped_catalog(facts["comfyui"])
    made: dict[str, str] = {}
    refused: dict[str, str] = {}
    for name in facts["digests"]:
        try:
            api: Any = convert(json.loads(files[name].read_bytes()), catalog).api
            assert canonical(convert(to_ui(api, catalog), catalog).api) == canonical(api), name
        except WorkflowError as error:
            api, refused[name] = error.api, error.faults[0].code
        made[name] = digest(api)
    assert {name: one for name, one in made.items() if one != facts["digests"][name]} == {}
    assert refused == facts["refused"]


@pytest.mark.parametrize("facts", FACTS, ids=[facts["package"] for facts in FACTS])
def test_every_template_is_told_by_its_shape(facts: dict[str, Any]) -> None:
    files = templates(facts["package"])
    assert {kind_of(json.loads(files[name].read_bytes())) for name in facts["digests"]} == {"ui"}
