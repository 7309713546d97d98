"""What can go wrong with a call out of ComfyUI. Every message begins with `[comfyc:<category>]`.

    CallError                     provider     the other side failed, or answered something that nobody understands
    ├─ KeyMissing                 key          a key is not in the environment, or is refused
    ├─ BadInput                   input        payload, pictures or sizes that the provider cannot take
    ├─ Moderated                  moderation   refused for what it shows or asks
    ├─ OutOfQuota                 quota        no credits left, or too many calls for too long
    ├─ TooSlow                    timeout      not done within the node's timeout
    └─ LibraryMissing             library      an optional library or weights file is not installed

ComfyUI puts message and class into `execution_error`; the prefix is stable, so that whoever reads it needs no table of
class names. Messages never hold a key, a header or a picture.
"""

from __future__ import annotations

from typing import ClassVar


class CallError(RuntimeError):
    """The other side failed, or answered something that nobody understands."""

    category: ClassVar[str] = "provider"

    def __init__(self, message: str) -> None:
        super().__init__(f"[comfyc:{self.category}] {message}")
        self.text = message
        """Without the prefix."""


class KeyMissing(CallError):
    """A key is not in ComfyUI's environment, or the other side refuses it."""

    category = "key"


class BadInput(CallError):
    """Payload, pictures or sizes that the other side cannot take."""

    category = "input"


class Moderated(CallError):
    """Refused for what it shows or asks."""

    category = "moderation"


class OutOfQuota(CallError):
    """No credits left, or too many calls for too long."""

    category = "quota"


class TooSlow(CallError):
    """Not done within the node's timeout."""

    category = "timeout"


class LibraryMissing(CallError):
    """An optional library or weights file is not installed."""

    category = "library"
