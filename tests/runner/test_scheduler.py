"""assign: one table of situations, in words and numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.scheduler import Place, Waiting, assign

WAN, SDXL = frozenset({"wan.safetensors"}), frozenset({"sdxl.safetensors"})


def job(number: int, tenant: str = "a", *, files: frozenset[str] = WAN, since: float = 0.0, **more: object) -> Waiting:
    return Waiting(f"j{number}", tenant, number, since, files=files, **more)  # type: ignore[arg-type]


def place(name: str, free: int = 2, **more: object) -> Place:
    return Place(name, free, **more)  # type: ignore[arg-type]


CASES = {
    "nobody waits": ([], [place("x")], ""),
    "no slot is free": ([job(1)], [place("x", 0)], ""),
    "the oldest first": ([job(2), job(1)], [place("x", 1)], "j1>x"),
    "higher priority first": ([job(1), job(2, priority=1)], [place("x", 1)], "j2>x"),
    "the emptiest instance": ([job(1)], [place("x", 1), place("y", 2)], "j1>y"),
    "of idle ones, the one with its models": ([job(1)], [place("x", loaded=SDXL), place("y", loaded=WAN)], "j1>y"),
    "an idle one before one that works": ([job(1)], [place("x", 1, loaded=WAN), place("y", 2)], "j1>y"),
    "tenants in turn": (
        [job(1, "a"), job(2, "a"), job(3, "b"), job(4, "a")],
        [place("x", 2), place("y", 2)],
        "j1>x j3>y j2>x j4>y",
    ),
    "who runs much waits": ([job(1, "a"), job(2, "b")], [place("x", 1, tenants=("a",))], "j2>x"),
    "one with loaded models goes before": (
        [job(1, files=SDXL), job(2, files=WAN)],
        [place("x", 1, loaded=WAN)],
        "j2>x",
    ),
    "but not before who has waited long": (
        [job(1, files=SDXL, since=-31.0), job(2, files=WAN)],
        [place("x", 1, loaded=WAN)],
        "j1>x",
    ),
    "nor from a lower priority": (
        [job(1, files=SDXL, priority=1), job(2, files=WAN)],
        [place("x", 1, loaded=WAN)],
        "j1>x",
    ),
    "nor from beyond the look-ahead": (
        [*(job(number, files=SDXL) for number in range(1, 10)), job(10, files=WAN)],
        [place("x", 1, loaded=WAN)],
        "j1>x",
    ),
    "at the edge of the look-ahead": (
        [*(job(number, files=SDXL) for number in range(1, 9)), job(10, files=WAN)],
        [place("x", 1, loaded=WAN)],
        "j10>x",
    ),
    "a joined job goes where its prompt is": ([job(1, only="y")], [place("x", 2), place("y", 1)], "j1>y"),
    "and waits for it": ([job(1, only="y"), job(2)], [place("x", 1), place("y", 0)], "j2>x"),
    "not where it failed": ([job(1, avoid=frozenset({"x"}))], [place("x", 2), place("y", 1)], "j1>y"),
    "it waits for the other": ([job(1, avoid=frozenset({"x"}))], [place("x", 2), place("y", 0)], ""),
    "unless there is no other": ([job(1, avoid=frozenset({"x"}))], [place("x", 1)], "j1>x"),
    "not where its model failed": ([job(1)], [place("x", 2, avoided=WAN), place("y", 1)], "j1>y"),
    "another model may go there": ([job(1, files=SDXL)], [place("x", 2, avoided=WAN), place("y", 1)], "j1>x"),
    "models follow the first job": (
        [job(1, files=WAN), job(2, files=SDXL), job(3, files=WAN), job(4, files=SDXL)],
        [place("x", 2), place("y", 2)],
        "j1>x j2>y j3>x j4>y",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_table(case: str) -> None:
    waiting, places, expected = CASES[case]
    made = assign(waiting, places, 0.0)
    assert " ".join(f"{one.job_id}>{one.instance}" for one in made) == expected


jobs = st.builds(
    lambda number, tenant, files, since, priority: job(number, tenant, files=files, since=since, priority=priority),
    st.integers(1, 10**6),
    st.sampled_from("abc"),
    st.sampled_from([WAN, SDXL, frozenset[str]()]),
    st.floats(-60, 0),
    st.integers(-2, 2),
)
places = st.builds(
    lambda name, free, loaded: place(name, free, loaded=loaded),
    st.sampled_from("xyz"),
    st.integers(0, 2),
    st.sampled_from([WAN, SDXL]),
)


@given(
    st.lists(jobs, max_size=20, unique_by=lambda one: one.number),
    st.lists(places, max_size=3, unique_by=lambda one: one.name),
)
def test_no_slot_is_left_empty_and_none_used_twice(waiting: list[Waiting], free: list[Place]) -> None:
    made = assign(waiting, free, 0.0)
    assert len(made) == min(len(waiting), sum(one.free for one in free))
    assert len({one.job_id for one in made}) == len(made)
    for one in free:
        assert sum(two.instance == one.name for two in made) <= one.free
    assert made == assign(list(reversed(waiting)), free, 0.0)
