"""The two ways in which a command can end badly."""

from __future__ import annotations

from compiler.errors import ComfycError


class InputError(ComfycError):
    """A file or an argument is wrong: exit code 2."""


class WorkFailed(ComfycError):
    """The input was right, and the work failed: exit code 1."""
