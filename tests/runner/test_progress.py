"""Percent, node and ETA from engine events."""

from __future__ import annotations

from itertools import pairwise

import pytest

from runner.engine.base import Began, Cached, EngineEvent, NodeBegan, NodeOutput, NodeProgress, Queued
from runner.events import NodeChanged, Progressed
from runner.progress import EVERY_S, Progress

P = "prompt"
NODES = ["load", "high", "low", "decode", "save"]
STEPS = {"high": 4, "low": 16}


def percent(progress: Progress, *events: EngineEvent) -> float:
    for event in events:
        progress.take(event, 0.0)
    return round(100 * progress.share, 1)


def test_two_samplers_count_by_their_steps() -> None:
    progress = Progress(STEPS, NODES)
    assert percent(progress, Began(P), NodeBegan(P, "load"), NodeBegan(P, "high")) == 3.3  # a third of a tenth
    assert percent(progress, NodeProgress(P, "high", 4, 4)) == 21.3  # and a fifth of nine tenths
    assert percent(progress, NodeProgress(P, "low", 8, 16)) == 57.3
    assert percent(progress, NodeBegan(P, "decode"), NodeBegan(P, "save"), NodeOutput(P, "save", ())) == 64.0
    assert percent(progress, NodeProgress(P, "low", 16, 16, done=True)) == 64.0 + 0 or progress.share <= 1


def test_a_graph_without_samplers_counts_nodes() -> None:
    progress = Progress({}, ["load", "scale", "save", "other"])
    assert percent(progress, Began(P), NodeBegan(P, "load"), NodeBegan(P, "scale")) == 25.0


def test_cached_nodes_are_done() -> None:
    assert percent(Progress(STEPS, NODES), Began(P), Cached(P, ("load", "high"))) == 21.3


def test_it_never_falls_and_ignores_strangers() -> None:
    progress = Progress(STEPS, NODES)
    assert percent(progress, NodeProgress(P, "low", 8, 16)) == 36.0
    assert percent(progress, NodeProgress(P, "low", 1, 16), NodeProgress(P, "stranger", 1, 1)) == 36.0
    assert percent(progress, NodeProgress(P, "low", 0, 0)) == 36.0


def test_updates_come_at_most_twice_a_second_and_nodes_at_once() -> None:
    progress = Progress(STEPS, NODES)
    told = [progress.take(NodeProgress(P, "low", step, 16), step * 0.1) for step in range(1, 17)]
    times = [step * 0.1 for step, event in enumerate(told, 1) if event is not None]
    assert all(isinstance(event, Progressed) for event in told if event is not None)
    assert all(after - before >= EVERY_S - 1e-9 for before, after in pairwise(times))
    assert len(times) == 4
    assert progress.take(NodeBegan(P, "decode"), 1.61) == NodeChanged("decode")
    assert progress.take(NodeBegan(P, "decode"), 1.62) is None


def test_what_says_nothing_of_the_run_is_silent() -> None:
    assert Progress(STEPS, NODES).take(Queued(P, 3), 0.0) is None


@pytest.mark.parametrize(
    ("expected", "done", "elapsed", "eta"),
    [
        (None, 0, 5.0, None),  # nothing is known
        (None, 8, 9.0, 16.0),  # 36 % took 9 s
        (100.0, 0, 0.0, 100.0),  # history alone
        (100.0, 8, 36.0, 64.0),  # both agree
        (200.0, 8, 36.0, 0.64 * 128 + 0.36 * 64),  # they disagree: weighted by what is done
    ],
)
def test_eta(expected: float | None, done: int, elapsed: float, eta: float | None) -> None:
    progress = Progress(STEPS, NODES, expected)
    progress.take(Began(P), 100.0)
    if done:
        progress.take(NodeProgress(P, "low", done, 16), 100.0)
    found = progress.eta(100.0 + elapsed)
    assert found == (None if eta is None else pytest.approx(eta))


def test_eta_leaves_out_what_was_cached() -> None:
    progress = Progress(STEPS, NODES)
    progress.take(Began(P), 0.0)
    progress.take(Cached(P, ("load", "high")), 0.0)
    progress.take(NodeProgress(P, "low", 8, 16), 10.0)
    assert progress.eta(10.0) == pytest.approx(10 * (1 - 0.457627) / 0.457627, rel=0.01)
