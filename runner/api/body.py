"""Reads a JSON body strictly: what no store, no graph and no other JSON reader could take is refused by field."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final, NoReturn, cast

from starlette.requests import Request

from compiler.errors import Fault, RequestError

MAX_DEPTH: Final = 32
WORDS: Final[Mapping[type, str]] = {type(None): "null", bool: "a boolean", str: "a string", list: "an array"}
MAX_VALUES: Final = 2000
"""Values in a body, whatever they are: what checks and tells each of them one by one must end soon."""
MAX_NAME: Final = 200
"""Longest name of a field."""
MAX_FAULTS: Final = 20
"""Faults told at once; a body of ten thousand wrong strings is not answered with ten thousand lines."""


async def read_object(request: Request, values: int = MAX_VALUES) -> dict[str, Any]:
    """The body as a JSON object of so many values at most. Errors: RequestError naming each place."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise RequestError(Fault("Content-Type", f"is {kind[:60]!r}", "Send application/json", "wrong_type"))
    return parse_object(await request.body(), values)


def parse_object(data: bytes, values: int = MAX_VALUES) -> dict[str, Any]:
    """As `read_object`, of bytes."""
    try:
        text = data.decode("utf-8-sig")
        body: Any = json.loads(text, parse_constant=_not_json, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise _bad(f"is not UTF-8 (byte {error.start})", "Send JSON in UTF-8") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _bad(f"is not JSON: {error.msg} at {where}", "Send a JSON object") from error
    except RecursionError as error:
        raise RequestError(_too_deep("body")) from error
    except ValueError as error:  # NaN, Infinity, 1e999, or an integer of thousands of digits
        raise _bad("holds a number that JSON cannot carry", "Send finite numbers") from error
    if not isinstance(body, dict):
        raise RequestError(Fault("body", f"is {_word(body)}", "Send a JSON object", "wrong_type"))
    fields = cast("dict[str, Any]", body)
    if _more_than(values, fields):
        raise _bad(f"holds more than {values} values", "Send less at once")
    if faults := list(islice(_text_faults(fields, "", 1), MAX_FAULTS)):
        raise RequestError(*faults)
    return fields


def _bad(what: str, cure: str) -> RequestError:
    return RequestError(Fault("body", what, cure, "bad_json"))


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _not_json(text: str) -> NoReturn:
    raise ValueError(text)


def _text_faults(value: Any, where: str, depth: int) -> Iterator[Fault]:
    if isinstance(value, str):
        yield from _string_faults(value, where)
    elif isinstance(value, (dict, list)):
        if depth > MAX_DEPTH:
            yield _too_deep(where or "body")
        elif isinstance(value, dict):
            for name, item in cast("Mapping[str, Any]", value).items():
                inner = f"{where}.{name}" if where else name
                if len(name) > MAX_NAME:
                    what = f"holds a field name of more than {MAX_NAME} characters"
                    yield Fault(where or "body", what, "Send the fields that are documented", "bad_text")
                    continue
                faults = list(_string_faults(name, where or "body"))
                yield from faults
                if not faults:
                    yield from _text_faults(item, inner, depth + 1)
        else:
            for index, item in enumerate(cast("list[Any]", value)):
                yield from _text_faults(item, f"{where}[{index}]", depth + 1)


def _more_than(most: int, value: Any) -> bool:
    """Whether it holds more values than that, at whatever depth; its own is not counted."""
    waiting, count = [value], 0
    while waiting:
        found: Any = waiting.pop()
        inner = cast("dict[str, Any]", found).values() if isinstance(found, dict) else found
        if isinstance(found, (dict, list)):
            count += len(inner)
            if count > most:
                return True
            waiting.extend(inner)
    return False


def _string_faults(text: str, where: str) -> Iterator[Fault]:
    if text.isascii():
        if "\0" in text:
            yield Fault(where, "holds a NUL character", "Remove it", "bad_text")
        return
    if "\0" in text:
        yield Fault(where, "holds a NUL character", "Remove it", "bad_text")
    if any("\ud800" <= char <= "\udfff" for char in text):
        yield Fault(where, "holds half a character (a lone surrogate)", "Send whole characters", "bad_text")


def _too_deep(where: str) -> Fault:
    return Fault(where[:100], f"is nested deeper than {MAX_DEPTH} levels", "Send a flat object", "bad_json")


def _word(value: Any) -> str:
    return WORDS.get(cast("type[object]", type(value)), "a number")
