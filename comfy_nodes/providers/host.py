"""The program that a call runs in: ComfyUI with its progress bar and its interrupt, or any Python."""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any

STEPS = 1000
"""Of the progress bar."""
_SLICE = 0.2


class ComfyHost:
    """ComfyUI, where it is there; else time alone."""

    def __init__(self) -> None:
        self._management = _module("comfy.model_management")
        utils = _module("comfy.utils")
        self._bar = utils.ProgressBar(STEPS) if utils else None

    def now(self) -> float:
        """Seconds of a clock that only goes on."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Waits; an interrupt is noticed within a fifth of a second."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(_SLICE, left))

    def check(self) -> None:
        """Errors: ComfyUI's InterruptProcessingException, if somebody has asked for it."""
        if self._management:
            self._management.throw_exception_if_processing_interrupted()

    def progress(self, share: float) -> None:
        """How far the work is, 0 to 1."""
        if self._bar:
            self._bar.update_absolute(round(share * STEPS), STEPS)


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None
