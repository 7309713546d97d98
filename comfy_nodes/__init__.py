"""comfyc's node pack for ComfyUI 0.3.64 and newer: a folder in custom_nodes, under any name.

Nodes are found by file name: each module of nodes/ lists its classes in NODES. Their schemas are data too, in
graphs/catalogs/comfyc.json, so that graphs compile for a ComfyUI that nobody has asked yet; a test compares the two.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any


def _classes() -> dict[str, type[Any]]:
    files = sorted((Path(__file__).parent / "nodes").glob("[!_]*.py"))
    modules = [import_module(f".nodes.{file.stem}", __name__) for file in files]
    return {node.__name__: node for module in modules for node in module.NODES}


NODE_CLASS_MAPPINGS = _classes()
NODE_DISPLAY_NAME_MAPPINGS = {name: node.DISPLAY_NAME for name, node in NODE_CLASS_MAPPINGS.items()}

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
