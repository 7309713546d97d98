"""What a node's message tells of who is to blame: `causes.yaml` has cause, message, and what the caller reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from runner.causes import CATEGORIES, blame
from runner.engine.base import Ending, Outcome
from runner.execute import RunFailed
from runner.failures import Fault, fault_of, job_error
from runner.job import Cause

ROWS = yaml.safe_load((Path(__file__).parent / "causes.yaml").read_text("utf-8"))


@pytest.mark.parametrize(("cause", "message", "told"), ROWS)
def test_the_message_tells_the_cause(cause: str, message: str, told: str | None) -> None:
    assert blame(message) == (Cause(cause), told or message)
    failed = RunFailed(Outcome(Ending.ERROR, node="call", node_type="X", exception_type="Exception", message=message))
    assert fault_of(failed) is Fault.NODE_ERROR  # none of them is retried
    error = job_error(failed)
    assert (error.cause, error.message, error.node, error.node_type) == (Cause(cause), told or message, "call", "X")


def test_every_category_of_our_nodes_is_known() -> None:
    text = (Path(__file__).parents[2] / "comfy_nodes/providers/errors.py").read_text("utf-8")
    words = {line.split('"')[1] for line in text.splitlines() if line.strip().startswith("category")}
    assert words
    assert words == set(CATEGORIES)


def test_memory_comes_before_words() -> None:
    outcome = Outcome(Ending.ERROR, message="CUDA out of memory", out_of_memory=True)
    assert job_error(RunFailed(outcome)).cause is Cause.OUT_OF_MEMORY
