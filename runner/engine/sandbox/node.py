"""The border between the sandbox's scheduler (order, cache, events) and its node implementations in `ops/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compiler.catalog import Catalog, NodeSchema


class NodeFailure(Exception):
    """A node raised: becomes execution_error with this exception type and message."""

    def __init__(self, exception_type: str, message: str) -> None:
        super().__init__(message)
        self.exception_type = exception_type


class Interrupted(Exception):
    """The run was interrupted: raised by `NodeContext.progress` and between nodes."""


@dataclass(frozen=True)
class NodeContext:
    """What a node may use while it runs. Runs in the sandbox's one worker thread, like ComfyUI's."""

    node_id: str
    schema: NodeSchema
    catalog: Catalog
    input_dir: Path
    output_dir: Path
    temp_dir: Path
    prompt: Mapping[str, Any]
    """The whole prompt as submitted (it goes into PNG text chunks)."""
    extra_pnginfo: Mapping[str, Any] | None
    progress: Callable[[float, float, bytes | None], None]
    """(value, maximum, JPEG preview or None): reports a step; raises Interrupted when the run was interrupted."""
    sleep: Callable[[float], None]
    """Waits that many seconds, less if interrupted; what a sampler step 'costs' on the sandbox."""
    step_seconds: float = 0.02
    """Time that one sampler step takes."""
    keyed: bool = False
    """Whether the prompt came with a key for partner nodes."""


@dataclass(frozen=True)
class NodeResult:
    """A node's outputs, one value for each slot, and what it shows (`executed.output`)."""

    outputs: tuple[Any, ...]
    ui: Mapping[str, Any] | None = None
    list_outputs: tuple[bool, ...] = field(default_factory=tuple)
    """True for a slot whose value is a LIST: consumers run once for each item."""


RunNode = Callable[[str, Mapping[str, Any], NodeContext], NodeResult]
"""(class name, input values, context) → result; raises NodeFailure or Interrupted."""
