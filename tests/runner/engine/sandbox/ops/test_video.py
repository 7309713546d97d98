"""Videos: frames given, frames drawn, files written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from ops_runner import OpsRunner

from runner.engine.sandbox.ops.values import Audio, octets

W, H = 64, 48


def colour(value: int, width: int = 90, height: int = 48) -> Any:
    return np.full((height, width, 3), value, np.uint8)


def wan(sandbox: OpsRunner, kind: str, length: int = 9, **images: Any) -> Any:
    """Frames of a small video by that class, through both experts' stand-ins."""
    clip = sandbox.one("CLIPLoader", clip_name="umt5.safetensors", type="wan")
    vae = sandbox.one("VAELoader", vae_name="wan_2.1_vae.safetensors")
    text = sandbox.one("CLIPTextEncode", text="a fox", clip=clip)
    positive, negative, latent = sandbox.one(
        kind, positive=text, negative=text, vae=vae, width=W, height=H, length=length, batch_size=1, **images
    )
    model = sandbox.one("UNETLoader", unet_name="wan.safetensors", weight_dtype="default")
    sampled = sandbox.one(
        "KSampler",
        model=model,
        seed=1,
        steps=2,
        cfg=1.0,
        sampler_name="euler",
        scheduler="simple",
        positive=positive,
        negative=negative,
        latent_image=latent,
    )
    return sandbox.one("VAEDecode", samples=sampled, vae=vae)


def picture(sandbox: OpsRunner, value: int) -> Any:
    return sandbox.one("LoadImage", image=sandbox.picture(colour(value), f"{value}.png"))[0]


@pytest.mark.parametrize(("length", "frames"), [(1, 1), (5, 5), (9, 9), (10, 9), (12, 9), (13, 13)])
def test_a_video_has_4n_and_1_frames(sandbox: OpsRunner, length: int, frames: int) -> None:
    assert wan(sandbox, "WanImageToVideo", length).shape == (frames, H, W, 3)


def test_frames_move_smoothly(sandbox: OpsRunner) -> None:
    frames = wan(sandbox, "WanImageToVideo", 33).astype(int)
    steps = np.abs(np.diff(frames, axis=0)).mean((1, 2, 3))
    assert (steps > 0.05).all()
    assert steps.max() < 12
    assert np.abs(frames[0] - frames[-1]).mean() > 3 * steps.mean()


def test_first_and_last_frames_are_those_given(sandbox: OpsRunner) -> None:
    given = {"start_image": picture(sandbox, 250), "end_image": picture(sandbox, 5)}
    frames = wan(sandbox, "WanFirstLastFrameToVideo", 17, **given)
    assert np.abs(frames[0].astype(int) - 250).max() <= 2
    assert np.abs(frames[-1].astype(int) - 5).max() <= 2
    assert 20 < frames[8].mean() < 235


def test_a_start_image_is_cropped_to_the_middle(sandbox: OpsRunner) -> None:
    wide = np.zeros((H, W * 3, 3), np.uint8)
    wide[:, W : 2 * W] = 200
    start = sandbox.one("LoadImage", image=sandbox.picture(wide))[0]
    first = wan(sandbox, "WanImageToVideo", 5, start_image=start)[0]
    assert np.abs(first.astype(int) - 200).max() <= 3


@pytest.mark.parametrize("changed", ["start_image", "end_image"])
def test_each_given_frame_changes_the_video(sandbox: OpsRunner, changed: str) -> None:
    given = {"start_image": picture(sandbox, 250), "end_image": picture(sandbox, 5)}
    one = wan(sandbox, "WanFirstLastFrameToVideo", **given)
    other = wan(sandbox, "WanFirstLastFrameToVideo", **{**given, changed: picture(sandbox, 128)})
    assert not np.array_equal(one, other)


def test_vace_adds_a_latent_frame_for_its_reference(sandbox: OpsRunner) -> None:
    vae = sandbox.one("VAELoader", vae_name="wan.safetensors")
    text = sandbox.one("CLIPTextEncode", text="a", clip=sandbox.one("CLIPLoader", clip_name="c", type="wan"))
    shared: dict[str, Any] = {"positive": text, "negative": text, "vae": vae, "width": W, "height": H}
    shared |= {"length": 9, "batch_size": 1, "strength": 1.0}
    *_, plain, no_trim = sandbox.one("WanVaceToVideo", **shared)
    *_, latent, trim = sandbox.one("WanVaceToVideo", **shared, reference_image=picture(sandbox, 9))
    assert (plain.frames, no_trim, latent.frames, trim) == (3, 0, 4, 1)
    assert sandbox.one("TrimVideoLatent", samples=latent, trim_amount=trim).frames == 3


# --- files -----------------------------------------------------------------------------------------------------


def saved(sandbox: OpsRunner, kind: str, **inputs: Any) -> Path:
    """The file that a saving node wrote."""
    graph = {"1": {"class_type": kind, "inputs": {}}}
    result = sandbox._run_node("1", graph, {"filename_prefix": "clips/x", **inputs})
    entry = next(iter((result.ui or {}).values()))[0]
    assert entry["type"] == "output"
    return sandbox.root / "output" / entry["subfolder"] / entry["filename"]


@pytest.fixture
def frames() -> Any:
    y, x = np.mgrid[0:48, 0:64]
    return np.stack([np.stack([(x * 3 + 10 * at) % 256, y * 4, x + y], -1) for at in range(12)]).astype(np.uint8)


@pytest.fixture
def tone() -> Audio:
    t = np.arange(44100) / 44100
    return Audio(np.stack([np.sin(2 * np.pi * 440 * t), np.sin(2 * np.pi * 220 * t)])[None].astype(np.float32), 44100)


def test_mp4(sandbox: OpsRunner, frames: Any, tone: Audio) -> None:
    video = sandbox.one("CreateVideo", images=frames, fps=8.0, audio=tone)
    path = saved(sandbox, "SaveVideo", video=video, format="mp4", codec="h264")
    assert path.name == "x_00001_.mp4"
    with av.open(str(path)) as container:
        stream, sound = container.streams.video[0], container.streams.audio[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.frames, stream.average_rate, stream.width, stream.height) == (12, 8, 64, 48)
        assert (sound.codec_context.name, sound.rate) == ("aac", 44100)
        assert json.loads(container.metadata["prompt"]) == {"1": {"class_type": "SaveVideo", "inputs": {}}}
        assert json.loads(container.metadata["workflow"]) == {"id": "w"}


def test_a_video_comes_back_as_it_was_saved(sandbox: OpsRunner, frames: Any, tone: Audio) -> None:
    video = sandbox.one("CreateVideo", images=frames, fps=12.5, audio=tone)
    path = saved(sandbox, "SaveVideo", video=video)
    (sandbox.root / "input" / "v.mp4").write_bytes(path.read_bytes())
    images, audio, fps = sandbox.one("GetVideoComponents", video=sandbox.one("LoadVideo", file="v.mp4"))
    assert (images.shape, fps, audio.rate, audio.waveform.shape[1]) == (frames.shape, 12.5, 44100, 2)
    assert np.abs(octets(images).astype(int) - frames).mean() < 6
    assert audio.waveform.shape[2] / 44100 == pytest.approx(12 / 12.5, abs=0.06)


def test_a_video_without_sound_has_none(sandbox: OpsRunner, frames: Any) -> None:
    path = saved(sandbox, "SaveVideo", video=sandbox.one("CreateVideo", images=frames, fps=8.0))
    (sandbox.root / "input" / "v.mp4").write_bytes(path.read_bytes())
    assert sandbox.one("GetVideoComponents", video=sandbox.one("LoadVideo", file="v.mp4"))[1] is None


@pytest.mark.parametrize(("codec", "name"), [("vp9", "vp9"), ("av1", "av1")])
def test_webm(sandbox: OpsRunner, frames: Any, codec: str, name: str) -> None:
    path = saved(sandbox, "SaveWEBM", images=frames[:4], codec=codec, fps=24.0, crf=32.0)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert name in stream.codec_context.name
        assert (stream.width, stream.height, stream.average_rate) == (64, 48, 24)


AUDIO = {
    "SaveAudio": ("flac", {}),
    "SaveAudioMP3": ("mp3", {"quality": "V0"}),
    "SaveAudioOpus": ("opus", {"quality": "128k"}),
}


@pytest.mark.parametrize("kind", AUDIO)
def test_sound_comes_back_as_it_was_saved(sandbox: OpsRunner, tone: Audio, kind: str) -> None:
    ending, options = AUDIO[kind]
    path = saved(sandbox, kind, audio=tone, **options)
    assert path.name == f"x_00001_.{ending}"
    (sandbox.root / "input" / path.name).write_bytes(path.read_bytes())
    again = sandbox.one("LoadAudio", audio=path.name)
    assert again.waveform.shape[:2] == (1, 2)
    assert again.waveform.shape[2] / again.rate == pytest.approx(1.0, abs=0.06)
    spectrum = np.abs(np.fft.rfft(again.waveform[0, 0, : again.rate // 2]))
    assert np.argmax(spectrum) * 2 == pytest.approx(440, abs=4)


def test_an_empty_audio_latent_is_silent_and_a_sampled_one_is_not(sandbox: OpsRunner) -> None:
    vae = sandbox.one("VAELoader", vae_name="audio.safetensors")
    latent = sandbox.one("EmptyLatentAudio", seconds=1.0, batch_size=2)
    silent = sandbox.one("VAEDecodeAudio", samples=latent, vae=vae)
    assert (silent.waveform.shape, silent.waveform.any()) == ((2, 2, 44100), False)
