"""Finding a ComfyUI and its Python, base directories, links and copies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.engine.home import COPY_MARK, LOCK_FILE, SetupError, link, open_home, prepare_base
from runner.engine.link import COMFY_NODES, link_nodes
from runner.engine.process import Launch


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    """A folder that looks like a ComfyUI with a venv and two node packs."""
    home = tmp_path / "ComfyUI"
    for folder in ("custom_nodes/pack", "custom_nodes/__pycache__", "models/vae", ".venv/bin"):
        (home / folder).mkdir(parents=True)
    (home / "main.py").touch()
    (home / "comfyui_version.py").write_text('__version__ = "0.3.64"\n')
    (home / "custom_nodes" / "one.py").touch()
    (home / "custom_nodes" / "example_node.py.example").touch()
    (home / ".venv" / "bin" / "python").symlink_to("/usr/bin/env")
    return home


def test_the_python_of_a_home_is_not_followed_out_of_its_venv(comfyui: Path) -> None:
    home = open_home(comfyui, {})
    assert (home.version, home.python) == ("0.3.64", comfyui / ".venv" / "bin" / "python")


def test_the_setting_comes_before_the_lock_before_the_venv(comfyui: Path, tmp_path: Path) -> None:
    asked, locked = tmp_path / "asked", tmp_path / "locked"
    asked.touch()
    locked.touch()
    (comfyui / LOCK_FILE).write_text(json.dumps({"python": str(locked)}))
    assert open_home(comfyui, {}).python == locked
    assert open_home(comfyui, {"COMFYUI_PYTHON": str(asked)}).python == asked
    assert open_home(comfyui, {"COMFYUI_PYTHON": str(tmp_path / "nowhere")}).python == locked


@pytest.mark.parametrize(
    ("broken", "fault"), [("main.py", "has no main.py"), (".venv/bin/python", "has no Python of its own")]
)
def test_what_is_missing_is_named_with_a_cure(comfyui: Path, broken: str, fault: str) -> None:
    (comfyui / broken).unlink()
    with pytest.raises(SetupError, match=fault) as caught:
        open_home(comfyui, {})
    assert caught.value.faults[0].cure


def test_no_home_at_all() -> None:
    with pytest.raises(SetupError, match="COMFYUI_HOME: is not set"):
        open_home(None, {})


def test_a_base_directory_shares_models_and_packs(comfyui: Path, tmp_path: Path) -> None:
    base, home = tmp_path / "base", open_home(comfyui, {})
    prepare_base(home, base)
    (comfyui / "custom_nodes" / "one.py").unlink()
    prepare_base(home, base)  # again: the removed pack goes
    assert (base / "models").resolve() == comfyui / "models"
    assert sorted(entry.name for entry in (base / "custom_nodes").iterdir()) == ["pack"]
    assert all((base / name).is_dir() for name in ("input", "output", "temp", "user"))


def test_other_models_may_be_shared(comfyui: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    prepare_base(open_home(comfyui, {}), tmp_path / "base")
    prepare_base(open_home(comfyui, {}), tmp_path / "base", tmp_path / "models")
    assert (tmp_path / "base" / "models").resolve() == tmp_path / "models"


def test_link_nodes_again_and_again(comfyui: Path) -> None:
    target, how = link_nodes(comfyui)
    assert (target, how, target.resolve()) == (comfyui / "custom_nodes" / "comfyc", "linked", COMFY_NODES)
    assert (target / "__init__.py").is_file()
    assert link_nodes(comfyui) == (target, how)


def test_an_old_link_is_repaired(comfyui: Path, tmp_path: Path) -> None:
    (comfyui / "custom_nodes" / "comfyc").symlink_to(tmp_path / "gone")
    assert link_nodes(comfyui)[0].resolve() == COMFY_NODES


def test_somebody_elses_folder_is_left_alone(comfyui: Path) -> None:
    theirs = comfyui / "custom_nodes" / "comfyc"
    theirs.mkdir()
    with pytest.raises(SetupError, match="was not made by comfyc"):
        link_nodes(comfyui)
    assert theirs.is_dir()


def test_no_comfyui(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="has no custom_nodes folder"):
        link_nodes(tmp_path)


def test_where_links_are_not_allowed_it_copies_and_renews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_args: object, **_more: object) -> None:
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", forbidden)
    monkeypatch.setattr("sys.platform", "win32")
    source, target = tmp_path / "pack", tmp_path / "copy"
    source.mkdir()
    (source / "a.py").write_text("1")
    assert link(source, target) == "copied"
    (source / "a.py").write_text("2")
    assert link(source, target) == "copied"
    assert ((target / "a.py").read_text(), (target / COPY_MARK).is_file()) == ("2", True)


def test_the_command_line_of_an_instance(comfyui: Path, tmp_path: Path) -> None:
    launch = Launch(open_home(comfyui, {}), tmp_path / "base", 8199, device="1", cpu=True, extra=("--lowvram",))
    assert launch.command() == [
        str(comfyui / ".venv" / "bin" / "python"),
        "main.py",
        "--listen",
        "127.0.0.1",
        "--port",
        "8199",
        "--disable-auto-launch",
        "--base-directory",
        str(tmp_path / "base"),
        "--database-url",
        f"sqlite:///{tmp_path}/base/user/comfyui.db",
        "--cpu",
        "--lowvram",
    ]
    environ = {"PATH": "/bin", "COMFYC_API_KEYS": "t:secret", "PYTHONPATH": "x", "VIRTUAL_ENV": "y"}
    assert launch.environment(environ) == {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "1", "PYTHONUNBUFFERED": "1"}
