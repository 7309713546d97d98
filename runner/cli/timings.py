"""How long each template took on each engine, for the ETA of `comfyc run`: one small JSON file in the data folder.

The numbers are a help, nothing more: a file that cannot be read or written is ignored.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, cast

WEIGHT: Final = 0.4
"""Of the newest run in the moving average."""


class Timings:
    """Seconds by template, engine and number of sampler steps, a moving average."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def expected(self, key: str) -> float | None:
        """Seconds that such a run takes, or None before the first."""
        return self._read().get(key)

    def add(self, key: str, seconds: float) -> None:
        """Takes a finished run into account."""
        known = self._read()
        before = known.get(key, seconds)
        known[key] = round(before + WEIGHT * (seconds - before), 3)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        except OSError:
            return

    def _read(self) -> dict[str, float]:
        try:
            data: Any = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        rows = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
        return {key: float(value) for key, value in rows.items() if isinstance(value, int | float)}
