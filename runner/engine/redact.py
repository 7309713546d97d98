"""What an engine says, made safe to show: no path of its machine, no input value, no key, no traceback.

Also the texts by which a failure of memory or of the device is told from a failure of the graph.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

LIMIT: Final = 600
"""Characters of a message that are kept."""

_SEGMENT: Final = r"[^\s/\\'\"<>|:]+(?: [^\s/\\'\"<>|:]+){0,3}"
_POSIX: Final = re.compile(rf"(?<![\w:/.\\~)-])~?/(?:{_SEGMENT}/)+")
_WINDOWS: Final = re.compile(rf"(?:(?<![A-Za-z])[A-Za-z]:[\\/]+|\\\\+(?=\w))(?:{_SEGMENT}[\\/]+)*")
_FRAMES: Final = re.compile(r"^(?:Traceback \(most recent call last\):.*|\s*File \".*\", line \d+.*)$", re.MULTILINE)
_FILE_NAME: Final = re.compile(r"[^\s]{1,120}\.[A-Za-z0-9]{2,12}")
_SHORTEST_VALUE: Final = 8
_LEAKS: Final = frozenset({"traceback", "current_inputs", "current_outputs"})

OUT_OF_MEMORY: Final = re.compile(
    r"out of memory"  # CUDA, HIP, MPS and XPU all say so; ComfyUI's own "Allocation on device" too
    r"|Allocation on device"
    r"|OutOfMemoryError"
    r"|not enough memory: you tried to allocate"  # torch's CPU allocator on Windows
    r"|DefaultCPUAllocator: can't allocate memory"
    r"|Unable to allocate .{1,40} for an array"  # numpy
    r"|(?:CUBLAS|HIPBLAS|CUDNN|CUSPARSE)_STATUS_ALLOC_FAILED"
    r"|ran out of memory",
    re.IGNORECASE,
)
DEVICE_FAULT: Final = re.compile(
    r"illegal memory access"
    r"|illegal instruction was encountered"
    r"|device-side assert"
    r"|unspecified launch failure"
    r"|misaligned address"
    r"|uncorrectable (?:ECC|NVLink) error"
    r"|launch timed out and was terminated"
    r"|CUDA (?:driver )?error: (?:unknown error|initialization error|device not ready|invalid device context"
    r"|driver shutting down|context is destroyed|hardware stack error|an exception occurred on the device)"
    r"|(?:CUBLAS|HIPBLAS)_STATUS_(?:EXECUTION_FAILED|NOT_INITIALIZED|INTERNAL_ERROR)"
    r"|CUDNN_STATUS_(?:EXECUTION_FAILED|INTERNAL_ERROR)"
    r"|no (?:CUDA-capable|HIP-capable) device"
    r"|No CUDA GPUs are available"
    r"|fallen off the bus|GPU is lost|device (?:was )?lost"
    r"|hipError(?:IllegalAddress|LaunchFailure|Unknown)|HSA_STATUS_ERROR",
    re.IGNORECASE,
)


def out_of_memory(exception_type: str, message: str) -> bool:
    """True for a failure that less load on the device may cure: `/free` and try again, or a larger instance."""
    return exception_type == "MemoryError" or bool(OUT_OF_MEMORY.search(f"{exception_type}: {message}"))


def device_fault(exception_type: str, message: str) -> bool:
    """True for a fault after which this process can use its device no more: it must be restarted."""
    return bool(DEVICE_FAULT.search(f"{exception_type}: {message}"))


def redact(message: str, values: Iterable[str] = ()) -> str:
    """`Failed on /home/u/ComfyUI/models/vae/x.pt` → `Failed on …/x.pt`; input values become `[input]`.

    A short value or a bare file name stays: the reader needs it, and it tells nothing of other people.
    """
    for value in sorted({*values}, key=len, reverse=True):
        if len(value) >= _SHORTEST_VALUE and not _FILE_NAME.fullmatch(value):
            message = message.replace(value, "[input]").replace(repr(value)[1:-1], "[input]")
    message = _FRAMES.sub("", message)
    message = _WINDOWS.sub("…/", _POSIX.sub("…/", message))
    message = "\n".join(line.rstrip() for line in message.splitlines() if line.strip()).strip()
    return message if len(message) <= LIMIT else f"{message[:LIMIT]}…"


def scrub(value: Any) -> Any:
    """A JSON value of the engine (an error, node_errors) without tracebacks, inputs and paths; its shape is kept."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        items = cast("Mapping[str, Any]", value).items()
        return {key: scrub(item) for key, item in items if key not in _LEAKS}
    return [scrub(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value
