"""Runs classes of comfyc's node pack as ComfyUI does, with the defaults that they declare; and pictures for them."""

from __future__ import annotations

from typing import Any

from comfy_nodes import NODE_CLASS_MAPPINGS


def run(name: str, **inputs: Any) -> tuple[Any, ...]:
    """The outputs of a class; inputs that are left out have their defaults."""
    node = NODE_CLASS_MAPPINGS[name]()
    return getattr(node, node.FUNCTION)(**{**defaults(name), **inputs})


def defaults(name: str) -> dict[str, Any]:
    """Of the required inputs; a combo without one has its first choice."""
    required = NODE_CLASS_MAPPINGS[name].INPUT_TYPES()["required"]
    found: dict[str, Any] = {}
    for key, (kind, *options) in required.items():
        facts = options[0] if options else {}
        if "default" in facts:
            found[key] = facts["default"]
        elif isinstance(kind, list):
            found[key] = kind[0]
    return found


def waves(width: int, height: int, channels: int = 3, count: int = 1, seed: int = 0) -> Any:
    """Smooth pictures with one hard-edged block, [count, height, width, channels] of 0 to 1; alpha has a soft oval."""
    import torch

    y, x = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    layers = [torch.sin(7 * x * (1 + k) + 5 * y + seed + k) * 0.4 + 0.5 for k in range(count * channels)]
    made = torch.stack(layers, -1).reshape(height, width, count, channels).permute(2, 0, 1, 3).contiguous()
    made[:, height // 4 : height // 2, width // 3 : width // 2] = 0.9
    if channels in (2, 4):
        made[..., -1] = (1.2 - 2 * torch.hypot(x - 0.5, y - 0.5)).clamp(0, 1)
    return made
