"""GET /media/{key}: results and uploads by presigned link, with ranges, never as a page of ours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import PurePosixPath
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from runner.api.desk import Desk
from runner.api.links import MEDIA_PATH
from runner.api.problem import Problem, not_found
from runner.store.storage import BadKey, NotStored, content_type

RANGE: Final = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII)
SHOWN: Final = ("image/", "video/", "audio/", "text/plain", "application/json")
"""Content types that a browser may show in place."""


def media_route(desk: Desk) -> Route:
    """The route; the link itself is the permission."""

    async def download(request: Request) -> Response:
        key = request.path_params["key"]
        query = request.query_params
        if not desk.links.opens(key, query.get("expires", ""), query.get("signature", "")):
            raise Problem(403, "link_expired", "This link is not valid, or no longer. Ask for the job's status again")
        try:
            size = await desk.storage.size(key)
        except (NotStored, BadKey) as error:
            raise not_found("File") from error
        return _answer(request, desk, key, size)

    return Route(MEDIA_PATH + "{key:path}", download, methods=["GET"])


def _answer(request: Request, desk: Desk, key: str, size: int) -> Response:
    kind = content_type(key)
    place = "inline" if kind.startswith(SHOWN) else "attachment"
    etag = f'"{hashlib.sha256(f"{key}:{size}".encode()).hexdigest()[:24]}"'  # a key's bytes never change
    headers = {
        "Content-Disposition": f'{place}; filename="{PurePosixPath(key).name}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=60",
        "ETag": etag,
    }
    part = _range(request.headers.get("range", ""), size) if request.headers.get("if-range", etag) == etag else None
    if part is not None and part[1] < 0:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    start, length = part or (0, size)
    headers["Content-Length"] = str(length)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
    pieces = desk.storage.open(key, start, length) if request.method == "GET" else _nothing()
    return StreamingResponse(pieces, 206 if part is not None else 200, headers, kind)


def _range(header: str, size: int) -> tuple[int, int] | None:
    """(start, length) of the one range asked for; None for the whole file; a length of -1 if it lies outside.

    Several ranges, or another unit, are answered with the whole file, as RFC 9110 §14.2 allows.
    """
    found = RANGE.fullmatch(header.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:  # the last n bytes
        length = min(int(last), size)
        return (size - length, length) if length else (0, -1)
    start, end = int(first), min(int(last) if last else size - 1, size - 1)
    if last and int(last) < start:
        return None
    return (start, end - start + 1) if start < size else (0, -1)


async def _nothing() -> AsyncIterator[bytes]:
    for piece in ():
        yield piece
