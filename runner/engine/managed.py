"""ComfyUI processes that comfyc runs: started, watched, restarted, drained and stopped."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from time import monotonic
from typing import Final

import psutil
from anyio import to_thread

from compiler.errors import ComfycError
from runner.engine.base import EngineError, Health
from runner.engine.client import ComfyClient
from runner.engine.home import Home, open_home, prepare_base
from runner.engine.http import Timing
from runner.engine.link import link_nodes
from runner.engine.options import EngineOptions
from runner.engine.process import HOST, Launch, ProcessState, end, free_port, read_states, spawn, tail
from runner.engine.redact import redact

_DICE: Final = SystemRandom().random


@dataclass(frozen=True, slots=True)
class Backoff:
    """When to start a process again that ended by itself."""

    first: float = 1.0
    longest: float = 60.0
    """Seconds before a restart: twice as long each time, up to this, and between half and all of it."""
    quick: float = 60.0
    """A process that ends within so many seconds of its start failed at once."""
    tries: int = 5
    """So many failures at once in a row, and no more is tried."""

    def wait(self, failures: int, dice: Callable[[], float] = _DICE) -> float:
        """Seconds to wait after the given number of failures in a row (from 1)."""
        return min(self.longest, self.first * 2 ** (failures - 1)) * (0.5 + dice() / 2)


@dataclass(frozen=True, slots=True)
class Setup:
    """One managed instance: what to start, and where its files lie."""

    name: str
    home: Home
    data: Path
    """Folder of all managed engines; this one's files are NAME.json and NAME/."""
    models: Path | None = None
    device: str = ""
    cpu: bool = False
    extra: tuple[str, ...] = ()
    keep: bool = False
    """`close()` leaves the process running, for the next program to adopt (`comfyc engine start`)."""
    start_s: float = 300.0
    """To answer first; node packs may import for minutes."""
    backoff: Backoff = Backoff()

    @property
    def base(self) -> Path:
        return (self.data / self.name).absolute()

    @property
    def log(self) -> Path:
        return self.base / "comfyui.log"


class ManagedEngine(ComfyClient):
    """A ComfyUI process and the client of it. `start()` first; the address stays the same over restarts.

    A process that a comfyc before us started with the same data folder, and that still runs, is adopted: after a
    crash of comfyc its prompts are still there.
    """

    def __init__(self, setup: Setup, *, timing: Timing | None = None) -> None:
        self._setup = setup
        before = next((state for state in read_states(setup.data) if state.name == setup.name), None)
        self._state = before if before and before.process() else None
        self._port = self._state.port if self._state else free_port()
        self._child: subprocess.Popen[bytes] | None = None
        self._guard: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self.why = ""
        """The reason why it does not run, safe to show."""
        super().__init__(f"http://{HOST}:{self._port}", name=setup.name, timing=timing, marker=self._mark)

    @property
    def state(self) -> ProcessState | None:
        """The process as the state file has it; None before the first start."""
        return self._state

    @property
    def _ours(self) -> bool:
        """False for a process that another living comfyc started: that one watches and stops it."""
        return self._state is not None and self._state.owned_by_us

    @property
    def restarts(self) -> bool:
        """True while it watches its process and starts it again."""
        return self._guard is not None and not self._guard.done()

    def logs(self, lines: int = 50) -> str:
        """The last lines of the log, for operators: not redacted."""
        return tail(self._setup.log, lines)

    # --- start and stop ----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Adopts or starts the process and returns when it answers; then it is watched.

        Errors: EngineError with the end of the log if it ends or stays silent for `start_s`; SetupError.
        """
        async with self._lock:
            if not self._process():
                await self._launch()
            elif self._state and not self._state.owner_lives():
                self._own(self._state)
            await self._answers()
        if self._ours and not self.restarts:
            self._guard = asyncio.create_task(self._watch())

    async def restart(self, why: str) -> None:
        """Stops the process and starts it anew: after a device fault, or on request. Errors: EngineError."""
        self.why = why
        await self._unwatch()
        async with self._lock:
            await self._end()
        await self.start()

    async def drain(self, limit_s: float = 3600.0) -> bool:
        """Waits until the engine has no prompt any more, anybody's; the caller gives it none meanwhile.

        False if it still has after `limit_s` seconds.
        """
        start = monotonic()
        while await self.remaining():
            if monotonic() - start > limit_s:
                return False
            await asyncio.sleep(0.2)
        return True

    async def stop(self) -> None:
        """Ends the process for good: terminates it, and kills it if that does not help in 10 s."""
        await self._unwatch()
        async with self._lock:
            await self._end()

    async def close(self) -> None:
        """Ends the process, unless it is another's or is to be kept, and the connections."""
        await self._unwatch()
        if self._ours and self._state and not self._state.keep:
            await self.stop()
        await super().close()

    async def health(self) -> Health:
        return await super().health() if self._process() else Health.REFUSED

    # --- the process -------------------------------------------------------------------------------------------

    def _process(self) -> psutil.Process | None:
        if self._child:
            self._child.poll()  # reaps it, so that an ended child is not taken for a living one
        return self._state.process() if self._state else None

    def _mark(self) -> str:
        return self._state.boot if self._state and self._process() else ""

    async def _launch(self) -> None:
        setup = self._setup
        prepare_base(setup.home, setup.base, setup.models)
        link_nodes(setup.base)
        launch = Launch(setup.home, setup.base, self._port, setup.device, setup.cpu, setup.extra)
        try:
            self._child = child = await to_thread.run_sync(spawn, launch, setup.log)
            started = psutil.Process(child.pid).create_time()
        except (OSError, psutil.Error) as error:
            raise EngineError(f"{setup.name} cannot be started: {redact(str(error))}") from None
        self._own(ProcessState(setup.name, child.pid, started, self._port, str(setup.home.folder), str(setup.log)))

    def _own(self, state: ProcessState) -> None:
        self._state = state.owned(keep=state.keep or self._setup.keep)
        self._state.write(self._setup.data)

    async def _answers(self) -> None:
        start = monotonic()
        while monotonic() - start < self._setup.start_s:
            if not self._process():
                raise EngineError(self._failed("ended while it started"))
            if await super().health() is Health.ALIVE:
                self.why = ""
                return
            await asyncio.sleep(0.1)
        raise EngineError(self._failed(f"did not answer within {self._setup.start_s:.0f} s"))

    def _failed(self, what: str) -> str:
        end = " | ".join(redact(tail(self._setup.log, 8)).splitlines())
        self.why = f"{self.name} {what}; its log ends with: {end or '(empty)'}"
        return self.why

    async def _end(self) -> None:
        process = self._process()
        if process:
            await end(process)
        if self._child:
            self._child.poll()

    # --- the watch ---------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Starts the process again when it ended by itself, until it fails at once too often."""
        failures, started = 0, monotonic()
        while True:
            await asyncio.sleep(0.25)
            if self._process():
                continue
            failures = failures + 1 if monotonic() - started < self._setup.backoff.quick else 1
            reason = self._failed("ended")
            if failures >= self._setup.backoff.tries:
                self.why = f"{reason} (given up after {failures} failures in a row)"
                return
            await asyncio.sleep(self._setup.backoff.wait(failures))
            started = monotonic()
            try:
                async with self._lock:
                    await self._launch()
                    await self._answers()
            except (EngineError, ComfycError) as error:  # counted when the loop comes round
                self.why = str(error)

    async def _unwatch(self) -> None:
        if self._guard:
            self._guard.cancel()
            await asyncio.gather(self._guard, return_exceptions=True)
            self._guard = None


async def open_managed(options: EngineOptions, *, keep: bool = False) -> list[ManagedEngine]:
    """Starts `options.instances` processes, spread over the GPUs, all at once.

    Errors: SetupError; EngineError of the first that does not start, after the others were stopped.
    """
    home = open_home(options.comfyui_home)
    devices = options.devices if options.devices is not None else gpus()
    cpu = options.cpu if options.cpu is not None else not (devices or other_accelerator())
    engines = [
        ManagedEngine(
            Setup(
                f"comfyui-{index}",
                home,
                options.data / "engines",
                models=options.models,
                device=devices[index % len(devices)] if devices and not cpu else "",
                cpu=cpu,
                extra=options.arguments,
                keep=keep,
            ),
            timing=options.timing,
        )
        for index in range(options.instances)
    ]
    results = await asyncio.gather(*(engine.start() for engine in engines), return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    if errors:
        await asyncio.gather(*(engine.stop() for engine in engines))
        await asyncio.gather(*(ComfyClient.close(engine) for engine in engines))
        raise errors[0]
    return engines


def gpus() -> tuple[str, ...]:
    """The NVIDIA GPUs by index, as nvidia-smi lists them; empty without."""
    program = shutil.which("nvidia-smi")
    if not program:
        return ()
    try:
        listed = subprocess.run(  # noqa: S603  a fixed command
            [program, "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in listed.stdout.splitlines() if line.strip())


def other_accelerator() -> bool:
    """True where ComfyUI may find a device that nvidia-smi does not know: Apple's, AMD's, Windows' own."""
    return sys.platform in ("darwin", "win32") or Path("/dev/kfd").exists()
