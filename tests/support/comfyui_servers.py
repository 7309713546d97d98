"""ComfyUIs that acceptance tests start themselves: COMFYUI_HOME, a free port, a base directory that is thrown away."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from anyio.from_thread import BlockingPortal, start_blocking_portal

from runner.engine.home import Home, open_home
from runner.engine.managed import ManagedEngine, Setup

TINY = Path(__file__).parents[1] / "acceptance" / "tiny"
CPU = "COMFYUI_GPU" not in os.environ
KINDS: Mapping[str, tuple[str, ...]] = {
    "tiny": ("comfyc", "shim"),
    "empty": ("comfyc",),
    "bare": (),
}
"""Kind → custom node folders that it loads. `tiny` has weights that run; the others' files have no bytes."""
BROUGHT_ALONG = "websocket_image_save.py"
"""The custom node that every ComfyUI has from the start."""


class Servers:
    """One ComfyUI at a time, of the kind that was asked for last. Call `close()` at the end."""

    def __init__(self, home: Path) -> None:
        """Errors: SetupError if `home` is no ComfyUI."""
        self._home: Home = open_home(home)
        self._stack = ExitStack()
        temporary = TemporaryDirectory(prefix="comfyc-acceptance-", ignore_cleanup_errors=True)
        self._folder = Path(self._stack.enter_context(temporary))
        """Models and base directories."""
        self._portal: BlockingPortal = self._stack.enter_context(start_blocking_portal())
        self._running: tuple[str, ManagedEngine] | None = None
        self._broken: dict[str, str] = {}

    def use(self, kind: str) -> str:
        """The address of a ComfyUI of that kind, which runs. Errors: AssertionError with the end of its log."""
        if self._running and self._running[0] == kind:
            return self._running[1].base_url
        assert kind not in self._broken, self._broken[kind]
        self._stop()
        try:
            engine = self._portal.call(self._start, self._setup(kind))
        except Exception as error:
            self._broken[kind] = f"no ComfyUI with {kind} weights: {error}"
            raise AssertionError(self._broken[kind]) from error
        self._running = kind, engine
        return engine.base_url

    def close(self) -> None:
        self._stop()
        self._stack.close()

    def _stop(self) -> None:
        if self._running:
            self._portal.call(self._running[1].close)
            self._running = None

    async def _start(self, setup: Setup) -> ManagedEngine:
        engine = ManagedEngine(setup)
        try:
            await engine.start()
        except BaseException:
            await engine.stop()
            await engine.close()
            raise
        return engine

    def _setup(self, kind: str) -> Setup:
        packs = self._folder / kind / "custom_nodes"
        packs.mkdir(parents=True)
        if "shim" in KINDS[kind]:
            (packs / "shim").symlink_to(TINY / "shim", target_is_directory=True)
        return Setup(
            kind,
            self._home,
            self._folder,
            models=self._models(kind),
            cpu=CPU,
            extra=("--disable-all-custom-nodes", "--whitelist-custom-nodes", BROUGHT_ALONG, *KINDS[kind]),
        )

    def _models(self, kind: str) -> Path:
        folder = self._folder / f"{kind}-models"
        folder.mkdir()
        link = [sys.executable, TINY / "link_models.py", folder]
        if kind == "tiny":
            _run([self._home.python, TINY / "make_weights.py", self._home.folder, folder])
            _run([*link, "--tiny", folder])
        else:
            _run([*link, "--empty"])
        return folder


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[1]} failed:\n{done.stdout[-3000:]}")
