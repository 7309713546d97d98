"""The nodes of comfyc's own pack that need neither weights nor keys: the pack itself runs, where torch is installed.

Without torch they give placeholders of the right shape (plain.py), and the log says so once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import structlog

from runner.engine.sandbox import pack
from runner.engine.sandbox.node import NodeContext
from runner.engine.sandbox.ops import comfyc_plain
from runner.engine.sandbox.ops.registry import op

log = structlog.get_logger(__name__)

KINDS: Final = tuple(comfyc_plain.PLAIN)


@op(*KINDS)
def own(inputs: Mapping[str, Any], context: NodeContext) -> tuple[Any, ...]:
    """The outputs of a class of the pack."""
    kind = context.schema.name
    if pack.has_torch():
        return pack.run(kind, inputs)
    _say_so()
    return comfyc_plain.PLAIN[kind](inputs)


@cache
def _say_so() -> None:
    log.warning("comfyc's own nodes give placeholders in the sandbox: torch is not installed")
