"""REQUEST.json: the HTTP body of a dialect, from a file or from stdin, its media named by local paths."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from compiler import parse_request, recognise
from compiler.errors import Fault
from compiler.provider import Provider, Request
from runner.cli.faults import InputError


@dataclass(frozen=True, slots=True)
class RequestFile:
    """A validated request and where it came from."""

    name: str
    """For file names of what is made from it: `wan22-i2v`."""
    folder: Path
    """Relative media paths start here."""
    provider: Provider
    request: Request


def load_request(source: str, dialect: str | None) -> RequestFile:
    """Reads, tells the dialect by shape unless it is given, validates, and draws a seed where the request has none.

    Errors: InputError for the file, RequestError for what is in it.
    """
    body = read_json(source, "a JSON object, the HTTP body of the dialect")
    if not isinstance(body, dict):
        raise InputError(Fault(source, "is not a JSON object", "Give the HTTP body of the dialect"))
    known = cast("dict[str, Any]", body)
    dialect, operation = choose_dialect(source, known, dialect)
    provider, request = parse_request(dialect, known, operation=operation)
    path = Path(source)
    stdin = source == "-"
    return RequestFile(
        name="request" if stdin else path.stem,
        folder=Path() if stdin else path.parent,
        provider=provider,
        request=provider.with_seed(request, secrets.randbelow(provider.SEED_LIMIT)),
    )


def choose_dialect(source: str, body: Mapping[str, Any], dialect: str | None) -> tuple[str, str]:
    """(dialect, operation): the only one that the body fits, among those of `dialect` if it is given."""
    found = [pair for pair in recognise(body) if dialect in (None, pair[0])]
    if len(found) == 1:
        return found[0]
    if dialect is not None:
        return dialect, ""  # parse_request says what is wrong with the body
    if not found:
        raise InputError(Fault(source, "fits no dialect by its shape", "Name it with --dialect to see what is wrong"))
    names = " or ".join(dict.fromkeys(f"--dialect {name}" for name, _ in found))
    raise InputError(Fault(source, "fits several requests", f"Say which: {names}"))


def read_json(source: str, expected: str) -> Any:
    """The JSON of a file, or of stdin for `-`.

    Errors: InputError.
    """
    text = read_text(source)
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(Fault(source, f"is not JSON: {error}", f"Give {expected}")) from error
    except RecursionError:
        raise InputError(Fault(source, "is nested too deep", f"Give {expected}")) from None


def read_text(source: str) -> str:
    try:
        return sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(Fault(source, error.strerror or str(error))) from error
    except UnicodeDecodeError as error:
        raise InputError(Fault(source, "is not UTF-8 text")) from error
