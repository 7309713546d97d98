"""Text areas that instances share: ComfyUI's page has one for the inner widget and shows it in every instance that
promotes it, at any depth, so that all of them send the text that was loaded last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from compiler.errors import Fault
from compiler.workflow.load import Workflow
from compiler.workflow.model import Widget


class SharedTexts:
    """The text areas of one workflow, each with all widgets that show it."""

    def __init__(self, workflow: Workflow) -> None:
        self._shown: dict[int, list[Widget]] = {}
        self._area: dict[int, int] = {}
        for widget in _promoted(workflow):
            inner = _innermost(widget)
            self._shown.setdefault(id(inner), [inner]).append(widget)
            self._area[id(widget)] = id(inner)

    def load(self, workflow: Workflow) -> None:
        """Gives all the text that the file gives last, and says where that loses another."""
        for shown in self._shown.values():
            given = [widget for widget in shown if widget.given]
            if not given:
                continue
            last = given[-1]
            if any(widget.value != last.value for widget in given):
                what = f"the page has one text for {last.name!r} of all instances of a subgraph and sends the last one"
                cure = "Make the subgraphs independent of each other in ComfyUI"
                workflow.findings.append(Fault(f"text {str(last.value)[:40]!r}", what, cure, "lost"))
            self.write(last, last.value)

    def write(self, widget: Widget, value: Any) -> None:
        """What is written into one of the widgets is in all of them."""
        widget.value = value
        for twin in self._shown.get(self._area.get(id(widget), 0), ()):
            twin.value = value


def _promoted(workflow: Workflow) -> Iterator[Widget]:
    """The text areas of all instances, in the order in which the page loads them."""
    for scope in (*workflow.scopes.values(), workflow.root):
        for knot in scope.nodes.values():
            for widget in knot.widgets if knot.inner is not None and not knot.inner.group else ():
                if widget.spec.spec is not None and widget.spec.spec.options.get("multiline"):
                    yield widget


def _innermost(widget: Widget) -> Widget:
    """The widget of a plain node that an instance's widget stands for."""
    while widget.inner is not None:
        widget = widget.inner
    return widget
