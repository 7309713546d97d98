"""`comfyc serve` as a process of its own, on the sandbox or another engine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

ROOT = Path(__file__).parents[2]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
START_SECONDS = 60.0


@dataclass(frozen=True)
class LiveServer:
    """Where it listens; `keys` by tenant, `t0`, `t1`, …"""

    base: str
    keys: dict[str, str]
    process: subprocess.Popen[bytes]
    log: Path


def run_ext_client(server: LiveServer, out: Path, seconds: float = 120) -> str:
    """What tests/acceptance/ext_client.py prints on this server. AssertionError if it finds a fault."""
    command = [sys.executable, str(ROOT / "tests/acceptance/ext_client.py"), "--base", server.base, "--out", str(out)]
    command += ["--key", server.keys["t0"], "--secret", SECRET, "--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr + server.log.read_text()[-3000:]
    return done.stdout


@contextmanager
def live_server(folder: Path, engine: str = "sandbox", tenants: int = 2, **settings: str) -> Iterator[LiveServer]:
    """A server that is ready. `settings` by name, as `log_level="debug"`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    keys = {f"t{number}": f"ext_{number:064x}" for number in range(tenants)}
    given = {
        "api_keys": ",".join(f"{tenant}:{key}" for tenant, key in keys.items()),
        "allow_hosts": "127.0.0.1",
        "webhook_secret": SECRET,
        "sandbox_step_seconds": "0",
        "log_format": "json",
        **settings,
    }
    ours = {f"COMFYC_{name.upper()}": value for name, value in given.items()}
    others = {name: value for name, value in os.environ.items() if not name.startswith("COMFYC_")}
    log = folder / "server.log"
    command = [sys.executable, "-m", "runner", "serve", "--port", str(port), "--data", str(folder / "data")]
    command += ["--engine", engine]
    with log.open("wb") as errors, (folder / "server.out").open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=others | ours, stdout=out, stderr=errors)
        try:
            base = f"http://127.0.0.1:{port}"
            _wait_until_ready(base, process, log)
            yield LiveServer(base, keys, process, log)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(base: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx2.get(f"{base}/readyz").status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"the server did not come up:\n{log.read_text()}")
