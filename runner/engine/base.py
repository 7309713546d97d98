"""The seam between comfyc and whatever runs graphs: one protocol, kept by the ComfyUI client.

An engine is one instance: one ComfyUI process (attached or managed) or one sandbox. All three are reached through
ComfyUI's own HTTP and websocket protocol, so one implementation (`client.ComfyClient`) serves them all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from compiler.catalog import Catalog


class Where(StrEnum):
    """What the engine's own lists say of a prompt."""

    PENDING = "pending"
    RUNNING = "running"
    FINISHED = "finished"  # in history; says nothing of success
    UNKNOWN = "unknown"


class Health(StrEnum):
    """Liveness has three values: model loading may silence an engine for a minute (RUNNER-RULES 6)."""

    ALIVE = "alive"
    BUSY = "busy"  # connected, but does not answer
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class EngineFile:
    """A file that an engine has made: the triple that /view takes."""

    filename: str
    subfolder: str = ""
    type: str = "output"


@dataclass(frozen=True, slots=True)
class Submission:
    """One prompt to run. The prompt_id is chosen and stored before it is sent."""

    prompt_id: str
    prompt: Mapping[str, Any] = field(repr=False)
    extra_data: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """May hold partner keys (`api_key_comfy_org`): this is their only place, and no log or message shows it."""
    number: float | None = None
    """ComfyUI's queue number, lower first; None lets the engine count."""
    fresh: bool = False
    """True only where this prompt_id has surely never been sent: saves the look-up before POST."""


class EngineError(Exception):
    """Base of what an engine can answer instead of a result. The message is safe to show."""


class EngineUnreachable(EngineError):
    """No answer: connection refused, reset or timed out. Nothing is known of the prompt."""


class PromptRefused(EngineError):
    """POST /prompt answered 400, or 200 with node_errors: the graph is wrong for this engine; never retried."""

    def __init__(self, message: str, error: Mapping[str, Any], node_errors: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.error, self.node_errors = error, node_errors


class PromptLost(EngineError):
    """The prompt is in no list of the engine any more: it restarted, or somebody deleted it."""


# --- what happens while a prompt runs --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Queued:
    """Waiting at the engine; `position` counts the prompts before it."""

    prompt_id: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class Began:
    """execution_start."""

    prompt_id: str


@dataclass(frozen=True, slots=True)
class Cached:
    """execution_cached: these nodes will not run."""

    prompt_id: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """One node's own progress, `value` of `maximum` steps; `done` when it has ended."""

    prompt_id: str
    node: str
    value: float
    maximum: float
    done: bool = False


@dataclass(frozen=True, slots=True)
class NodeBegan:
    """executing: this node runs now."""

    prompt_id: str
    node: str


@dataclass(frozen=True, slots=True)
class NodeOutput:
    """executed: a node with UI output is done."""

    prompt_id: str
    node: str
    files: tuple[EngineFile, ...]
    text: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture of the work in progress (binary frame 1 or 4)."""

    prompt_id: str
    node: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """Progress text of a node (binary frame 3)."""

    node: str
    text: str
    prompt_id: str = ""


EngineEvent = Queued | Began | Cached | NodeBegan | NodeProgress | NodeOutput | Preview | Note


# --- how a prompt ends -----------------------------------------------------------------------------------------


class Ending(StrEnum):
    SUCCESS = "success"
    ERROR = "error"  # a node raised
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a prompt, as the engine's history has it."""

    ending: Ending
    files: Mapping[str, tuple[EngineFile, ...]] = field(default_factory=dict[str, "tuple[EngineFile, ...]"])
    """Files by node id, of every output key (images, videos, gifs, audio, 3d, files…)."""
    text: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    node: str = ""
    node_type: str = ""
    exception_type: str = ""
    message: str = ""
    """Redacted: no path of the engine's machine, no input values."""
    out_of_memory: bool = False
    device_fault: bool = False
    """A fault of the device or its driver: this instance must be restarted."""
    hollow: bool = False
    """Success, but every output came from the engine's cache and nothing is listed: `forget` the prompt and run it
    again with a changed nonce."""


class Engine(Protocol):
    """One instance that runs graphs. Raises only the errors above."""

    @property
    def name(self) -> str:
        """Unique among the engines of this process, for logs: `sandbox-0`, `127.0.0.1:8188`."""
        ...

    async def health(self) -> Health: ...

    async def boot_id(self) -> str:
        """Changes when the engine's process is another one: its queue and history are gone then."""
        ...

    async def catalog(self) -> Catalog:
        """What this instance offers, from /object_info; kept until the boot changes."""
        ...

    async def upload(self, name: str, data: bytes, *, content_type: str) -> str:
        """Puts a file into the input folder; `name` may hold a subfolder. Returns the name to write in a graph."""
        ...

    def run(self, submission: Submission) -> AsyncIterator[EngineEvent | Outcome]:
        """Submits, or joins if the engine already knows the prompt_id; yields events and at last the Outcome.

        Raises PromptRefused, PromptLost or EngineUnreachable.
        """
        ...

    async def where(self, prompt_id: str) -> Where: ...

    async def cancel(self, prompt_id: str) -> bool:
        """Takes the prompt from the queue or interrupts it, and only it. True once it is gone or ended."""
        ...

    def fetch(self, file: EngineFile) -> AsyncIterator[bytes]:
        """The bytes of an output file, in pieces."""
        ...

    async def forget(self, prompt_id: str) -> None:
        """Deletes the prompt's history entry; its files stay."""
        ...

    async def free(self) -> None:
        """Asks the engine to unload models and empty its cache (done between prompts)."""
        ...

    async def close(self) -> None: ...
