"""Facts of media are found in their bytes."""

from __future__ import annotations

import pytest
from pictures import SAMPLES, animation, picture, turned, video

from runner.store.probe import Facts, Unreadable, probe


@pytest.mark.parametrize(
    ("data", "facts"),
    [
        (picture(), Facts("image", "png", "image/png", 64, 48)),
        (picture(mode="RGBA"), Facts("image", "png", "image/png", 64, 48, alpha=True)),
        (picture(mode="LA"), Facts("image", "png", "image/png", 64, 48, alpha=True)),
        (picture("JPEG"), Facts("image", "jpg", "image/jpeg", 64, 48)),
        (turned(), Facts("image", "jpg", "image/jpeg", 48, 64)),
        (picture("WEBP"), Facts("image", "webp", "image/webp", 64, 48)),
        (animation(), Facts("image", "gif", "image/gif", 32, 32, 3)),
        (animation("WEBP"), Facts("image", "webp", "image/webp", 32, 32, 3)),
        (video(), Facts("video", "mp4", "video/mp4", 64, 48, 8, 16.0)),
    ],
    ids=lambda value: f"{value.ending}-{value.width}" if isinstance(value, Facts) else "",
)
def test_facts(data: bytes, facts: Facts) -> None:
    assert probe(data) == facts


@pytest.mark.parametrize(
    ("sample", "what"),
    [
        ("empty", "is empty"),
        ("text", "is no picture"),
        ("svg", "is no picture"),
        ("bmp", "is no picture"),
        ("truncated.png", "broken or truncated"),
        ("no-end.png", "broken or truncated"),
        ("truncated.jpg", "broken or truncated"),
        ("flipped.png", "broken or truncated"),
        ("short.png", "broken or truncated"),
        ("bomb.png", "64 million pixels"),
        ("wide.png", "64 million pixels"),
    ],
)
def test_unreadable(sample: str, what: str) -> None:
    with pytest.raises(Unreadable, match=what):
        probe(SAMPLES[sample]())


def test_a_truncated_video_is_refused() -> None:
    with pytest.raises(Unreadable):
        probe(video()[:300])
