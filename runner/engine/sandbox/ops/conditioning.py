"""Conditionings that are more than a text and its patches (those need no code, see `generic`)."""

from __future__ import annotations

from dataclasses import replace

from runner.engine.sandbox.ops.registry import op
from runner.engine.sandbox.ops.values import Conditioning, digest


@op("ConditioningZeroOut")
def zero_out(conditioning: Conditioning) -> Conditioning:
    """Zeros say nothing of the text that they came from."""
    return replace(conditioning, text="", digest=digest("zero", conditioning.references, conditioning.guides))
