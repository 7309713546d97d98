"""Where pictures are placed for a wish: a table of cases, and what holds for all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from comfy_nodes.ops.placement import Box, Margins, Wish, aspect_of, placed

TABLE = yaml.safe_load((Path(__file__).parent / "placements.yaml").read_text())
sides = st.integers(1, 3000)
aspects = st.floats(0.2, 5)


def wish_of(case: dict[str, Any]) -> tuple[Wish, Box | None]:
    facts = dict(case["wish"])
    margins = Margins(**facts.pop("margins", {}))
    return Wish(**facts, margins=margins), Box(*case["subject"]) if "subject" in case else None


@pytest.mark.parametrize("name", TABLE)
def test_table(name: str) -> None:
    case = TABLE[name]
    wish, subject = wish_of(case)
    if "fault" in case:
        with pytest.raises(ValueError, match=case["fault"]):
            placed(wish, *case["of"], subject, wish.margins)
        return
    place = placed(wish, *case["of"], subject, wish.margins)
    if case["place"] is None:
        assert place is None
        return
    assert place
    x, y, wide, high, width, height = case["place"]
    assert (place.x, place.y, place.wide, place.high) == pytest.approx((x, y, wide, high), abs=0.6)
    assert (place.width, place.height) == (width, height)


@settings(max_examples=200, derandomize=True)
@given(sides, sides, aspects, st.sampled_from(["crop", "pad", "scale", "auto"]), st.floats(0, 1))
def test_the_window_has_the_aspect_ratio(width: int, height: int, aspect: float, mode: str, proportion: float) -> None:
    assume(min(width, height) >= 20)
    place = placed(Wish(mode, aspect=aspect, proportion=proportion), width, height, None, Margins())
    if place is None:
        assert width / height == pytest.approx(aspect)
        return
    # whole pixels: off by no more than one of them
    assert abs(place.width - place.height * aspect) <= 0.5 + aspect * 0.5 + 1e-6
    if mode == "crop":
        assert place.x >= -1
        assert place.x + place.wide <= width + 1
        assert max(place.width / width, place.height / height) == pytest.approx(1, abs=0.06)
    if mode == "pad":
        assert place.x <= 1
        assert place.x + place.wide >= width - 1
    assert place.across(width).high - place.across(width).low >= 1


@settings(max_examples=200, derandomize=True)
@given(
    st.tuples(st.integers(50, 900), st.integers(50, 900)),
    st.tuples(*[st.floats(0, 0.4)] * 4),
    st.sampled_from(["crop", "pad", "auto"]),
    st.tuples(st.integers(100, 900), st.integers(100, 900)),
    st.tuples(*[st.floats(0, 1)] * 4),
)
def test_margins_are_kept(
    size: tuple[int, int], wanted: tuple[float, ...], mode: str, target: tuple[int, int], where: tuple[float, ...]
) -> None:
    assume(any(wanted))
    subject = Box(
        *(where[0] * size[0] * 0.4, where[1] * size[1] * 0.4),
        *(size[0] * (0.5 + where[2] / 2), size[1] * (0.5 + where[3] / 2)),
    )
    margins = Margins(*wanted)
    place = placed(Wish(mode, width=target[0], height=target[1], margins=margins), *size, subject, margins)
    if place is None:
        return
    got = Box(subject.x0 - place.x, subject.y0 - place.y, subject.x1 - place.x, subject.y1 - place.y).margins(
        place.wide, place.high
    )  # type: ignore[arg-type]
    for name in ("top", "right", "bottom", "left"):
        assert getattr(got, name) >= getattr(margins, name) - 1e-6, name


@pytest.mark.parametrize(
    ("text", "aspect"),
    [("", 0), ("  ", 0), ("3:4", 0.75), ("3/4", 0.75), (" 1.5 ", 1.5), ("1.91:1", 1.91), ("16 x 9", 16 / 9)],
)
def test_aspect_ratios(text: str, aspect: float) -> None:
    assert aspect_of(text) == pytest.approx(aspect)


@pytest.mark.parametrize("text", ["wide", "0", "3:0", "-1", "1:2:3", "1e9", "1000:1", "nan"])
def test_what_is_no_aspect_ratio(text: str) -> None:
    with pytest.raises(ValueError, match=r"aspect_ratio: .* is no aspect ratio\. Write"):
        aspect_of(text)
