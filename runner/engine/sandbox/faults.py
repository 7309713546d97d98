"""Faults on demand, deterministic for a seed: what engines and networks do to a client (see the table KINDS).

{"kind": "crash", "node": "KSampler", "times": 1, "chance": 0.5, "seconds": 2}
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, cast

KINDS: Final[Mapping[str, str]] = {
    "crash": "the process ends when a node begins; it is back after `seconds` where something restarts it",
    "kill_worker": "the worker thread dies: the prompt stays in queue_running for ever, HTTP goes on",
    "lose": "the prompt that runs vanishes: no message, no history",
    "drop_sockets": "every websocket is cut when a node begins",
    "deaf_socket": "the next socket that connects is sent its first status and then nothing more",
    "silence": "for `seconds`, no websocket frame is sent, then the stream goes on",
    "late_history": "a finished prompt is in no list for `seconds`, then in history",
    "out_of_memory": "execution_error of a CUDA allocation at the node, until POST /free",
    "device_fault": "execution_error of a broken CUDA context at every node from now on, until a restart",
    "error": "execution_error at the node, with `type` and `message`",
    "refuse": "the port is closed for `seconds`",
    "slow": "the answer to a request under `path` comes `seconds` late",
    "http_500": "a request under `path` is answered 500",
    "cut_before": "POST /prompt: the connection is cut and the prompt is not accepted",
    "cut_after": "POST /prompt: the prompt is accepted and the connection is cut before the answer",
    "empty_outputs": "a prompt whose outputs all come from the cache ends with empty outputs",
}
"""Kind of fault → what happens. A prompt id that is sent twice is accepted twice by every engine: no fault needed."""

NODE_KINDS: Final = (
    "crash",
    "kill_worker",
    "lose",
    "drop_sockets",
    "silence",
    "out_of_memory",
    "device_fault",
    "error",
)
"""Faults that strike when a node begins."""

OOM_TYPE: Final = "torch.OutOfMemoryError"
OOM_TEXT: Final = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.64 GiB of which 1.20 GiB is "
    "free. Including non-PyTorch memory, this process has 22.43 GiB memory in use."
)
DEVICE_TYPE: Final = "torch.AcceleratorError"
DEVICE_TEXT: Final = (
    "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be asynchronously reported at "
    "some other API call, so the stacktrace below might be incorrect."
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: where, how often and how likely it strikes."""

    kind: str
    node: str = ""
    """A node id or a class name; empty: any node."""
    path: str = ""
    """For HTTP faults: the start of the path; empty: any."""
    times: int = 1
    """How often it strikes; 0: always."""
    chance: float = 1.0
    """The likelihood at each occasion, drawn from the seed."""
    seconds: float = 0.0
    type: str = "RuntimeError"
    message: str = "a fault made on purpose"


_FIELDS: Final[Mapping[str, tuple[type, ...]]] = {
    "kind": (str,),
    "node": (str,),
    "path": (str,),
    "times": (int,),
    "chance": (int, float),
    "seconds": (int, float),
    "type": (str,),
    "message": (str,),
}


class BadFault(ValueError):
    """A fault that does not exist or has wrong fields; the message says which."""


def parse_fault(data: Any) -> Fault:
    """A Fault from JSON.

    Errors: BadFault.
    """
    if not isinstance(data, dict) or "kind" not in data:
        raise BadFault(f"a fault is an object with a kind: {', '.join(KINDS)}")
    given = cast("dict[str, Any]", data)
    if given["kind"] not in KINDS:
        raise BadFault(f"unknown kind {given['kind']!r}; there are {', '.join(KINDS)}")
    for name, value in given.items():
        wanted = _FIELDS.get(name)
        if wanted is None:
            raise BadFault(f"unknown field {name!r}; there are {', '.join(_FIELDS)}")
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise BadFault(f"{name} must be of type {wanted[-1].__name__}")
    return Fault(**given)


class Faults:
    """The faults of one sandbox. Safe to use from its loop and its worker thread."""

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 (faults repeat for a seed)
        self._left: list[tuple[Fault, int]] = [(fault, fault.times) for fault in faults]
        self._silent_until = 0.0
        self.starved = False
        """Out of memory until /free."""
        self.broken = ""
        """The text of a device fault that lasts until the process ends."""

    def add(self, faults: Iterable[Fault], *, seed: int | None = None) -> None:
        with self._lock:
            if seed is not None:
                self._random.seed(seed)
            self._left += [(fault, fault.times) for fault in faults]

    def clear(self) -> None:
        with self._lock:
            self._left.clear()
            self._silent_until, self.starved, self.broken = 0.0, False, ""

    def rebooted(self) -> None:
        """The process is a new one: what lived in its memory is gone; the faults that wait are not."""
        self._silent_until, self.starved, self.broken = 0.0, False, ""

    def listing(self) -> list[dict[str, Any]]:
        """Those that may still strike, with the times left (0: always)."""
        with self._lock:
            return [{**asdict(fault), "times": left} for fault, left in self._left]

    def take(self, *kinds: str, node: tuple[str, str] = ("", ""), path: str = "") -> Fault | None:
        """The fault of one of these kinds that strikes here, if any; it is used up."""
        if not self._left:
            return None
        with self._lock:
            for index, (fault, left) in enumerate(self._left):
                if fault.kind not in kinds or not _strikes(fault, node, path):
                    continue
                if fault.chance < 1.0 and self._random.random() >= fault.chance:
                    continue
                if left == 1:
                    del self._left[index]
                elif left > 1:
                    self._left[index] = (fault, left - 1)
                return fault
        return None

    def hush(self, seconds: float) -> None:
        """No websocket frame for a while."""
        self._silent_until = time.monotonic() + seconds

    def silent(self) -> bool:
        return self._silent_until > 0.0 and time.monotonic() < self._silent_until


def _strikes(fault: Fault, node: tuple[str, str], path: str) -> bool:
    return (not fault.node or fault.node in node) and path.startswith(fault.path)
