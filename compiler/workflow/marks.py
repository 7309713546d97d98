"""What a workflow made by `to_ui` says of its API graph that ComfyUI's page has no place for: `properties.comfyc`.

    left_out    inputs that the graph does not have; the page sends their defaults, to the same effect
    exact       values that the page rounds or changes: numbers beyond 2^53, carriage returns, a backslash at the end
    extra       inputs that the class does not know; the page drops them, as the server does

They count only while the widget holds what `to_ui` wrote: what is changed in ComfyUI wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from compiler.workflow.javascript import as_javascript
from compiler.workflow.layout import WidgetSpec
from compiler.workflow.model import items, mapping
from compiler.workflow.texts import is_unfinished, literal_prompt, unix_lines

KEY: Final = "comfyc"


def is_changed(shown: Any, spec: WidgetSpec) -> bool:
    """Whether the page sends something else for what stands in widgets_values."""
    dynamic = spec.spec is not None and spec.spec.options.get("dynamicPrompts")
    return after_page(shown, spec) != shown or bool(dynamic and isinstance(shown, str) and is_unfinished(shown))


def written(value: Any, spec: WidgetSpec) -> Any:
    """A value as it stands in widgets_values, so that the page sends it as it is."""
    dynamic = spec.spec is not None and spec.spec.options.get("dynamicPrompts")
    return literal_prompt(value) if dynamic and isinstance(value, str) else value


def after_page(value: Any, spec: WidgetSpec) -> Any:
    """A value of widgets_values after the page has loaded it."""
    if isinstance(value, str):
        return unix_lines(value) if spec.spec is not None and spec.spec.options.get("multiline") else value
    return as_javascript(value)


def exact(raw: Mapping[str, Any], spec: WidgetSpec, value: Any) -> Any:
    """The exact value that a widget stands for; None if there is none or the widget was changed since."""
    kept = mapping(_marks(raw).get("exact")).get(spec.name)
    same = kept is not None and after_page(written(kept, spec), spec) == after_page(value, spec)
    return kept if same else None


def restore(raw: Mapping[str, Any], specs: Mapping[str, WidgetSpec], inputs: dict[str, Any]) -> None:
    """Takes out of a node's inputs what its graph left out, and puts in what the class does not know."""
    marks = _marks(raw)
    for name in items(marks.get("left_out")):
        if name in inputs and name in specs and inputs[name] == as_javascript(specs[name].default):
            del inputs[name]
    for name, value in mapping(marks.get("extra")).items():
        inputs.setdefault(name, value)


def _marks(raw: Mapping[str, Any]) -> dict[str, Any]:
    return mapping(mapping(raw.get("properties")).get(KEY))
