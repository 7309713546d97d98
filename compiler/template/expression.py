"""`{{ expressions }}` in a graph.json, compiled once as a single list expression.

A string that is wholly one expression keeps the value's type; mixed text becomes a string. User text is only ever a
value of a variable: it is never parsed, so a prompt of `{{ 7*7 }}` or `["4", 0]` stays exactly that text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any, cast

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, UndefinedError, meta, nodes
from jinja2.environment import TemplateExpression
from jinja2.sandbox import ImmutableSandboxedEnvironment

from compiler.errors import Fault, TemplateError, nearest

_ENV = ImmutableSandboxedEnvironment(keep_trailing_newline=True, undefined=StrictUndefined)
_FUNCTIONS: Mapping[str, Any] = {"min": min, "max": max, "round": round}
"""All that an expression may call."""
_ENV.globals = dict(_FUNCTIONS)


def is_expression(value: object) -> bool:
    """True for a string of a graph.json that must be evaluated."""
    return isinstance(value, str) and "{{" in value


class Expressions:
    """Many expressions, evaluated together: one call costs about as much as one expression."""

    def __init__(self, sources: Sequence[tuple[str, str]], known: Mapping[str, Any]) -> None:
        """`sources` are (place, text) pairs, `known` the names that a manifest declares.

        Errors: TemplateError for bad syntax, blocks, or a name that is not declared, with the nearest that is.
        """
        items = [_parse(place, text, known) for place, text in sources]
        self.names: frozenset[str] = frozenset[str]().union(*(_names(text) for _, text in sources))
        self._count = len(items)
        paths = {index: path for index, item in enumerate(items) if (path := _path(item)) is not None}
        self.plain: Mapping[int, str] = {index: path[0] for index, path in paths.items() if len(path) == 1}
        """Number of a source that is nothing but a name → that name."""
        self._plain = list(self.plain.items())
        self._members = [(index, *path) for index, path in paths.items() if len(path) == 2]
        self._other = [index for index in range(len(items)) if index not in paths]
        self._places = [sources[index][0] for index in self._other]
        self._evaluate: Callable[..., Any] = _compile([items[index] for index in self._other])

    def __call__(self, context: Mapping[str, Any]) -> list[Any]:
        """The values, in the order of the sources; `context` holds every declared name.

        Errors: TemplateError where one is undefined.
        """
        values: list[Any] = [None] * self._count
        for index, name in self._plain:  # a bare name needs no evaluation
            values[index] = context[name]
        for index, name, member in self._members:
            held = context[name]
            if not isinstance(held, Mapping):
                raise TemplateError(Fault(f"{name}.{member}", f"asks for a member, but {name} is no object"))
            if member not in held:
                raise TemplateError(
                    Fault(f"{name}.{member}", "is not there", nearest(member, cast("Mapping[str, Any]", held)))
                )
            values[index] = held[member]
        if self._other:
            for index, value in zip(self._other, self._evaluated(context), strict=True):
                values[index] = value
        return values

    def _evaluated(self, context: Mapping[str, Any]) -> list[Any]:
        try:
            values = cast("list[Any]", self._evaluate(context))
        except UndefinedError as error:
            raise TemplateError(Fault(self._places[0], str(error), "Look at the manifest's params")) from error
        except (
            Exception
        ) as error:  # whatever arithmetic with the caller's values raises: a division by 0, text times text
            where = self._places[0].partition(": ")[0]
            raise TemplateError(Fault(where, f"an expression fails: {error}", "Look at the values given")) from error
        for place, value in zip(self._places, values, strict=True):
            if isinstance(value, Undefined):
                raise TemplateError(Fault(place, "names something that is not there", "Look at the manifest's params"))
        return values


def _parse(place: str, text: str, known: Mapping[str, Any]) -> nodes.Expr:
    try:
        tree = _ENV.parse(text)
    except TemplateSyntaxError as error:
        raise TemplateError(Fault(place, f"{text!r}: {error.message}", "Write one {{ expression }}")) from error
    for name in sorted(meta.find_undeclared_variables(tree)):
        if name not in known and name not in _FUNCTIONS:
            raise TemplateError(
                Fault(place, f"{text!r}: {name!r} is not an input in manifest.json", nearest(name, known))
            )
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        raise TemplateError(Fault(place, f"{text!r} holds a block", "Use fragments, not {% %}, for optional parts"))
    parts = [_constant(part) for part in tree.body[0].nodes]
    return parts[0] if len(parts) == 1 else nodes.Concat(parts)


def _path(item: nodes.Expr) -> tuple[str, ...] | None:
    """(name,) or (name, member) of an expression that is nothing more, such as `{{ seed }}` and `{{ files.vae }}`."""
    if isinstance(item, nodes.Name):
        return (item.name,)
    if isinstance(item, nodes.Getattr) and isinstance(item.node, nodes.Name):
        return (item.node.name, item.attr)
    return None


def _constant(part: nodes.Expr) -> nodes.Expr:
    return nodes.Const(part.data) if isinstance(part, nodes.TemplateData) else part


def _names(text: str) -> set[str]:
    return meta.find_undeclared_variables(_ENV.parse(text))


def _compile(items: list[nodes.Expr]) -> TemplateExpression:
    body: list[nodes.Node] = [nodes.Assign(nodes.Name("result", "store"), nodes.List(items), lineno=1)]
    tree = nodes.Template(body, lineno=1)
    tree.set_environment(_ENV)
    code: CodeType = _ENV.compile(tree)
    globals_ = _ENV.make_globals(None)  # else min, max and round are undefined
    return TemplateExpression(_ENV.template_class.from_code(_ENV, code, globals_), undefined_to_none=False)
