"""Voices and the rest apart, with audio-separator. AUDIO is {"waveform": [B, C, T], "sample_rate": Hz}."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from . import sound
from .optional import library, program, weights

FOLDER: Final = "audio_separator"
"""In ComfyUI's models folder."""
FILES: Final[Mapping[str, str]] = {
    "UVR FT": "UVR-MDX-NET-Voc_FT.onnx",
    "Kim Jensen 2": "Kim_Vocal_2.onnx",
    "UVR Main": "UVR_MDXNET_Main.onnx",
    "UVR Karaoke": "UVR_MDXNET_KARA.onnx",
}
MODELS: Final = "https://github.com/TRvlvr/model_repo/releases/tag/all_public_uvr_models"
LISTS: Final = "https://github.com/TRvlvr/application_data"
FACTS: Final = {
    "download_checks.json": f"{LISTS}/blob/main/filelists/download_checks.json",
    "mdx_model_data.json": f"{LISTS}/blob/main/mdx_model_data/model_data_new.json",
    "vr_model_data.json": f"{LISTS}/blob/main/vr_model_data/model_data_new.json",
}
"""What audio-separator reads of its models; it would fetch what is missing."""
RATE: Final = 44_100
"""Hz; the models know no other."""
STEM: Final = "Vocals"


def separate(audio: Mapping[str, Any], model: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """AUDIO → vocals and rest, both stereo at 44 100 Hz; together they are the sound that was given.

    Errors: LibraryMissing for the library, ffmpeg or a file; ValueError for a sound without samples.
    """
    waveform: Tensor = audio["waveform"]
    if waveform.shape[-1] == 0:
        raise ValueError("audio: has no samples. Link a sound that lasts")
    package = library("audio_separator.separator", '"audio-separator[cpu]"', model)
    program("ffmpeg", "https://ffmpeg.org", model)  # audio-separator will not start without it
    folder = weights(FOLDER, FILES[model], MODELS, model).parent
    for file, source in FACTS.items():
        weights(FOLDER, file, source, model)
    mixes = [sound.stereo(one, int(audio["sample_rate"]), RATE) for one in waveform]
    with tempfile.TemporaryDirectory(prefix="comfyc-") as place:
        separator = _separator(package, str(folder), FILES[model], place)
        vocals = torch.stack([_vocals(separator, mix, Path(place), number) for number, mix in enumerate(mixes)])
    whole = torch.stack(mixes)
    return {"waveform": vocals, "sample_rate": RATE}, {"waveform": whole - vocals, "sample_rate": RATE}


def _separator(package: Any, folder: str, file: str, place: str) -> Any:
    separator = package.Separator(
        log_level=logging.WARNING,
        model_file_dir=folder,
        output_dir=place,
        output_format="WAV",
        output_single_stem=STEM,
        normalization_threshold=1.0,  # its default makes loud vocals quieter, and then the rest is not what is left
        sample_rate=RATE,
        use_soundfile=True,  # keeps float samples; the other way goes through 16 bits and ffmpeg
    )
    separator.load_model(file)
    return separator


def _vocals(separator: Any, mix: Tensor, place: Path, number: int) -> Tensor:
    """[2, T] → [2, T]."""
    file = place / f"mix-{number}.wav"
    sound.write(file, mix, RATE)
    made = [place / Path(name).name for name in separator.separate(str(file))]
    found = next((path for path in made if STEM.lower() in path.name.lower()), None)
    if found is None:
        raise ValueError(f"audio: the model gave no {STEM.lower()}")
    return sound.as_long_as(sound.read(found, RATE), mix.shape[-1])
