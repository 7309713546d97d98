"""How a run is shown: one live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

STRIDE: Final = 25
"""Percent between two plain lines about the same node."""


class View(Protocol):
    """Told of each step; a context manager that ends what is live on screen."""

    def show(self, percent: float, node: str, steps: str = "", eta_s: float | None = None) -> None:
        """`percent` 0–100; `node` being run; `steps` of that node, `3/20`; seconds left or None."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def view_for(console: Console) -> View:
    return LiveView(console) if console.is_terminal else LineView(console)


class LiveView:
    """A bar with the node, its steps, the percentage, the time taken and the time left."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", style="cyan"),
            BarColumn(bar_width=32),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[steps]:>7}", style="dim"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[eta]}", style="dim"),
            console=console,
        )
        self._task: TaskID | None = None

    def show(self, percent: float, node: str, steps: str = "", eta_s: float | None = None) -> None:
        label, left = f"{node:<18.18}", eta(eta_s)
        if self._task is None:
            self._task = self._progress.add_task(label, total=100, steps=steps, eta=left)
        self._progress.update(self._task, completed=percent, description=label, steps=steps, eta=left)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class LineView:
    """A line for each node, and for each quarter of a long one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: tuple[str, int] = ("", -1)

    def show(self, percent: float, node: str, steps: str = "", eta_s: float | None = None) -> None:
        now = (node, int(percent) // STRIDE)
        if now == self._said:
            return
        self._said = now
        parts = (f"{percent:3.0f}%", node, steps, eta(eta_s))
        self._console.print("  ".join(part for part in parts if part), soft_wrap=True, highlight=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def eta(seconds: float | None) -> str:
    """`ETA 1:05`, or nothing if it is not known."""
    if seconds is None:
        return ""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    return f"ETA {hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"ETA {rest // 60}:{rest % 60:02}"
