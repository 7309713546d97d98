"""What opening engines needs to know beside the word or addresses that name them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from compiler.catalog import Catalog
from runner.engine.http import Timing


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What opening engines needs to know beside the spec."""

    data: Path
    """Folder for the engines' own state: logs, base directories, sandbox files."""
    comfyui_home: Path | None = None
    instances: int = 1
    """How many sandboxes or managed processes."""
    sandbox_version: str = "0.8.0"
    """Of the shipped catalogs."""
    sandbox_catalog: Catalog | None = None
    """What the sandbox offers; None: the core of `sandbox_version` with comfyc's nodes and every known model file."""
    sandbox_step_seconds: float = 0.02
    models: Path | None = None
    """Managed: the models folder; None takes that of the ComfyUI folder."""
    loras: Path | None = None
    """Sandbox: a folder whose files it offers as LoRA beside those of its catalog."""
    devices: tuple[str, ...] | None = None
    """Managed: CUDA_VISIBLE_DEVICES of the instances, in turn; None takes every GPU that nvidia-smi lists."""
    cpu: bool | None = None
    """Managed: run without a GPU; None: only where none is found."""
    arguments: tuple[str, ...] = ()
    """Managed: more arguments of ComfyUI's main.py."""
    timing: Timing | None = None
    partner_key: str = field(default="", repr=False)
    """Comfy.org's API key for partner nodes; a sandbox is never given it."""
