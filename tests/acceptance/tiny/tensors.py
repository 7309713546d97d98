"""Random tensors with the names and shapes of ComfyUI's modules, the same every time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any
from zlib import crc32

import torch

Tensors = dict[str, torch.Tensor]
RANK = 4


def spread(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """(mean, deviation) of a tensor's values: such that what goes through a layer keeps its size."""
    leaf = name.rpartition(".")[2]
    wide = [side for side in shape if side != 1]
    if "embed_tokens" in name or "embedding.weight" in name or leaf == "positional_embedding":
        return 0.0, 0.04
    if name.endswith("shared.weight"):
        return 0.0, 1.0
    if leaf == "bias":
        return 0.0, 0.02
    if leaf in ("gamma", "scale") or (leaf == "weight" and len(wide) < 2 and len(shape) != 2):
        return 1.0, 0.05  # a norm
    if leaf == "modulation":
        return 0.0, shape[-1] ** -0.5
    return 0.0, max(1, math.prod(shape[1:])) ** -0.5


def drawn(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Half-precision values: small files, and every loader takes them."""
    mean, deviation = spread(name, shape)
    generator = torch.Generator().manual_seed(crc32(name.encode()))
    return torch.randn(shape, generator=generator).mul_(deviation).add_(mean).half()


def filled(make: Callable[[], torch.nn.Module], prefix: str = "", skip: str = "\0") -> Tensors:
    """Random values for every tensor of a module; `make` is called where tensors take no memory."""
    with torch.device("meta"):
        layout = make().state_dict()
    return {prefix + name: drawn(name, tuple(one.shape)) for name, one in layout.items() if skip not in name}


def matrices(model: Tensors, part: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """(layer, shape) of the linear layers whose name has `part`."""
    for name, one in model.items():
        if part in name and name.endswith(".weight") and one.dim() == 2:
            yield name.removesuffix(".weight"), (one.shape[0], one.shape[1])


def adapter(name: str, shape: tuple[int, int], down: str, up: str) -> Tensors:
    """A LoRA of one linear layer. As large as the weights: what it does must be seen."""
    first, second = f"{name}.{down}.weight", f"{name}.{up}.weight"
    return {first: drawn(first, (RANK, shape[1])), second: drawn(second, (shape[0], RANK)) / 2}


def plain() -> dict[str, Any]:
    """Arguments that ComfyUI's modules want for layers without initial values."""
    import comfy.ops

    return {"operations": comfy.ops.disable_weight_init, "dtype": torch.float16}
