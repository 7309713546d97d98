"""Sound [C, T] as files and at other rates, with PyAV, which ComfyUI brings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def stereo(waveform: Tensor, rate: int, wanted: int) -> Tensor:
    """[C, T] at `rate` Hz → [2, T'] at `wanted` Hz, float32. Of more than two channels the mean is taken."""
    samples = waveform.detach().float().cpu()
    two = samples if samples.shape[0] == 2 else samples.mean(0, keepdim=True).expand(2, -1)
    return two.contiguous() if rate == wanted else resampled(two, rate, wanted)


def resampled(waveform: Tensor, rate: int, wanted: int) -> Tensor:
    """[2, T] → [2, T'], T' being T × wanted / rate, rounded."""
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=wanted)
    frames = resampler.resample(_frame(waveform, rate))
    length = round(waveform.shape[-1] * wanted / rate)
    return as_long_as(_joined([*frames, *resampler.resample(None)]), length)


def write(path: Path, waveform: Tensor, rate: int) -> None:
    """[2, T] as a WAV file of 32-bit floats."""
    with av.open(str(path), "w", format="wav") as container:
        stream: Any = container.add_stream("pcm_f32le", rate=rate, layout="stereo")
        packed = waveform.T.contiguous().numpy().reshape(1, -1).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout="stereo")
        frame.sample_rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)


def read(path: Path, rate: int) -> Tensor:
    """The file as stereo [2, T] at that rate."""
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=rate)
    with av.open(str(path)) as container:
        frames = [made for frame in container.decode(audio=0) for made in resampler.resample(frame)]
    return _joined([*frames, *resampler.resample(None)])


def as_long_as(waveform: Tensor, length: int) -> Tensor:
    """[C, T] → [C, length]: cut, or silent at the end."""
    return functional.pad(waveform[:, :length], (0, max(0, length - waveform.shape[-1])))


def _frame(waveform: Tensor, rate: int) -> Any:
    frame = av.AudioFrame.from_ndarray(waveform.contiguous().numpy().astype(np.float32), "fltp", "stereo")
    frame.sample_rate = rate
    return frame


def _joined(frames: Iterable[Any]) -> Tensor:
    parts = [torch.from_numpy(frame.to_ndarray().copy()) for frame in frames]
    return torch.cat(parts, 1) if parts else torch.zeros(2, 0)
