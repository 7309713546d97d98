"""Installing from a local clone: a small repository that stands for ComfyUI's."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runner.engine.home import LOCK_FILE, SetupError, open_home
from runner.engine.install import Install, install

MAIN = """
import pathlib, sys
base = pathlib.Path(sys.argv[sys.argv.index("--base-directory") + 1])
assert (base / "custom_nodes" / "comfyc" / "__init__.py").is_file()
assert "--quick-test-for-ci" in sys.argv
if pathlib.Path("broken").exists():
    sys.exit("ModuleNotFoundError: No module named 'torch'")
print("   0.0 seconds (IMPORT FAILED): /x/custom_nodes/bad_pack" if pathlib.Path("bad").exists() else "ok")
"""


def git(folder: Path, *command: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    return subprocess.check_output(["git", *identity, "-C", str(folder), *command], text=True).strip()


def commit(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", name)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    (folder / "custom_nodes").mkdir(parents=True)
    (folder / "models").mkdir()
    git(folder, "init", "-q")
    (folder / "main.py").write_text(MAIN)
    (folder / "custom_nodes" / "one.py").touch()
    (folder / "models" / "put_here").touch()
    commit(folder, "comfyui_version.py", '__version__ = "0.3.64"\n')
    git(folder, "tag", "v0.3.64")
    return folder


@pytest.fixture
def wanted(clone: Path, tmp_path: Path) -> Install:
    return Install(tmp_path / "home" / "ComfyUI", source=clone, python=Path(sys.executable))


async def test_a_pinned_commit_with_nodes_and_a_lock(clone: Path, wanted: Install) -> None:
    pinned = git(clone, "rev-parse", "HEAD")
    commit(clone, "comfyui_version.py", '__version__ = "9.9.9"\n')
    said: list[str] = []
    home = await install(replace(wanted, version="v0.3.64"), said.append)
    assert home.version == "0.3.64"
    assert git(home.folder, "rev-parse", "HEAD") == pinned
    assert (home.folder / "custom_nodes" / "comfyc" / "__init__.py").is_file()
    lock = json.loads((home.folder / LOCK_FILE).read_text())
    assert {key: lock[key] for key in ("commit", "comfyui", "from", "changed_files")} == {
        "commit": pinned,
        "comfyui": "0.3.64",
        "from": str(clone),
        "changed_files": [],
    }
    assert any(line.lower().startswith("pytest==") for line in lock["packages"])
    assert open_home(home.folder, {}) == home
    assert sorted(entry.name for entry in home.folder.parent.iterdir()) == ["ComfyUI", "ComfyUI-install.log"]
    assert any(pinned[:12] in line for line in said)


async def test_again_is_no_harm_but_another_commit_is_refused(clone: Path, wanted: Install) -> None:
    home = await install(wanted, lambda _line: None)
    assert await install(wanted, lambda _line: None) == home
    commit(clone, "new.txt", "x")
    with pytest.raises(SetupError, match="is not empty"):
        await install(wanted, lambda _line: None)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"version": "v9"}, "look up v9: it ended with code 128: fatal"),
        ({"version": "--upload-pack=x"}, "fatal"),
        ({"source": Path("/nowhere")}, "--from: /nowhere is no clone"),
        ({"python": Path("/nowhere/python")}, "--python: /nowhere/python has no Python"),
    ],
)
async def test_what_is_wrong_is_named(wanted: Install, change: dict[str, object], fault: str) -> None:
    with pytest.raises(SetupError, match=fault):
        await install(replace(wanted, **change), lambda _line: None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("file", "fault"), [("broken", "No module named 'torch'"), ("bad", "do not import: bad_pack")])
async def test_one_that_does_not_start_is_no_install(clone: Path, wanted: Install, file: str, fault: str) -> None:
    commit(clone, file, "")
    with pytest.raises(SetupError, match=fault):
        await install(wanted, lambda _line: None)
    assert not (wanted.target / LOCK_FILE).exists()


async def test_after_a_failed_check_it_goes_on_where_it_was(clone: Path, wanted: Install) -> None:
    commit(clone, "broken", "")
    with pytest.raises(SetupError):
        await install(wanted, lambda _line: None)
    said: list[str] = []
    assert (await install(replace(wanted, check=False), said.append)).lock
    assert not any(line.startswith("clone") for line in said)


async def test_constraints_are_for_clones(wanted: Install) -> None:
    with pytest.raises(SetupError, match="with --from only"):
        await install(replace(wanted, source=None, constraints=Path("c.txt")), lambda _line: None)
