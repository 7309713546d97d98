"""One ComfyUI process: its command, its state on disk for other commands to see, its end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import psutil
from anyio import to_thread

from runner.engine.home import Home

HOST: Final = "127.0.0.1"
_SAME_START_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one instance."""

    home: Home
    base: Path
    port: int
    device: str = ""
    """CUDA_VISIBLE_DEVICES; empty leaves the choice to ComfyUI."""
    cpu: bool = False
    extra: tuple[str, ...] = ()
    """More arguments of main.py, e.g. `--lowvram`."""

    def command(self) -> list[str]:
        """The argument list (ComfyUI 0.3.64 and 0.8.0 have all of them)."""
        return [
            str(self.home.python),
            "main.py",
            *("--listen", HOST),
            *("--port", str(self.port)),
            "--disable-auto-launch",
            *("--base-directory", str(self.base)),
            *("--database-url", f"sqlite:///{(self.base / 'user' / 'comfyui.db').as_posix()}"),
            *(("--cpu",) if self.cpu else ()),
            *self.extra,
        ]

    def environment(self, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Ours without what must not reach another Python or another program's log."""
        kept = {
            key: value
            for key, value in environ.items()
            if not key.startswith("COMFYC_") and key not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        }
        device = {"CUDA_VISIBLE_DEVICES": self.device} if self.device else {}
        return {**kept, **device, "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One managed engine as the state file has it: `DATA/engines/NAME.json`."""

    name: str
    pid: int
    started: float
    """Start time of the process, Unix seconds: a pid alone may belong to another program by now."""
    port: int
    home: str
    log: str
    keep: bool = False
    """Outlives the program that started it (`comfyc engine start`)."""
    owner: int = 0
    owner_started: float = 0.0
    """The comfyc that watches it, by pid and start time."""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def boot(self) -> str:
        return f"{self.pid}:{self.started:.2f}"

    def process(self) -> psutil.Process | None:
        """The process itself, None if it has ended."""
        return _find(self.pid, self.started)

    def owner_lives(self) -> bool:
        return _find(self.owner, self.owner_started) is not None

    @property
    def owned_by_us(self) -> bool:
        return self.owner == os.getpid() and self.owner_lives()

    def owned(self, *, keep: bool) -> ProcessState:
        """The same process, watched by this program."""
        us = psutil.Process()
        return replace(self, keep=keep, owner=us.pid, owner_started=us.create_time())

    def write(self, folder: Path) -> None:
        """Replaces the state file in one step."""
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f".{self.name}.json"
        fresh.write_text(json.dumps(asdict(self), indent=2), "utf-8")
        fresh.replace(folder / f"{self.name}.json")


def _find(pid: int, started: float) -> psutil.Process | None:
    with suppress(psutil.Error, ValueError):
        found = psutil.Process(pid)
        if abs(found.create_time() - started) < _SAME_START_S and found.status() != psutil.STATUS_ZOMBIE:
            return found
    return None


def read_states(folder: Path) -> tuple[ProcessState, ...]:
    """The engines that were started with this data folder, dead ones included; files that are none are left out."""
    found: list[ProcessState] = []
    for file in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        with suppress(OSError, ValueError, TypeError):
            found.append(ProcessState(**json.loads(file.read_text("utf-8"))))
    return tuple(found)


def spawn(launch: Launch, log: Path) -> subprocess.Popen[bytes]:
    """Starts the process in a session of its own, so that ^C in our terminal and our own death do not end it.

    The log of the boot before is kept as `NAME.1`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    with log.open("wb") as out:
        return subprocess.Popen(  # noqa: S603  the operator chose the program
            launch.command(),
            cwd=launch.home.folder,
            env=launch.environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


async def end(process: psutil.Process, patience_s: float = 10.0) -> None:
    """Terminates a process and its children, and kills what is left after `patience_s`."""
    with suppress(psutil.Error):
        family = [process, *process.children(recursive=True)]
        for member in family:
            with suppress(psutil.Error):
                member.terminate()
        _, left = await to_thread.run_sync(psutil.wait_procs, family, patience_s)
        for member in left:
            with suppress(psutil.Error):
                member.kill()


def free_port() -> int:
    """A port on loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def tail(log: Path, lines: int) -> str:
    """The last lines of a log file; empty if there is none."""
    if not log.is_file():
        return ""
    with log.open("rb") as file:
        return b"".join(deque(file, lines)).decode(errors="replace")
