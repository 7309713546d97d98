"""What the parse halves of dialects share: callbacks, uploads, and every fault of a request in one answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from compiler import parse_request
from compiler.errors import Fault, RequestError, nearest
from runner.job import Callback
from runner.store.guard import Guard

MAX_TOKEN: Final = 4096
TEXT_PART: Final = 64 * 1024
"""Largest form field that is no file, bytes."""


def request_faults(dialect: str, body: Mapping[str, Any], operation: str) -> tuple[Fault, ...]:
    """The faults that the dialect's own model finds in a body, without raising them."""
    try:
        parse_request(dialect, body, operation=operation)
    except RequestError as error:
        return error.faults
    return ()


def callback_of(
    body: Mapping[str, Any], url_field: str, token_field: str, guard: Guard
) -> tuple[Callback | None, tuple[Fault, ...]]:
    """The callback that a body asks for, and what is wrong with it. null counts as absent; no token without a field.

    Only the text of the URL is checked here; the address that it leads to is checked whenever it is called.
    """
    url, token = body.get(url_field), body.get(token_field) if token_field else None
    faults: list[Fault] = []
    for name, value in ((url_field, url), (token_field, token)):
        if value is not None and not isinstance(value, str):
            faults.append(Fault(name, "is not a string", "Send a string, or leave it out", "wrong_type"))
    if faults:
        return None, tuple(faults)
    if url is not None and (fault := guard.fault(url)):
        faults.append(Fault(url_field, fault, "Give an http or https URL that this server may reach", "bad_url"))
    if token is not None and (len(token) > MAX_TOKEN or not all(" " <= char <= "~" for char in token)):
        faults.append(
            Fault(token_field, "cannot be sent as a bearer token", f"Use up to {MAX_TOKEN} printable ASCII characters")
        )
    if token is not None and url is None:
        faults.append(Fault(token_field, f"is given without {url_field}", f"Give {url_field} too", "required"))
    if faults or url is None:
        return None, tuple(faults)
    return Callback(url, token or ""), ()


async def uploaded(request: Request, field: str, limit: int) -> tuple[bytes, str]:
    """The bytes and the file name of a multipart field. Errors: RequestError."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise RequestError(
            Fault("body", "is not multipart/form-data", f"Send the file as the form field {field!r}", "wrong_type")
        )
    try:
        async with request.form(max_files=4, max_fields=16, max_part_size=TEXT_PART) as form:
            file = form.get(field)
            if file is None:
                raise RequestError(
                    Fault(field, "is missing", nearest(field, form) or "Send the file in it", "required")
                )
            if not isinstance(file, UploadFile):
                raise RequestError(Fault(field, "is text", "Send a file, with a filename", "wrong_type"))
            data = await file.read(limit + 1)
    except (MultiPartException, HTTPException, ValueError, KeyError) as error:  # what Starlette and its parser raise
        raise RequestError(Fault("body", "is broken multipart/form-data", "Send it whole", "bad_form")) from error
    if len(data) > limit:
        raise RequestError(Fault(field, f"is larger than {limit // 2**20} MB", "Send a smaller file", "too_large"))
    return data, file.filename or ""
