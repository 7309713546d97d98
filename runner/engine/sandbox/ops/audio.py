"""Sound: loading, saving, cutting and mixing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from runner.engine.sandbox.node import NodeContext, NodeResult
from runner.engine.sandbox.ops.codec import SOUND, read_sound, write_sound
from runner.engine.sandbox.ops.files import Place, annotated_path, metadata, place, temp_place
from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.values import Audio, Floats


@op("EmptyAudio")
def empty_audio(duration: float, sample_rate: int, channels: int) -> Audio:
    return Audio(np.zeros((1, channels, round(duration * sample_rate)), np.float32), sample_rate)


@op("LoadAudio")
def load_audio(audio: str, context: NodeContext) -> Audio:
    """Errors: ValueError if the file has no sound."""
    found = read_sound(annotated_path(audio, context))
    if found is None:
        raise ValueError("No audio stream found in the file.")
    return found


@op("SaveAudio")
def save_audio(audio: Audio, context: NodeContext, filename_prefix: str = "audio/ComfyUI") -> NodeResult:
    return _save(audio, place(filename_prefix, context), context, "flac")


@op("SaveAudioMP3")
def save_mp3(audio: Audio, context: NodeContext, quality: str, filename_prefix: str = "audio/ComfyUI") -> NodeResult:
    return _save(audio, place(filename_prefix, context), context, "mp3", quality)


@op("SaveAudioOpus")
def save_opus(audio: Audio, context: NodeContext, quality: str, filename_prefix: str = "audio/ComfyUI") -> NodeResult:
    return _save(audio, place(filename_prefix, context), context, "opus", quality)


@op("PreviewAudio")
def preview_audio(audio: Audio, context: NodeContext) -> NodeResult:
    return _save(audio, temp_place(context), context, "flac")


def _save(audio: Audio, target: Place, context: NodeContext, form: str, quality: str = "") -> NodeResult:
    shown: list[dict[str, Any]] = []
    for index, waveform in enumerate(audio.waveform):
        path, entry = target.file(form, index)
        write_sound(path, waveform, audio.rate, SOUND[form], quality, metadata(context))
        shown.append(entry)
    return NodeResult((), {"audio": shown})


@op("TrimAudioDuration")
def trim_audio(audio: Audio, start_index: float, duration: float) -> Audio:
    """A part in seconds; a negative start counts from the end."""
    length = audio.waveform.shape[-1]
    start = round(start_index * audio.rate)
    start = max(0, start + length) if start < 0 else min(start, length)
    end = min(start + round(duration * audio.rate), length)
    if start >= end:
        raise ValueError("AudioTrim: Start time must be less than end time and be within the audio length.")
    return Audio(audio.waveform[..., start:end], audio.rate)


@op("SplitAudioChannels")
def split_channels(audio: Audio) -> tuple[Audio, Audio]:
    """Left and right. Errors: ValueError unless there are two."""
    if audio.waveform.shape[1] != 2:
        raise ValueError("AudioSplit: Input audio has only one channel.")
    return Audio(audio.waveform[:, :1], audio.rate), Audio(audio.waveform[:, 1:], audio.rate)


@op("AudioAdjustVolume")
def adjust_volume(audio: Audio, volume: float) -> Audio:
    """By decibels."""
    return audio if volume == 0 else Audio(audio.waveform * np.float32(10 ** (volume / 20)), audio.rate)


@op("AudioConcat")
def concat_audio(audio1: Audio, audio2: Audio, direction: str) -> Audio:
    first, second, rate = _alike(audio1, audio2)
    parts = (first, second) if direction == "after" else (second, first)
    return Audio(np.concatenate(parts, axis=-1), rate)


MERGES: Final[Mapping[str, Callable[[Floats, Floats], Floats]]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "mean": lambda a, b: (a + b) / 2,
}


@op("AudioMerge")
def merge_audio(audio1: Audio, audio2: Audio, merge_method: str) -> Audio:
    """Mixes two sounds over the length of the first; louder than 1 is scaled down."""
    first, second, rate = _alike(audio1, audio2)
    length = first.shape[-1]
    second = np.pad(second[..., :length], ((0, 0), (0, 0), (0, max(0, length - second.shape[-1]))))
    mixed = MERGES[merge_method](first, second)
    peak = float(np.abs(mixed).max(initial=0))
    return Audio((mixed / peak if peak > 1 else mixed).astype(np.float32), rate)


def _alike(audio1: Audio, audio2: Audio) -> tuple[Floats, Floats, int]:
    """Both at the higher rate with two channels if either has."""
    rate = max(audio1.rate, audio2.rate)
    first, second = (resampled(audio, rate).waveform for audio in (audio1, audio2))
    channels = max(first.shape[1], second.shape[1])
    return _widened(first, channels), _widened(second, channels), rate


def _widened(waveform: Floats, channels: int) -> Floats:
    return np.repeat(waveform, channels, axis=1) if waveform.shape[1] < channels else waveform


def resampled(audio: Audio, rate: int) -> Audio:
    """The sound at another rate, linearly interpolated."""
    if audio.rate == rate:
        return audio
    batch, channels, known = audio.waveform.shape
    places = np.arange(round(known * rate / audio.rate), dtype=np.float64) * (audio.rate / rate)
    at = np.arange(known, dtype=np.float64)
    flat: list[Floats] = [np.interp(places, at, channel) for channel in audio.waveform.reshape(-1, known)]
    return Audio(np.stack(flat).reshape(batch, channels, len(places)).astype(np.float32), rate)
