"""Conditionings from pictures and text, by the methods that ComfyUI's CLIP and VAE objects offer to nodes.

A conditioning is ComfyUI's: a list of `[tensor [B, tokens, width], facts]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from . import chat

Conditioning = list[list[Any]]


def as_long_as(count: int, batches: Sequence[Tensor]) -> list[Tensor]:
    """Batches cut to `count` pictures, or their last picture repeated: [n, H, W, C] → [count, H, W, C]."""
    picks = ([min(index, len(batch) - 1) for index in range(count)] for batch in batches)
    return [batch[pick] for batch, pick in zip(batches, picks, strict=True)]


def encoded(vae: Any, pictures: Tensor) -> Tensor:
    """[B, H, W, 3] → latents [B, …], one picture at a time: a video VAE takes a batch for the frames of one video."""
    return torch.cat([vae.encode(picture[None]) for picture in pictures])


def asked(clip: Any, prompt: str, instruction: str, pictures: Sequence[Tensor]) -> Conditioning:
    """What the encoder makes of a prompt beside pictures, each a batch [B, h, w, 3]: a conditioning of B rows.

    Errors: ValueError if the encoder takes no pictures.
    """
    rows = range(len(pictures[0]))
    return _stacked([_asked_once(clip, prompt, instruction, [one[row : row + 1] for one in pictures]) for row in rows])


def _asked_once(clip: Any, prompt: str, instruction: str, pictures: list[Tensor]) -> Conditioning:
    turn = chat.user_turn(prompt, len(pictures))
    tokens = clip.tokenize(turn, images=pictures, llama_template=chat.template(instruction))
    if chat.pictures_in(tokens) != len(pictures):
        raise ValueError("clip: this text encoder cannot see pictures. Load Qwen2.5-VL with the type qwen_image")
    if not instruction.strip():  # without a template the encoder uses its own instruction for edits
        tokens = chat.with_system_turn(tokens, clip.tokenize("", images=pictures[:1]))
    return clip.encode_from_tokens_scheduled(tokens)


def with_references(conditioning: Conditioning, latents: Sequence[Tensor]) -> Conditioning:
    """The same with reference latents added: what ComfyUI's edit models look at beside the noise."""
    return [
        [tensor, {**facts, "reference_latents": [*facts.get("reference_latents", ()), *latents]}]
        for tensor, facts in conditioning
    ]


def _stacked(parts: Sequence[Conditioning]) -> Conditioning:
    """Conditionings of one row each as one of many rows."""
    if len(parts) == 1:
        return parts[0]
    return [
        [torch.cat([one[0] for one in entries]), _facts([one[1] for one in entries])]
        for entries in zip(*parts, strict=True)
    ]


def _facts(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Facts of several rows: tensors are stacked, all else is the first row's."""
    return {
        name: torch.cat([row[name] for row in rows]) if isinstance(value, Tensor) else value
        for name, value in rows[0].items()
    }
