"""What a run looks like, on a terminal and in a log; and the memory of how long runs take."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from runner.cli.timings import Timings
from runner.cli.view import LineView, LiveView, eta, view_for


def test_a_log_gets_a_line_for_each_node_and_each_quarter() -> None:
    out = io.StringIO()
    view = view_for(Console(file=out, width=40))
    assert isinstance(view, LineView)
    with view:
        view.show(0, "load_image")
        view.show(5, "sampler", "1/20", 20)
        view.show(10, "sampler", "2/20", 19)
        view.show(30, "sampler", "6/20", 15)
        view.show(99, "a_node_with_a_name_longer_than_the_line_is_wide")
    assert out.getvalue().splitlines() == [
        "  0%  load_image",
        "  5%  sampler  1/20  ETA 0:20",
        " 30%  sampler  6/20  ETA 0:15",
        " 99%  a_node_with_a_name_longer_than_the_line_is_wide",
    ]


def test_a_terminal_gets_one_live_bar() -> None:
    out = io.StringIO()
    view = view_for(Console(file=out, width=120, force_terminal=True))
    assert isinstance(view, LiveView)
    with view:
        view.show(40, "sampler_high", "8/20", 61)
    shown = out.getvalue()
    for part in ("sampler_high", "40%", "8/20", "ETA 1:01"):
        assert part in shown


@pytest.mark.parametrize(("seconds", "text"), [(None, ""), (-1, "ETA 0:00"), (59.6, "ETA 1:00"), (3661, "ETA 1:01:01")])
def test_eta(seconds: float | None, text: str) -> None:
    assert eta(seconds) == text


def test_timings_are_a_moving_average_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "data" / "timings.json"
    assert Timings(path).expected("wan2x/video sandbox") is None
    Timings(path).add("wan2x/video sandbox", 10)
    Timings(path).add("wan2x/video sandbox", 20)
    assert Timings(path).expected("wan2x/video sandbox") == 14
    path.write_text("not json")
    assert Timings(path).expected("wan2x/video sandbox") is None
