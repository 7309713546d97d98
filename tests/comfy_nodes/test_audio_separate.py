"""Voices and the rest apart, with a library that has audio-separator's interface, and without it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from fake_libraries import comfyui_folders, install, without

torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")

from comfy_nodes import NODE_CLASS_MAPPINGS  # noqa: E402 - needs torch
from comfy_nodes.nodes.audio import MODELS  # noqa: E402
from comfy_nodes.ops import separation, sound  # noqa: E402
from comfy_nodes.providers.errors import LibraryMissing  # noqa: E402


class Separator:
    """audio_separator.separator.Separator (0.47): the vocals are half of what comes in. Keeps what it was asked."""

    asked: list[Any] = []

    def __init__(self, **options: Any) -> None:
        assert options["normalization_threshold"] == 1.0
        assert (options["output_format"], options["sample_rate"]) == ("WAV", 44_100)
        self.options = options

    def load_model(self, model_filename: str) -> None:
        self.model = model_filename

    def separate(self, audio_file_path: str) -> list[str]:
        mix = sound.read(Path(audio_file_path), 44_100)
        self.asked.append((self.model, self.options["model_file_dir"], tuple(mix.shape)))
        made = Path(self.options["output_dir"]) / f"{Path(audio_file_path).stem}_(Vocals)_{Path(self.model).stem}.wav"
        sound.write(made, mix / 2, 44_100)
        return [made.name]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ComfyUI with the library and all files. Returns the models folder."""
    monkeypatch.setattr(Separator, "asked", [])
    install(monkeypatch, "audio_separator.separator", Separator=Separator)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    found = comfyui_folders(monkeypatch, tmp_path)
    (found / "audio_separator").mkdir()
    for file in (*separation.FILES.values(), *separation.FACTS):
        (found / "audio_separator" / file).write_bytes(b"weights")
    return found


def tone(seconds: float, rate: int, channels: int = 2, batch: int = 1, hertz: float = 440) -> dict[str, Any]:
    time = torch.arange(round(seconds * rate)) / rate
    wave = 0.8 * torch.sin(2 * math.pi * hertz * time)
    return {"waveform": wave.expand(batch, channels, -1).clone(), "sample_rate": rate}


def run(audio: dict[str, Any], model: str = "UVR FT") -> tuple[Any, Any]:
    return NODE_CLASS_MAPPINGS["ComfycAudioSeparate"]().separate(audio, model)


@pytest.mark.parametrize("model", MODELS)
def test_parts_add_up(model: str, models: Path) -> None:
    audio = tone(0.3, 44_100, batch=2)
    audio["waveform"][1] *= 0.5
    vocals, rest = run(audio, model)
    assert vocals["sample_rate"] == rest["sample_rate"] == 44_100
    assert vocals["waveform"].shape == audio["waveform"].shape
    assert torch.allclose(vocals["waveform"], audio["waveform"] / 2, atol=1e-6)
    assert torch.allclose(vocals["waveform"] + rest["waveform"], audio["waveform"], atol=1e-6)
    assert Separator.asked == [(separation.FILES[model], str(models / "audio_separator"), (2, 13_230))] * 2


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 1), (22_050, 2), (16_000, 6), (44_100, 1)])
def test_any_rate_and_channels_become_stereo_at_44100(rate: int, channels: int, models: Path) -> None:
    vocals, rest = run(tone(0.5, rate, channels))
    whole = vocals["waveform"] + rest["waveform"]
    assert whole.shape == (1, 2, 22_050)
    wanted = tone(0.5, 44_100)["waveform"]
    inner = slice(2000, -2000)  # resamplers ring at the ends
    assert (whole[..., inner] - wanted[..., inner]).abs().max() < 0.02


def test_a_wav_file_keeps_its_samples(tmp_path: Path) -> None:
    wave = torch.randn(2, 5000, generator=torch.Generator().manual_seed(2))
    sound.write(tmp_path / "x.wav", wave, 44_100)
    assert torch.equal(sound.read(tmp_path / "x.wav", 44_100), wave)


def test_silence_is_not_added_or_lost() -> None:
    wave = torch.ones(2, 10)
    assert sound.as_long_as(wave, 4).shape == (2, 4)
    assert sound.as_long_as(wave, 12)[:, 10:].sum() == 0


def test_no_samples(models: Path) -> None:
    with pytest.raises(ValueError, match="audio: has no samples"):
        run({"waveform": torch.zeros(1, 2, 0), "sample_rate": 44_100})


def test_the_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "audio_separator", "audio_separator.separator")
    with pytest.raises(LibraryMissing, match=r'run `pip install "audio-separator\[cpu\]"` with ComfyUI'):
        run(tone(0.1, 44_100))


def test_ffmpeg_is_missing(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(LibraryMissing, match="the program ffmpeg is not there"):
        run(tone(0.1, 44_100))


@pytest.mark.parametrize("file", ["Kim_Vocal_2.onnx", *separation.FACTS])
def test_a_file_is_missing(file: str, models: Path) -> None:
    (models / "audio_separator" / file).unlink()
    with pytest.raises(LibraryMissing, match=f"{file} is missing; put it into ComfyUI's models/audio_separator"):
        run(tone(0.1, 44_100), "Kim Jensen 2")
    assert Separator.asked == []


def test_every_model_of_the_node_has_a_file() -> None:
    assert list(separation.FILES) == MODELS
