"""What the pool knows of one engine, as a frozen value: all that a scheduler may choose by."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from compiler.catalog import Catalog
from runner.engine.base import Engine, Health

SLOTS: Final = 2
"""Prompts that one instance holds: one runs and one waits, so that the device never idles between jobs."""


class Standing(StrEnum):
    """Whether an instance takes new work."""

    STARTING = "starting"  # never answered yet
    READY = "ready"
    DOWN = "down"  # it does not answer
    DRAINING = "draining"  # finishes what it has, takes nothing new
    LATCHED = "latched"  # its device failed: it must be restarted first


@dataclass(frozen=True, slots=True)
class Instance:
    """A snapshot of one engine. `engine` is for whoever got it from a lease; a chooser reads the rest."""

    name: str
    engine: Engine = field(repr=False)
    standing: Standing = Standing.STARTING
    health: Health = Health.REFUSED
    boot: str = ""
    catalog: Catalog | None = field(default=None, repr=False)
    """None until the instance answered once."""
    held: int = 0
    """Prompts that we have there, running or waiting."""
    slots: int = SLOTS
    warm: frozenset[str] = frozenset()
    """Model files of the last prompt: most likely still loaded."""
    avoided: frozenset[str] = frozenset()
    """Model files that failed here lately: better elsewhere, until they expire."""
    why: str = ""
    """The reason for a standing that is not READY, safe to show."""

    @property
    def free(self) -> int:
        """Slots that a lease could take now."""
        return max(0, self.slots - self.held) if self.standing is Standing.READY else 0
