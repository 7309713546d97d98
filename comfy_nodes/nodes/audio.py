"""Voices and accompaniment apart."""

from __future__ import annotations

from typing import Any

from ._inputs import choice, link

MODELS = ["UVR FT", "Kim Jensen 2", "UVR Main", "UVR Karaoke"]


class ComfycAudioSeparate:
    """Parts sound into vocals and the rest with an MDX-Net model.

    AUDIO is {"waveform": [B, C, T], "sample_rate": Hz}; each of the batch is parted on its own. Both outputs are stereo
    at 44 100 Hz, as the models work, and of equal length. The sound goes through WAV files in the temporary folder.

    Errors: those of ops/optional.py: a missing library or weights file, by name, with what to do about it.
    """

    DISPLAY_NAME = "Separate vocals (comfyc)"
    CATEGORY = "comfyc/audio"
    DESCRIPTION = "Vocals and the rest, with audio-separator and an MDX-Net model."
    FUNCTION = "separate"
    RETURN_TYPES = ("AUDIO", "AUDIO")
    RETURN_NAMES = ("vocals", "rest")
    OUTPUT_TOOLTIPS = ("The voices.", "Everything else.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {
            "required": {
                "audio": link("AUDIO", "The sound; any sample rate, any channels."),
                "model": choice(MODELS, "UVR FT is the best for vocals; UVR Karaoke takes the leading voice alone."),
            }
        }

    def separate(self, audio: dict[str, Any], model: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """See the class."""
        from ..ops.separation import separate  # here, so that the schema is read without torch

        return separate(audio, model)


NODES = (ComfycAudioSeparate,)
