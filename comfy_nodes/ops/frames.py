"""Frames of a video [F, H, W, C] at another rate and size."""

from __future__ import annotations

import torch
from torch import Tensor

from .canvas import resized
from .geometry import frame_size, shown_frames

AT_A_TIME = 16


def resampled(frames: Tensor, fps_in: float, fps_out: float, width: int, height: int) -> Tensor:
    """[F, H, W, C] → [F', height, width, C] of the same length in seconds. See ComfycVideoResample."""
    picks = torch.tensor(shown_frames(len(frames), fps_in, fps_out), device=frames.device)
    size = frame_size(frames.shape[2], frames.shape[1], width, height)
    if size == (frames.shape[2], frames.shape[1]):
        return frames if len(picks) == len(frames) else frames[picks]
    made = frames.new_empty((len(picks), size[1], size[0], frames.shape[3]))
    for begin in range(0, len(picks), AT_A_TIME):
        some = picks[begin : begin + AT_A_TIME]
        made[begin : begin + AT_A_TIME] = resized(frames[some].float(), *size, "bicubic").to(frames.dtype)
    return made
