"""Answers in the form that ComfyUI gives them: JSON with bare NaN, plain-text 500s, empty bodies."""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

JSON: Final = "application/json; charset=utf-8"
TROUBLE: Final = "500 Internal Server Error\n\nServer got itself in trouble"


def answer(value: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(json.dumps(value), status, media_type=JSON)


def nothing(status: int = 200) -> Response:
    """An answer without a body."""
    return Response(b"", status)


def trouble() -> Response:
    """What every failure of a handler becomes."""
    return Response(TROUBLE, 500, media_type="text/plain")


async def body(request: Request) -> Any:
    """The JSON body, whatever its content type.

    Errors: ValueError.
    """
    return json.loads(await request.body())
