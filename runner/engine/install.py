"""`comfyc engine install`: a pinned ComfyUI in a folder of ours, from its releases or from a local clone."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, Final

from compiler.errors import Fault
from runner.engine.home import LOCK_FILE, Home, SetupError
from runner.engine.link import link_nodes
from runner.engine.managed import gpus
from runner.engine.process import tail

COMFY_CLI: Final = "comfy-cli==1.23.0"
"""Run as a program from a venv of its own: it is GPL, and never imported."""
RELEASE: Final = "0.8.0"
"""The ComfyUI release that is installed unless another is asked for."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Install:
    """What to install, and where."""

    target: Path
    """The ComfyUI folder to make: afterwards it is what COMFYUI_HOME should be."""
    version: str = ""
    """A release (`0.8.0`); with `source` any branch, tag or commit of it. Empty: RELEASE, or the clone's HEAD."""
    source: Path | None = None
    """A local clone of ComfyUI; None downloads the release with comfy-cli."""
    python: Path | None = None
    """A Python (or the folder of its venv) that already has ComfyUI's requirements: nothing is installed into it."""
    constraints: Path | None = None
    """A pip constraints file; with `source` only."""
    accelerator: str = ""
    """`nvidia`, `amd`, `m-series` or `cpu`; empty: what this machine has. Without `source` only."""
    check: bool = True
    """Start it once and see that it imports everything."""


async def install(wanted: Install, say: Say = print) -> Home:
    """Installs, links our nodes, checks that it starts and writes the lock file; what it runs is logged beside target.

    Run again for the same commit it only links and checks anew.
    Errors: SetupError with the end of the log.
    """
    log = Log(wanted.target.with_name(f"{wanted.target.name}-install.log"), say)
    if wanted.source:
        home, origin = await _from_clone(wanted, wanted.source, log), str(wanted.source)
    else:
        home, origin = await _from_release(wanted, log), COMFY_CLI
    say(f"nodes: {' '.join(map(str, link_nodes(home.folder)))}")
    if wanted.check:
        await _check(home, log)
    await _write_lock(home, origin, log)
    return home


class Log:
    """Runs programs; their output goes to a file, and its end into the error if one fails."""

    def __init__(self, file: Path, say: Say) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
        self.file, self.say = file, say

    async def run(
        self, what: str, *command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None
    ) -> str:
        """Runs a program to its end and returns its standard output.

        Errors: SetupError named `what` if it cannot be run or fails.
        """
        self.say(what)
        settings = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **(env or {})}
        settings.pop("VIRTUAL_ENV", None)  # comfy-cli would install into it
        settings.pop("PYTHONPATH", None)
        with self.file.open("ab") as log:
            log.write(f"$ {' '.join(map(str, command))}\n".encode())
            log.flush()
            try:
                child = await asyncio.create_subprocess_exec(
                    *map(str, command),
                    cwd=cwd,
                    env=settings,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                )
            except OSError as error:
                raise self._failed(what, f"{command[0]} cannot be run ({error.strerror})") from None
            out, _ = await child.communicate()
            log.write(out)
        if child.returncode:
            raise self._failed(what, f"it ended with code {child.returncode}")
        return out.decode(errors="replace")

    def _failed(self, what: str, how: str) -> SetupError:
        lines = [line.strip() for line in tail(self.file, 300).splitlines() if line.strip()]
        end = " | ".join([line for line in lines if _TELLING.match(line)] or lines[-2:])
        cure = "This needs the network: give a local clone with --from, or try again. " if _OFFLINE.search(end) else ""
        return SetupError(Fault(what, f"{how}: {end[:600]}", f"{cure}The whole output is in {self.file}"))


_TELLING: Final = re.compile(r"(?:fatal|error)\b", re.IGNORECASE)
_OFFLINE: Final = re.compile(
    r"Could not resolve host|unable to access|No matching distribution|unreachable|NewConnectionError", re.IGNORECASE
)


# --- a release, through comfy-cli ------------------------------------------------------------------------------


async def _from_release(wanted: Install, log: Log) -> Home:
    if wanted.constraints:
        raise SetupError(Fault("--constraints", "works with --from only", "comfy-cli resolves the requirements itself"))
    version = wanted.version or RELEASE
    done = _installed(wanted.target)
    if done and done.version == version:
        return done
    _must_be_free(wanted.target)
    tool = wanted.target.with_name("comfy-cli")
    program = tool / ("Scripts/comfy.exe" if sys.platform == "win32" else "bin/comfy")
    if not program.exists():
        await log.run("make a venv for comfy-cli", sys.executable, "-m", "venv", tool)
        await log.run(f"install {COMFY_CLI}", _python_of(tool), "-m", "pip", "install", "-q", COMFY_CLI)
    await log.run(
        f"install ComfyUI {version} with comfy-cli",
        program,
        *("--skip-prompt", "--workspace", wanted.target, "install", "--version", version, "--skip-manager"),
        *(("--skip-torch-or-directml", "--skip-requirement") if wanted.python else ()),
        f"--{wanted.accelerator or _accelerator()}",
        env={"DO_NOT_TRACK": "1"},
    )
    return Home(wanted.target.resolve(), _python_of(wanted.python or wanted.target / ".venv"))


def _accelerator() -> str:
    if gpus():
        return "nvidia"
    if sys.platform == "darwin":
        return "m-series"
    return "amd" if Path("/dev/kfd").exists() else "cpu"


# --- a local clone ---------------------------------------------------------------------------------------------


async def _from_clone(wanted: Install, source: Path, log: Log) -> Home:
    if not (source / "main.py").is_file() or not (source / ".git").exists():
        cure = "Give a folder made by git clone of ComfyUI"
        raise SetupError(Fault("--from", f"{source} is no clone of ComfyUI", cure))
    question = (
        "git",
        "-C",
        source,
        "rev-parse",
        "--verify",
        "--end-of-options",
        f"{wanted.version or 'HEAD'}^{{commit}}",
    )
    commit = (await log.run(f"look up {wanted.version or 'HEAD'}", *question)).strip()
    done = _installed(wanted.target)
    if done and done.lock.get("commit") == commit:
        return done
    if not await _checked_out(wanted.target, commit, log):
        _must_be_free(wanted.target)
        await log.run(f"clone to {wanted.target}", *_clone(source, wanted.target))
        await log.run(f"check out {commit[:12]}", "git", "-C", wanted.target, "checkout", "--quiet", "--detach", commit)
    if wanted.python:
        return Home(wanted.target.resolve(), _python_of(wanted.python))
    venv = wanted.target / ".venv"
    await log.run("make its venv", sys.executable, "-m", "venv", venv)
    limits = ("-c", wanted.constraints.resolve()) if wanted.constraints else ()
    requirements = ("-r", wanted.target / "requirements.txt", *limits)
    await log.run("install its requirements", _python_of(venv), "-m", "pip", "install", "-q", *requirements)
    return Home(wanted.target.resolve(), _python_of(venv))


async def _checked_out(target: Path, commit: str, log: Log) -> bool:
    """True if an earlier run came so far and failed later."""
    if not (target / ".git").exists():
        return False
    head = await log.run("read the commit", "git", "-C", target, "rev-parse", "--verify", "HEAD")
    return head.strip() == commit


def _clone(source: Path, target: Path) -> tuple[str | Path, ...]:
    return ("git", "clone", "--quiet", "--no-checkout", source.absolute(), target)


def _installed(target: Path) -> Home | None:
    """What an earlier run finished here."""
    home = Home(target.resolve(), Path())
    python = home.lock.get("python")
    return Home(home.folder, Path(python)) if python and Path(python).exists() else None


def _must_be_free(target: Path) -> None:
    if target.exists() and any(target.iterdir()):
        cure = "Choose another folder, or remove this one"
        raise SetupError(Fault(str(target), "is not empty and holds something else", cure))


def _python_of(place: Path) -> Path:
    """The Python of a venv folder, or the program itself. Errors: SetupError."""
    inside = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    python = inside if place.is_dir() else place
    if not python.exists():
        raise SetupError(Fault("--python", f"{place} has no Python", "Give a python program or the folder of a venv"))
    return Path(os.path.abspath(python))


# --- check and lock --------------------------------------------------------------------------------------------


async def _check(home: Home, log: Log) -> None:
    """Starts ComfyUI in a base directory of its own, where it imports all nodes, builds its server and ends."""
    base = home.folder.with_name(f".{home.folder.name}-check")
    for name in ("input", "output", "temp", "user", "custom_nodes", "models"):
        (base / name).mkdir(parents=True, exist_ok=True)
    link_nodes(base)
    cpu = () if _accelerator() != "cpu" else ("--cpu",)
    database = f"sqlite:///{(base / 'user' / 'comfyui.db').as_posix()}"
    options = ("--quick-test-for-ci", "--base-directory", base, "--database-url", database, *cpu)
    try:
        await log.run("start it once", home.python, "main.py", *options, cwd=home.folder)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    if "IMPORT FAILED): " in (text := log.file.read_text("utf-8", "replace")):
        failed = [line.rpartition("/")[2] for line in text.splitlines() if "IMPORT FAILED): " in line]
        raise SetupError(Fault("start it once", f"node packs do not import: {', '.join(failed)}", f"See {log.file}"))


async def _write_lock(home: Home, origin: str, log: Log) -> None:
    """commit, versions and packages of what is installed now."""
    git = ("git", "-C", home.folder)
    commit = (await log.run("read the commit", *git, "rev-parse", "HEAD")).strip()
    changed = await log.run("compare the files", *git, "status", "--porcelain", "--untracked-files=no")
    packages = await log.run("list its packages", home.python, "-m", "pip", "freeze", "--all")
    python = await log.run("read its Python", home.python, "-c", "import platform; print(platform.python_version())")
    lock: dict[str, Any] = {
        "comfyui": home.version,
        "commit": commit,
        "from": origin,
        "changed_files": [line.strip() for line in changed.splitlines()],
        "python": str(home.python),
        "python_version": python.strip(),
        "packages": packages.splitlines(),
        "comfyc": _own_version(),
        "installed_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    (home.folder / LOCK_FILE).write_text(json.dumps(lock, indent=2) + "\n", "utf-8")
    log.say(
        f"installed ComfyUI {home.version} ({commit[:12]}), {len(lock['packages'])} packages: {home.folder / LOCK_FILE}"
    )
    for line in lock["changed_files"]:
        log.say(f"warning: differs from the commit: {line}")


def _own_version() -> str:
    try:
        return installed_version("comfyc")
    except PackageNotFoundError:
        return "0"
