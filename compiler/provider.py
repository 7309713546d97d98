"""Base of all providers and of their request models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, ClassVar, Final, TypeVar, cast, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError, core_schema

from compiler.binding import Bench, Binding
from compiler.catalog import Catalog
from compiler.errors import Fault, RequestError, nearest
from compiler.media import AssetRef, Media, MediaRef
from compiler.template.library import Library


def _whole(value: Any) -> Any:
    """JSON has one number type: 5.0 is an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
"""An integer as JSON Schema means it: 5 and 5.0, but not "5" or true."""


def _given(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError("null", "must not be null: leave it out", {"code": "null"})
    return value


T = TypeVar("T")
Maybe = Annotated[T | None, BeforeValidator(_given)]
"""A field that may be left out, but may not be null: what `required` and `type` of a JSON schema say together."""


class Request(BaseModel):
    """A validated request. Types are strict; unknown fields are kept, so that they can be reported."""

    model_config = ConfigDict(
        strict=True, extra="allow", frozen=True, use_attribute_docstrings=True, serialize_by_alias=True
    )

    def gives(self, field: str) -> bool:
        """True if the caller sent that field with a value: not null, not an empty list."""
        value = getattr(self, field, None)
        return field in self.model_fields_set and value is not None and value != []

    def unknown_fields(self, where: str = "") -> Iterator[tuple[str, str]]:
        """(field, nearest known field or "") of each field that the contract does not have, in lists of objects too."""
        for name in self.model_extra or {}:
            yield where + name, nearest(name, self.field_names())
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, list):
                for index, item in enumerate(cast("list[Any]", value)):
                    if isinstance(item, Request):
                        yield from item.unknown_fields(f"{where}{name}[{index}].")

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """The contract's names of its fields."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())


MOST_UNKNOWN: Final = 20
"""Unknown fields that are told one by one."""


class Provider:
    """One kind of request inside a dialect. Subclasses are mostly tables; instances hold no state."""

    dialect: ClassVar[str]
    """The wire API that it belongs to."""
    name: ClassVar[str]
    """Its name there, e.g. ext's `wan22-i2v`; unique in the dialect."""
    discriminator: ClassVar[str] = ""
    """What the dialect's key field holds for it, as text; the name, unless given: Fusara's `5`."""
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
    SEED_FIELD: ClassVar[str] = "seed"
    """The contract's name of the seed; empty where nothing is drawn."""
    SEED_LIMIT: ClassVar[int] = 2**32
    """Seeds are drawn below this number (the contract's range, or the node's)."""

    def check(self, request: Request) -> None:
        """Raises RequestError for fields that this provider refuses or misses."""
        faults = [
            Fault(field, f"is not a field of {self.name}", cure, code="unsupported")
            for field, cure in self.REFUSED.items()
            if request.gives(field)
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
        if not self.SEED_FIELD or getattr(request, self.SEED_FIELD, None) is not None:
            return request
        return request.model_copy(update={self.SEED_FIELD: seed % self.SEED_LIMIT})

    def media_refs(self, request: Request) -> tuple[MediaRef, ...]:
        """The media that the request mentions; the caller finds and probes them."""
        return ()

    def asset_refs(self, request: Request) -> tuple[AssetRef, ...]:
        """The models that the request names and that the shipped table need not know: the caller finds them and
        compiles with `library.extended(…)`."""
        return ()

    def bind(self, request: Any, bench: Bench) -> None:
        """Puts template, parameters and attachments on the bench."""
        raise NotImplementedError

    def report(self, request: Any, bench: Bench) -> None:
        """Tells what is not honoured, whatever the binding."""

    def binding(self, request: Request, media: Mapping[str, Media], library: Library, catalog: Catalog) -> Binding:
        """What compile works from. Errors: RequestError."""
        bench = Bench(media, library, catalog)
        unknown = request.unknown_fields()  # lazily: the nearest name of one costs 0.2 ms
        for name, hint in islice(unknown, MOST_UNKNOWN):
            bench.unsupported(name, f"is not a field of {self.dialect}. {hint}".rstrip(), "unknown_field")
        if next(unknown, None):
            bench.unsupported("body", "has more fields that are not known", "unknown_field")
        for name, why in self.IGNORED.items():
            if request.gives(name):
                bench.unsupported(name, why)
        self.report(request, bench)
        self.bind(request, bench)
        return bench.bind()


@dataclass(frozen=True)
class Dialect:
    """The request side of a wire API: its operations and its providers."""

    name: str
    key: str
    """The field that names the provider: `model`, `__type`."""
    operations: Mapping[str, str]
    """Operation → how a caller reaches it: `image` → `POST /api/v1/img`."""
    providers: Mapping[str, Provider]
    """By discriminator."""

    def provider_of(self, body: Mapping[str, Any]) -> Provider | None:
        """The provider that the body's key field names, if it is one of ours."""
        given = body.get(self.key)
        return self.providers.get(str(given)) if isinstance(given, (str, int)) else None

    def operation_of(self, body: Mapping[str, Any]) -> str:
        """The operation that the body's provider belongs to; empty if it names none of ours."""
        provider = self.provider_of(body)
        return provider.operation if provider else ""

    def model_of(self, operation: str) -> type[Request] | None:
        """The request model that all providers of an operation share, if they do."""
        models = {one.Request for one in self.providers.values() if one.operation == operation}
        return models.pop() if len(models) == 1 else None

    def parse(self, body: Any, operation: str = "") -> tuple[Provider, Request]:
        """Raises RequestError with every fault found."""
        if not isinstance(body, Mapping):
            raise RequestError(Fault("body", "is not a JSON object", "Send an object with the fields of the request"))
        fields = cast("Mapping[str, Any]", body)
        provider = self.provider_of(fields)
        if provider is not None and operation in ("", provider.operation):
            request = validated(provider.Request, fields)
            provider.check(request)
            return provider, request
        others: tuple[Fault, ...] = ()
        if shared := self.model_of(operation):
            try:
                validated(shared, fields)  # its own list of providers says what is wrong, beside all other faults
            except RequestError as error:
                if provider is None:
                    raise
                others = tuple(fault for fault in error.faults if fault.where != self.key)
        raise RequestError(self._misplaced(provider) if provider else self._no_provider(fields, operation), *others)

    def _misplaced(self, provider: Provider) -> Fault:
        place = self.operations.get(provider.operation, provider.operation)
        what = f"{provider.discriminator or provider.name} ({provider.name}) does not belong here"
        return Fault(self.key, what, f"Send it to {place}", code="misplaced")

    def _no_provider(self, body: Mapping[str, Any], operation: str) -> Fault:
        given = body.get(self.key)
        known = [key for key, one in self.providers.items() if operation in ("", one.operation)]
        known.sort(key=lambda key: int(key) if key.isdigit() else 0)
        names = ", ".join(known)
        if given is None:
            return Fault(self.key, "is required", f"One of: {names}", code="required")
        shown = repr(given) if len(repr(given)) <= SHOWN else repr(given)[: SHOWN - 3] + "…"
        meant = "" if str(given).isdigit() else nearest(str(given), known)  # 33 is not nearer to 3 than to 7
        return Fault(self.key, f"{shown} is not known", meant or f"One of: {names}", "unknown")


M = TypeVar("M", bound=Request)


def validated(model: type[M], body: Mapping[str, Any]) -> M:
    """The body as that model. Errors: RequestError with every fault found."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise RequestError(*faults_of(error, model.field_names())) from error


def faults_of(error: ValidationError, known: Sequence[str] = ()) -> tuple[Fault, ...]:
    """Pydantic's findings as faults: `loras[0].strength: must be at most 2, not 3`. `known`: the model's fields."""
    return tuple(_fault(detail, known) for detail in error.errors(include_url=False, include_context=True))


def _fault(detail: ErrorDetails, known: Sequence[str]) -> Fault:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]).lstrip(".")
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return Fault(where, "is required", "", code="required")
    if kind == "extra_forbidden":
        cure = nearest(where, known) or f"It has: {', '.join(known)}"
        return Fault(where, "is not a field of this request", cure, code="unknown_field")
    own = kind not in _PYDANTIC_KINDS
    text, code = _WORDS.get(kind, (detail["msg"] if own else detail["msg"][:1].lower() + detail["msg"][1:], "invalid"))
    said = text.format(**context) if kind in _WORDS else text  # pydantic's own words may hold braces: a pattern's
    shown = repr(detail["input"])
    if len(shown) > SHOWN:
        shown = shown[: SHOWN - 3] + "…"
    if not own or isinstance(detail["input"], str | int | float):
        said = f"{said}, not {shown}"
    return Fault(where or "body", said, str(context.get("cure", "")), str(context.get("code", code)))


SHOWN: Final = 60
"""Longest value that a message quotes, in characters."""
_PYDANTIC_KINDS: Final = frozenset(get_args(core_schema.ErrorType))
"""All others are our models' own, and worded there."""
_WORDS: Mapping[str, tuple[str, str]] = {
    "greater_than_equal": ("must be at least {ge}", "out_of_range"),
    "less_than_equal": ("must be at most {le}", "out_of_range"),
    "string_too_short": ("must have at least {min_length} character(s)", "out_of_range"),
    "string_too_long": ("must have at most {max_length} characters", "out_of_range"),
    "literal_error": ("must be {expected}", "unknown"),
    "string_type": ("must be text", "wrong_type"),
    "string_pattern_mismatch": ("must match {pattern}", "invalid"),
    "string_unicode": ("must be well-formed Unicode text", "wrong_type"),
    "int_type": ("must be a whole number", "wrong_type"),
    "float_type": ("must be a number", "wrong_type"),
    "finite_number": ("must be a finite number", "wrong_type"),
    "bool_type": ("must be true or false", "wrong_type"),
    "list_type": ("must be a list", "wrong_type"),
    "model_type": ("must be an object", "wrong_type"),
}
