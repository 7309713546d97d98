"""Base of all providers and of their request models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from compiler.binding import Bench, Binding
from compiler.catalog import Catalog
from compiler.errors import Fault, RequestError, nearest
from compiler.media import Media, MediaRef
from compiler.template.library import Library


def _whole(value: Any) -> Any:
    """JSON has one number type: 5.0 is an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
"""An integer as JSON Schema means it: 5 and 5.0, but not "5" or true."""


def _given(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError("null", "must not be null: leave it out")
    return value


T = TypeVar("T")
Maybe = Annotated[T | None, BeforeValidator(_given)]
"""A field that may be left out, but may not be null: what `required` and `type` of a JSON schema say together."""


class Request(BaseModel):
    """A validated request. Types are strict; unknown fields are kept, so that they can be reported."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True, use_attribute_docstrings=True)

    def unknown_fields(self, where: str = "") -> Iterator[tuple[str, str]]:
        """(field, nearest known field or "") of each field that the contract does not have, in lists of objects too."""
        for name in self.model_extra or {}:
            yield where + name, nearest(name, type(self).model_fields)
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, list):
                for index, item in enumerate(cast("list[Any]", value)):
                    if isinstance(item, Request):
                        yield from item.unknown_fields(f"{where}{name}[{index}].")


class Provider:
    """One kind of request inside a dialect. Subclasses are mostly tables; instances hold no state."""

    dialect: ClassVar[str]
    """The wire API that it belongs to."""
    name: ClassVar[str]
    """Its name there, e.g. ext's `wan22-i2v`; unique in the dialect."""
    operation: ClassVar[str]
    """Which of the dialect's operations takes it, e.g. `image`."""
    Request: ClassVar[type[Request]]
    """The request model."""
    REFUSED: ClassVar[Mapping[str, str]] = {}
    """Fields that make no sense here → what to do instead; a 400 if given."""
    REQUIRED: ClassVar[Mapping[str, str]] = {}
    """Fields that only this provider demands → how to get one; a 400 if absent."""
    IGNORED: ClassVar[Mapping[str, str]] = {}
    """Fields without effect here → why; reported if given."""
    SEED_LIMIT: ClassVar[int] = 2**32
    """Seeds are drawn below this number (the contract's range, or the node's)."""

    def check(self, request: Request) -> None:
        """Raises RequestError for fields that this provider refuses or misses."""
        faults = [
            Fault(field, f"is not a field of {self.name}", cure, code="unsupported")
            for field, cure in self.REFUSED.items()
            if getattr(request, field, None) is not None
        ]
        faults += [
            Fault(field, f"is required for {self.name}", cure, code="required")
            for field, cure in self.REQUIRED.items()
            if not getattr(request, field, None)
        ]
        if faults:
            raise RequestError(*faults)

    def with_seed(self, request: Request, seed: int) -> Request:
        """The request with this seed, unless it has one: the caller draws, so that a job can be replayed."""
        if getattr(request, "seed", None) is not None:
            return request
        return request.model_copy(update={"seed": seed % self.SEED_LIMIT})

    def media_refs(self, request: Request) -> tuple[MediaRef, ...]:
        """The media that the request mentions; the caller finds and probes them."""
        return ()

    def bind(self, request: Any, bench: Bench) -> None:
        """Puts template, parameters and attachments on the bench."""
        raise NotImplementedError

    def template_of(self, request: Any) -> str:
        """Id of the template for this request."""
        raise NotImplementedError

    def binding(self, request: Request, media: Mapping[str, Media], library: Library, catalog: Catalog) -> Binding:
        """What compile works from. Errors: RequestError."""
        bench = Bench(self.template_of(request), media, library, catalog)
        for name, hint in request.unknown_fields():
            bench.unsupported(name, f"is not a field of {self.dialect}. {hint}".rstrip(), "unknown_field")
        for name, why in self.IGNORED.items():
            if getattr(request, name, None) is not None:
                bench.unsupported(name, why)
        self.bind(request, bench)
        return bench.bind()


@dataclass(frozen=True)
class Dialect:
    """The request side of a wire API: its operations and its providers."""

    name: str
    key: str
    """The field that names the provider: `model`, `__type`."""
    operations: Mapping[str, type[Request]]
    """Operation → request model, e.g. `image` → CreateImageRequest."""
    providers: Mapping[str, Provider]

    def operation_of(self, body: Mapping[str, Any]) -> str:
        """The operation that the body's provider belongs to; empty if it names none of ours."""
        provider = self.providers.get(str(body.get(self.key)))
        return provider.operation if provider else ""

    def parse(self, body: Any, operation: str = "") -> tuple[Provider, Request]:
        """Raises RequestError with every fault found."""
        if not isinstance(body, Mapping):
            raise RequestError(Fault("body", "is not a JSON object", "Send an object with the fields of the request"))
        fields = cast("Mapping[str, Any]", body)
        model = self.operations.get(operation or self.operation_of(fields))
        if model is None:
            raise RequestError(self._no_provider(fields))
        try:
            request = model.model_validate(fields)
        except ValidationError as error:
            raise RequestError(*faults_of(error)) from error
        provider = self.providers[str(getattr(request, self.key))]
        provider.check(request)
        return provider, request

    def _no_provider(self, body: Mapping[str, Any]) -> Fault:
        given, names = body.get(self.key), ", ".join(self.providers)
        if given is None:
            return Fault(self.key, "is required", f"One of: {names}", code="required")
        return Fault(
            self.key, f"{given!r} is not known", nearest(str(given), self.providers) or f"One of: {names}", "unknown"
        )


def faults_of(error: ValidationError) -> tuple[Fault, ...]:
    """Pydantic's findings as faults: `loras[0].strength: must be at most 2, not 3`."""
    return tuple(_fault(detail) for detail in error.errors(include_url=False, include_context=True))


def _fault(detail: ErrorDetails) -> Fault:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]).lstrip(".")
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return Fault(where, "is required", "", code="required")
    text, code = _WORDS.get(kind, (detail["msg"][:1].lower() + detail["msg"][1:], "invalid"))
    shown = repr(detail["input"])
    if len(shown) > 60:
        shown = shown[:57] + "…"
    said = text.format(**context)
    return Fault(where or "body", said if kind == "null" else f"{said}, not {shown}", code=code)


_WORDS: Mapping[str, tuple[str, str]] = {
    "null": ("must not be null: leave it out", "null"),
    "greater_than_equal": ("must be at least {ge}", "out_of_range"),
    "less_than_equal": ("must be at most {le}", "out_of_range"),
    "string_too_short": ("must have at least {min_length} character(s)", "out_of_range"),
    "string_too_long": ("must have at most {max_length} characters", "out_of_range"),
    "literal_error": ("must be {expected}", "unknown"),
    "string_type": ("must be text", "wrong_type"),
    "string_unicode": ("must be well-formed Unicode text", "wrong_type"),
    "int_type": ("must be a whole number", "wrong_type"),
    "float_type": ("must be a number", "wrong_type"),
    "finite_number": ("must be a finite number", "wrong_type"),
    "bool_type": ("must be true or false", "wrong_type"),
    "list_type": ("must be a list", "wrong_type"),
    "model_type": ("must be an object", "wrong_type"),
}
