"""Patches of models that may change nothing (all others need no code, see `generic`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.engine.sandbox.node import NodeContext, NodeResult
from runner.engine.sandbox.ops.generic import carrier, run_generic
from runner.engine.sandbox.ops.registry import op


@op("LoraLoader", "LoraLoaderModelOnly", raw=True)
def load_lora(inputs: Mapping[str, Any], context: NodeContext) -> NodeResult:
    """With all strengths 0 model and encoder come back as they were."""
    if inputs["strength_model"] or inputs.get("strength_clip"):
        return run_generic(context.schema.name, inputs, context)
    return NodeResult(tuple(carrier(type_, 0, inputs) for type_, _ in context.schema.outputs))
