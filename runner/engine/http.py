"""One HTTP session to one engine: ComfyUI's JSON over httpx2, its failures as EngineError."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from runner.engine.base import EngineError, EngineUnreachable


@dataclass(frozen=True, slots=True)
class Timing:
    """How long to wait for what, in seconds. ComfyUI may be silent for a minute while it loads a model."""

    connect: float = 5.0
    """To open a connection."""
    request: float = 30.0
    """For the answer to one HTTP request."""
    silence: float = 5.0
    """Nothing heard of a prompt for so long: ask the lists."""
    poll: float = 10.0
    """The longest time between two such questions."""
    settle: float = 0.5
    """Between execution_success and the last frame; then ask."""
    late: float = 3.0
    """A prompt that is in no list for so long is lost: the lists change at different moments."""
    refused: float = 5.0
    """Nobody listens for so long: the process has ended, and its queue with it."""
    patience: float = 180.0
    """Connected but no answer for so long: unreachable."""
    deaf: float = 30.0
    """A running prompt's socket that is silent for so long is opened anew."""
    stop: float = 60.0
    """For a cancelled prompt to end: ComfyUI looks between nodes and sampler steps only."""


class Refused(EngineUnreachable):
    """Nobody listens at the address: nothing was sent."""


class Ambiguous(EngineUnreachable):
    """No usable answer: the request may or may not have been done."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body that was JSON, or None."""

    status: int
    body: Any


_JSON: Final = {"Content-Type": "application/json"}


class EngineHttp:
    """GET and POST on one engine; connections stay open between calls.

    No Origin header (ComfyUI answers 403 to a foreign one), no proxy and no cookies from the environment.
    """

    def __init__(self, base_url: str, timing: Timing, client: httpx2.AsyncClient | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._client = client or httpx2.AsyncClient(
            timeout=httpx2.Timeout(timing.request, connect=timing.connect),
            limits=httpx2.Limits(max_connections=32, keepalive_expiry=60.0),
            trust_env=False,
        )

    async def get(self, path: str, *, wait: float | None = None, **params: str) -> Any:
        """The JSON of a GET.

        Errors: EngineUnreachable without an answer or with 5xx, EngineError for another status than 200.
        """
        answer = await self._send("GET", path, params=params, wait=wait)
        if answer.status != 200:
            raise EngineError(f"GET {path.split('/')[1]} answered {answer.status}")
        return answer.body

    async def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """A POST of JSON. Errors: Refused if it was surely not done, Ambiguous if that is not known."""
        return await self._send("POST", path, content=encode(body), headers=_JSON)

    async def post_file(self, path: str, file: tuple[str, bytes, str], fields: Mapping[str, str]) -> Answer:
        """A multipart POST of `image` = (name, bytes, content type).

        The name travels as raw UTF-8: ComfyUI stores a percent-encoded one literally.
        """
        return await self._send("POST", path, files={"image": file}, data=dict(fields))

    async def _send(self, method: str, path: str, *, wait: float | None = None, **options: Any) -> Answer:
        if wait is not None:
            options["timeout"] = wait
        try:
            response = await self._client.request(method, self.base_url + path, **options)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise _refusal(error) from None
        except httpx2.HTTPError as error:
            raise Ambiguous(f"The engine gave no answer ({type(error).__name__})") from None
        if response.status_code >= 500:
            raise Ambiguous(f"The engine answered {response.status_code}")
        return Answer(response.status_code, _json(response.content))

    @asynccontextmanager
    async def stream(self, path: str, params: Mapping[str, str]) -> AsyncGenerator[httpx2.Response]:
        """A GET whose body is read in pieces. Errors as in `get`; the status is the caller's to look at."""
        try:
            async with self._client.stream("GET", self.base_url + path, params=dict(params)) as response:
                yield response
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise _refusal(error) from None
        except httpx2.HTTPError as error:
            raise Ambiguous(f"The engine broke off ({type(error).__name__})") from None

    async def close(self) -> None:
        await self._client.aclose()


def _refusal(error: httpx2.TransportError) -> EngineUnreachable:
    if isinstance(error, httpx2.ConnectTimeout):
        return Ambiguous("The engine does not accept connections")
    return Refused("Nobody listens at the engine's address")


def encode(body: Mapping[str, Any]) -> bytes:
    """Compact UTF-8 JSON. Errors: ValueError on NaN and Infinity, which are no JSON."""
    return json.dumps(body, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()


def _json(content: bytes) -> Any:
    """The body as JSON, NaN and Infinity included; None if it is none (ComfyUI has empty and plain-text answers)."""
    try:
        return json.loads(content)
    except ValueError:
        return None
