"""The sockets and widgets that ComfyUI's page makes of a node class, in its order.

Sockets come first, then the widgets, each in declared order (required, then optional). A seed is followed by a control
widget that is saved but never sent; so is an upload button. What the page adds by its own code is data (`rules`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

from compiler.catalog import AUTOGROW, DYNAMIC_COMBO, MATCH_TYPE, WIDGET_TYPES, InputSpec, NodeSchema
from compiler.workflow.rules import Rules

CONTROL: Final = "control_after_generate"
SEEDS: Final = frozenset({"seed", "noise_seed"})
_UPLOADS: Final = ("image_upload", "video_upload", "animated_image_upload")
_EMPTY: Final = {"INT": 0, "FLOAT": 0, "STRING": "", "BOOLEAN": False}


@dataclass(frozen=True, slots=True)
class WidgetSpec:
    """One widget of a class."""

    name: str
    kind: str
    """The input's type; empty for what is no input: buttons, controls, previews."""
    default: Any = None
    saved: bool = True
    """Whether it takes a place in widgets_values."""
    sent: bool = True
    """Whether its value goes into the prompt."""
    spec: InputSpec | None = None
    """The declared input, if it is one."""


class SocketSpec(NamedTuple):
    """One input slot of a class; widgets have one too."""

    name: str
    type: str
    widget: str = ""
    """The widget that stands behind it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the page makes of a class before a file is loaded."""

    sockets: tuple[SocketSpec, ...]
    widgets: tuple[WidgetSpec, ...]
    outputs: tuple[str, ...]
    """Types of the output slots."""
    growing: tuple[InputSpec, ...]
    """Its autogrow inputs."""
    forced: bool
    """Whether an input has forceInput: once, such inputs had widgets."""
    fixed: bool
    """Whether every node of the class has just these slots and widgets, and takes its saved values as they are."""
    saved: tuple[WidgetSpec, ...]
    """The widgets that take a place in widgets_values."""
    names: frozenset[str]
    """Names of its sockets."""


_cache: dict[tuple[int, str], tuple[NodeSchema, Layout]] = {}
_ROOM: Final = 4096


def layout_of(schema: NodeSchema, rules: Rules) -> Layout:
    """The layout of a class, made once for each schema."""
    key = (id(schema), rules.frontend)
    found = _cache.get(key)
    if found is not None and found[0] is schema:
        return found[1]
    if len(_cache) >= _ROOM:
        _cache.clear()
    layout = _make(schema, rules)
    _cache[key] = (schema, layout)
    return layout


def _make(schema: NodeSchema, rules: Rules) -> Layout:
    specs = list(schema.by_name.values())
    widgets = tuple(_widgets(schema, specs, rules))
    plain = [spec for spec in specs if not is_widget(spec, rules)]
    behind = [
        SocketSpec(widget.name, widget.kind or "*", widget.name)
        for widget in widgets
        if widget.kind and not (widget.spec and widget.spec.options.get("socketless"))
    ]
    sockets = (*(socket for spec in plain for socket in sockets_of(spec.name, spec)), *behind)
    growing = tuple(spec for spec in plain if spec.type == AUTOGROW)
    moving = any(widget.kind == DYNAMIC_COMBO or widget.kind in rules.detached for widget in widgets)
    return Layout(
        sockets=sockets,
        widgets=widgets,
        outputs=tuple("*" if kind == MATCH_TYPE else kind for kind, _ in schema.outputs),
        growing=growing,
        forced=any(bool(spec.options.get("forceInput")) for spec in specs),
        fixed=not (growing or moving or schema.name in rules.growing),
        saved=tuple(widget for widget in widgets if widget.saved),
        names=frozenset(socket.name for socket in sockets),
    )


def kind_of_widget(spec: InputSpec) -> str:
    return str(spec.options.get("widgetType") or spec.type)


def is_widget(spec: InputSpec, rules: Rules) -> bool:
    """Whether the page makes a widget of an input."""
    kind = kind_of_widget(spec)
    known = kind in WIDGET_TYPES or kind == DYNAMIC_COMBO or kind in rules.widget_types
    return known and not spec.options.get("forceInput")


def sockets_of(path: str, spec: InputSpec) -> Iterator[SocketSpec]:
    """The slots of an input that is no widget: one, or the least number of an autogrow."""
    if spec.autogrow is not None:
        for name in spec.autogrow.names[: spec.autogrow.minimum]:
            for slot in spec.autogrow.slots:
                yield SocketSpec(f"{path}.{name}", slot.type)
    elif spec.type == MATCH_TYPE:
        yield SocketSpec(
            path, str(cast("dict[str, Any]", spec.options.get("template") or {}).get("allowed_types", "*"))
        )
    else:
        yield SocketSpec(path, spec.type)


def widget_and_control(name: str, spec: InputSpec) -> Iterator[WidgetSpec]:
    """An input's widget, and the control widgets that the page puts behind it."""
    kind = kind_of_widget(spec)
    yield WidgetSpec(name, kind, _default(kind, spec), spec=spec)
    if has_control(spec):
        yield WidgetSpec(CONTROL, "", "randomize", sent=False)
        if kind == "COMBO":
            yield WidgetSpec("control_filter_list", "", "", sent=False)


def has_control(spec: InputSpec) -> bool:
    """Whether a control widget follows: an INT called seed or noise_seed, or what asks for one."""
    wanted = spec.options.get(CONTROL)
    if spec.type == "INT" and wanted is None:
        return spec.name in SEEDS
    return bool(wanted) and spec.type in {"INT", "COMBO"}


def _default(kind: str, spec: InputSpec) -> Any:
    if spec.options.get("default") is not None:
        return spec.options["default"]
    if spec.values:
        return spec.values[0]
    return _EMPTY.get(kind)


def _widgets(schema: NodeSchema, specs: Iterable[InputSpec], rules: Rules) -> Iterator[WidgetSpec]:
    entries = rules.layouts.get(schema.name)
    derived = [widget for spec in specs if is_widget(spec, rules) for widget in widget_and_control(spec.name, spec)]
    if entries is None:
        yield from derived
        if any(spec.required and _uploads(spec) for spec in specs):
            yield WidgetSpec("upload", "IMAGEUPLOAD", "image", sent=False)
        return
    by_name = {widget.name: widget for widget in derived}
    for entry in entries:
        if isinstance(entry, str):
            if entry in by_name:
                yield by_name[entry]
        else:
            yield WidgetSpec(
                entry["name"],
                entry.get("slot", ""),
                entry["value"],
                entry.get("saved", True),
                entry.get("prompt", True),
            )


def _uploads(spec: InputSpec) -> bool:
    return spec.type == "COMBO" and any(spec.options.get(flag) is True for flag in _UPLOADS)
