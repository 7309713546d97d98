"""Engines from the one word or list of addresses that an operator gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from compiler import load_library
from compiler.errors import ComfycError, Fault
from runner.engine.base import Engine
from runner.engine.client import ComfyClient
from runner.engine.options import EngineOptions

if TYPE_CHECKING:
    from runner.engine.sandbox.server import Sandbox


NO_KEY: Final = "comfyc-sandbox"
"""What a sandbox of ours is given in place of a key, so that partner nodes draw and do not ask for one."""


class EngineSpecError(ComfycError):
    """The `--engine` value, or what it needs, is wrong."""


async def open_engines(spec: str, options: EngineOptions) -> list[Engine]:
    """`sandbox`, `managed`, or `URL[,URL…]` → engines, started. Close each one, or give them to a Pool that does.

    Errors: EngineSpecError; EngineError if a managed ComfyUI does not start.
    """
    words = [word for word in (part.strip() for part in spec.split(",")) if word]
    if words == ["sandbox"]:
        return [await SandboxEngine.start(f"sandbox-{index}", options) for index in range(options.instances)]
    if words == ["managed"]:
        from runner.engine.managed import open_managed

        return _keyed([*await open_managed(options)], options)
    if not words:
        raise EngineSpecError(Fault("engine", "is empty", "Give `sandbox`, `managed` or the URL of a ComfyUI"))
    return _keyed([ComfyClient(_address(word), timing=options.timing) for word in dict.fromkeys(words)], options)


def _keyed(engines: Sequence[ComfyClient], options: EngineOptions) -> list[Engine]:
    for engine in engines:
        engine.partner_key = options.partner_key
    return [*engines]


def _address(word: str) -> str:
    """`http://host:8188`, also written `host:8188`."""
    url = word if "://" in word else f"http://{word}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or ("://" not in word and not parts.port):
        raise EngineSpecError(
            Fault("engine", f"{word!r} is no engine", "Give `sandbox`, `managed` or URLs such as http://127.0.0.1:8188")
        )
    return url


class SandboxEngine(ComfyClient):
    """A sandbox that runs inside this process, reached over loopback like any other engine."""

    sandbox: Sandbox
    loras: Path | None = None

    @classmethod
    async def start(cls, name: str, options: EngineOptions) -> SandboxEngine:
        """Starts a sandbox on a free port."""
        from runner.engine.sandbox.server import Sandbox
        from runner.engine.sandbox.stock import stock

        sandbox = Sandbox(
            options.sandbox_catalog or stock(load_library(), options.sandbox_version),
            options.data / name,
            name=name,
            step_seconds=options.sandbox_step_seconds,
        )
        await sandbox.start()
        engine = cls(sandbox.url, name=name, timing=options.timing)
        engine.sandbox, engine.loras, engine.partner_key = sandbox, options.loras, NO_KEY
        await engine.restock()
        return engine

    async def restock(self) -> None:
        """Offers what lies in the LoRA folder now."""
        await super().restock()
        if self.loras is not None and self.loras.is_dir():
            self.sandbox.stock("loras", [file.name for file in sorted(self.loras.glob("*.safetensors"))])

    async def restart(self, why: str) -> None:
        """A new boot at the same address: after a device fault, as for a managed process."""
        await self.sandbox.crash(restart_after=0.0)

    async def close(self) -> None:
        await super().close()
        await self.sandbox.stop()
