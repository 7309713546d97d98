"""Frames at other rates and sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from comfy_nodes.ops.geometry import frame_size, shown_frames

RATES = st.sampled_from([8.0, 12.5, 16.0, 23.976, 24.0, 25.0, 29.97, 30.0, 60.0])


@settings(max_examples=200, derandomize=True)
@given(st.integers(1, 400), RATES, RATES)
def test_frames_keep_their_time(count: int, fps_in: float, fps_out: float) -> None:
    shown = shown_frames(count, fps_in, fps_out)
    assert shown == sorted(shown)
    assert abs(len(shown) / fps_out - count / fps_in) <= 0.5 / fps_out + 1e-9 or len(shown) == 1
    for at, frame in enumerate(shown[:-1]):
        begin, end = frame / fps_in, (frame + 1) / fps_in
        assert begin - 1e-9 <= (at + 0.5) / fps_out <= end + 1e-9
    if fps_in == fps_out:
        assert shown == list(range(count))
    if fps_out > fps_in:
        assert set(shown) == set(range(count)), "a frame is lost although there is room for all"


@pytest.mark.parametrize(
    ("wanted", "size"),
    [((0, 0), (640, 360)), ((320, 0), (320, 180)), ((0, 90), (160, 90)), ((100, 100), (100, 100)), ((1, 0), (1, 1))],
)
def test_sizes(wanted: tuple[int, int], size: tuple[int, int]) -> None:
    assert frame_size(640, 360, *wanted) == size


def test_what_would_be_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match=r"fps_out: 1000.0 a second makes 8,000,000 frames\. A video may have 20,000"):
        shown_frames(80, 0.01, 1000.0)
    with pytest.raises(ValueError, match=r"width, height: 1024 × 1024000 is too large\. No side"):
        frame_size(1, 1000, 1024, 0)


def test_scaled_as_pillow_does() -> None:
    torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")
    from node_pack import run

    pixels = np.random.default_rng(3).integers(90, 166, (37, 60, 80, 3), dtype=np.uint8)
    frames = torch.from_numpy(pixels).float() / 255
    made, fps = run("ComfycVideoResample", images=frames, fps_in=30.0, fps_out=24.0, width=40)
    assert fps == 24
    picks = shown_frames(37, 30, 24)
    assert made.shape == (len(picks), 30, 40, 3) == (30, 30, 40, 3)
    for at in (0, 15, 16, 29):  # on both sides of a border between portions
        expected = Image.fromarray(pixels[picks[at]]).resize((40, 30), Image.Resampling.BICUBIC)
        assert np.abs(made[at].numpy() * 255 - np.asarray(expected)).max() < 1.6
    same, _ = run("ComfycVideoResample", images=frames, fps_in=24.0, fps_out=24.0)
    assert same is frames


def test_ends() -> None:
    torch = pytest.importorskip("torch", reason="torch is optional: pip install '.[nodes]'")
    from node_pack import run

    frames = torch.rand(5, 4, 6, 3)
    first, last, count = run("ComfycVideoEnds", images=frames)
    assert torch.equal(first[0], frames[0])
    assert torch.equal(last[0], frames[4])
    assert (first.shape, last.shape, count) == ((1, 4, 6, 3), (1, 4, 6, 3), 5)
