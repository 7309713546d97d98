"""Our node pack in a ComfyUI: custom_nodes/comfyc."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from compiler.errors import Fault
from runner.engine.home import SetupError, link

COMFY_NODES: Final = Path(__file__).resolve().parents[2] / "comfy_nodes"


def link_nodes(comfyui_dir: Path) -> tuple[Path, str]:
    """Links our nodes into a ComfyUI (or base directory); where links are not allowed, copies them.

    Returns the path of the pack and `linked` or `copied`. Run again it repairs the link, or renews the copy.
    Errors: SetupError.
    """
    packs = comfyui_dir / "custom_nodes"
    if not packs.is_dir():
        cure = "Give a ComfyUI folder: the one with main.py"
        raise SetupError(Fault(str(comfyui_dir), "has no custom_nodes folder", cure))
    target = packs / "comfyc"
    return target, link(COMFY_NODES, target)
