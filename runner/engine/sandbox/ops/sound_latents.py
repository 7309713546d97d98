"""Latents of sound: what a sampler 'composed' is played as a soft chord, from the digest."""

from __future__ import annotations

from typing import Final

import numpy as np

from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.values import Audio, Floats, Latent, Symbol, digest

RATE: Final = 44100
MAX_SECONDS: Final = 600.0
SCALE: Final = (0, 3, 5, 7, 10, 12, 15, 17)
"""Semitones of the minor pentatonic scale: any three of them sound together."""
ROOT: Final = 110.0


@op("EmptyLatentAudio", "EmptyAceStepLatentAudio")
def empty_latent_audio(seconds: float, batch_size: int) -> Latent:
    return sound_latent(min(seconds, MAX_SECONDS), batch_size, digest("sound", seconds, batch_size))


@op("VAEEncodeAudio")
def vae_encode_audio(audio: Audio, vae: Symbol) -> Latent:
    seconds = audio.waveform.shape[-1] / audio.rate
    return sound_latent(seconds, len(audio.waveform), digest("sound", audio, vae))


def sound_latent(seconds: float, batch: int, mark: str) -> Latent:
    """A latent whose width stands for time; its preview is a picture like any other."""
    return Latent(mark, max(8, round(seconds * 8) // 8 * 8), 64, batch, channels=64, seconds=seconds)


@op("VAEDecodeAudio")
def vae_decode_audio(samples: Latent) -> Audio:
    """Silence for an empty latent, else a chord that says: this is a placeholder, but it is the same each time."""
    length = round(samples.seconds * RATE)
    if samples.art is None:
        return Audio(np.zeros((samples.batch, 2, length), np.float32), RATE)
    return Audio(np.stack([chord(digest(samples, index), length) for index in range(samples.batch)]), RATE)


def chord(seed: str, length: int) -> Floats:
    """Three slow tones, [2,length], faded in and out."""
    dice = np.random.Generator(np.random.PCG64(int(seed, 16)))
    t = np.arange(length, dtype=np.float32) / RATE
    sound = np.zeros((2, length), np.float32)
    for note in dice.choice(SCALE, 3, replace=False):
        tone = ROOT * 2 ** (int(note) / 12)
        beat = 0.6 + 0.4 * np.sin(2 * np.pi * dice.uniform(0.1, 0.4) * t + dice.uniform(0, 6.28))
        wave = np.sin(2 * np.pi * tone * t) * beat * np.float32(0.12)
        left = float(dice.uniform(0.3, 0.7))
        sound += np.outer([left, 1 - left], wave).astype(np.float32)
    fade = np.minimum(1, np.minimum(t, t[::-1]) / 0.5) if length else t
    return (sound * fade).astype(np.float32)
