"""A provider's declaration, a payload and media → the HTTP request. Pure: reads no environment, opens no socket."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .declaration import HERE, Provider, Route, Slot
from .errors import BadInput
from .media import Media
from .paths import found, put, taken

MARK = "$media"
"""`{"$media": "image1"}` in a payload is that medium: it goes there, and not where the declaration says."""
_NAME = re.compile(r"\{(\w+)\}")
_PLAIN = re.compile(r"[A-Za-z0-9][\w.:@-]*(/[A-Za-z0-9][\w.:@-]*)*")

Given = Mapping[str, Sequence[Media]]
"""Sort of medium (`image`, `mask`, `video`) → the media."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, its headers for authentication left out."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    question: bool = False
    """True of a POST that begins no work, and may be sent again whatever became of it."""

    @property
    def asks(self) -> bool:
        """True if it begins no work."""
        return self.question or self.method == "GET"


def parsed(text: str) -> dict[str, Any]:
    """The payload.

    Errors: BadInput if it is no JSON object.
    """
    try:
        payload = json.loads(text or "{}", parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"payload: is not JSON ({error})") from None
    if not isinstance(payload, dict):
        raise BadInput("payload: is not a JSON object")
    return payload


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number there")


def built(
    provider: Provider, base: str, variables: Mapping[str, str], payload: Mapping[str, Any], media: Given
) -> tuple[Request, Route, str]:
    """The request that starts the work, the route that it takes, and the model's name.

    Errors: BadInput for media or a model that no route takes, for too many pictures, and for names that do not fit
    into a URL.
    """
    body = deepcopy(dict(payload))
    model = str(next(iter(found(body, provider.model)), ""))
    route = _route(provider, model, frozenset(sort for sort, given in media.items() if given))
    placed = _marked(body, route, media)
    rest = {
        sort: [one for number, one in enumerate(given) if (sort, number) not in placed] for sort, given in media.items()
    }
    files = _placed(provider, route, body, rest)
    url = base.rstrip("/") + _filled(route.path, variables, body)
    try:
        content_type, data = _multipart(body, files) if route.multipart else ("application/json", _json(body))
    except UnicodeEncodeError:
        raise BadInput("payload: holds a character that cannot be sent: half of a surrogate pair") from None
    headers = {"Content-Type": content_type, "Accept": "application/json", **provider.headers, **route.headers}
    return Request("POST", url, headers, data), route, model


def _route(provider: Provider, model: str, given: frozenset[str]) -> Route:
    for route in provider.routes:
        if route.takes(model, given):
            return route
    carried = ", ".join(sorted(given)) or "no media"
    raise BadInput(f"payload: {provider.title} has no operation for the model {model!r} with {carried}")


def _filled(path: str, variables: Mapping[str, str], body: dict[str, Any]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1]
        text = variables.get(name) or taken(body, name)
        if text is None:
            raise BadInput(f"payload: {name!r} is missing; it is part of the address")
        return segment(name, str(text))

    return _NAME.sub(value, path)


def segment(name: str, text: str) -> str:
    """A text as part of a URL's path.

    Errors: BadInput if it could lead elsewhere: `..`, an empty part, a query.
    """
    if not _PLAIN.fullmatch(text):
        raise BadInput(f"payload.{name}: {text!r} cannot be part of an address")
    return quote(text, safe="/:@")


# --- media that the payload places -----------------------------------------------------------------------------


def _marked(body: dict[str, Any], route: Route, media: Given) -> set[tuple[str, int]]:
    """Replaces the payload's marks, and tells which media they took."""
    placed: set[tuple[str, int]] = set()
    forms = {slot.medium: slot.form for slot in reversed(route.slots)}

    def walk(value: Any) -> Any:
        if isinstance(value, dict) and MARK in value:
            sort, number = _named(str(value[MARK]), media)
            placed.add((sort, number))
            return media[sort][number].encoded(_form(value.get("as", forms.get(sort, "data"))))
        if isinstance(value, dict):
            return {name: walk(one) for name, one in value.items()}
        return [walk(one) for one in value] if isinstance(value, list) else value

    body.update(walk(body))
    return placed


def _form(form: Any) -> str:
    if form not in ("data", "base64"):
        raise BadInput(f"payload: as is {form!r}. Write data or base64")
    return form


def _named(name: str, media: Given) -> tuple[str, int]:
    sort = name.rstrip("0123456789")
    number = int(name[len(sort) :] or 1) - 1
    if not 0 <= number < len(media.get(sort, ())):
        raise BadInput(f"payload: {MARK} names {name!r}, which is not connected")
    return sort, number


# --- media that the declaration places -------------------------------------------------------------------------


def _placed(provider: Provider, route: Route, body: dict[str, Any], media: Given) -> list[tuple[str, Media]]:
    """Writes the media into the body; of a multipart request, gives its files."""
    if len(media.get("image", ())) > provider.images:
        raise BadInput(f"image: {provider.title} takes at most {provider.images} pictures")
    left = {sort: list(enumerate(given)) for sort, given in media.items()}
    files: list[tuple[str, Media]] = []
    for slot in route.slots:
        here = [pair for pair in left.get(slot.medium, ()) if _belongs(slot, pair[0])]
        left[slot.medium] = [pair for pair in left.get(slot.medium, ()) if pair not in here]
        if route.multipart:
            files += [(slot.several if len(here) > 1 and slot.several else slot.at, one) for _, one in here]
        else:
            _write(body, slot, [one for _, one in here])
    for sort, rest in left.items():
        if rest:
            raise BadInput(f"{sort}: {provider.title} has no place for {len(rest)} of them in this operation")
    return files


def _belongs(slot: Slot, number: int) -> bool:
    return slot.first <= number and (slot.count is None or number < slot.first + slot.count)


def _write(body: dict[str, Any], slot: Slot, media: Sequence[Media]) -> None:
    at = slot.several if slot.several and len(media) > 1 else slot.at
    for number, one in enumerate(media):
        try:
            put(body, at.replace("#", str(slot.first + number + 1)), _wrapped(slot.wrap, one, slot.form))
        except (TypeError, ValueError, IndexError):
            raise BadInput(f"payload: {at!r} is taken by something else; a {slot.medium} goes there") from None


def _wrapped(wrap: Any, one: Media, form: str) -> Any:
    if isinstance(wrap, dict):
        return {name: _wrapped(value, one, form) for name, value in wrap.items()}
    if wrap == HERE:
        return one.encoded(form)
    return one.mime if wrap == "$mime" else wrap


# --- bodies ----------------------------------------------------------------------------------------------------


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _multipart(body: Mapping[str, Any], files: Sequence[tuple[str, Media]]) -> tuple[str, bytes]:
    """RFC 7578. The boundary is a digest of the content: equal calls are equal byte for byte."""
    parts = [(f'name="{_quoted(name)}"', "", _field(value)) for name, value in body.items() if value is not None]
    parts += [
        (f'name="{_quoted(name)}"; filename="{one.name}"', f"Content-Type: {one.mime}\r\n", one.data)
        for name, one in files
    ]
    boundary = "comfyc-" + hashlib.sha256(b"\0".join(data for _, _, data in parts)).hexdigest()[:32]
    written = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {name}\r\n{kind}\r\n".encode() + data + b"\r\n"
        for name, kind, data in parts
    )
    return f"multipart/form-data; boundary={boundary}", written + f"--{boundary}--\r\n".encode()


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _field(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value, ensure_ascii=False).encode()
