"""One HTTP session to one engine: ComfyUI's JSON over httpx2, its failures as EngineError."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

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


class EngineHttp:
    """GET and POST on one engine; connections stay open between calls.

    It sits on httpx2's transport, without the client above it: three requests a prompt would cost 0.8 ms more, beside
    about 4 ms for a whole no-op prompt. So there are no cookies, redirects and proxies; nor an Origin header, at which
    ComfyUI answers 403.
    """

    def __init__(self, base_url: str, timing: Timing, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        url = httpx2.URL(base_url)
        self.base_url = str(url.copy_with(username=None, password=None)).rstrip("/")
        host = url.netloc.decode("ascii")
        self._headers = {"Host": host, "Accept": "*/*"}
        if url.userinfo:
            self._headers["Authorization"] = f"Basic {b64encode(unquote_to_bytes(url.userinfo)).decode()}"
        self._timeout = httpx2.Timeout(timing.request, connect=timing.connect).as_dict()
        self._transport = transport or httpx2.AsyncHTTPTransport(
            verify=url.scheme == "https",  # the certificates take 20 ms to load
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
        return await self._send("POST", path, content=encode(body), headers={"Content-Type": "application/json"})

    async def post_file(self, path: str, file: tuple[str, bytes, str], fields: Mapping[str, str]) -> Answer:
        """A multipart POST of `image` = (name, bytes, content type).

        The name travels as raw UTF-8: ComfyUI stores a percent-encoded one literally.
        """
        return await self._send("POST", path, files={"image": file}, data=dict(fields))

    async def _send(self, method: str, path: str, **options: Any) -> Answer:
        async with self._exchange(method, path, **options) as response:
            content = await response.aread()
        if response.status_code >= 500:
            raise Ambiguous(f"The engine answered {response.status_code}")
        return Answer(response.status_code, _json(content))

    def stream(self, path: str, params: Mapping[str, str]) -> AbstractAsyncContextManager[httpx2.Response]:
        """A GET whose body is read in pieces. Errors as in `get`; the status is the caller's to look at."""
        return self._exchange("GET", path, params=params)

    @asynccontextmanager
    async def _exchange(
        self,
        method: str,
        path: str,
        *,
        wait: float | None = None,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> AsyncGenerator[httpx2.Response]:
        timeout = self._timeout if wait is None else httpx2.Timeout(wait).as_dict()
        request = httpx2.Request(
            method,
            self.base_url + path,
            headers={**self._headers, **(headers or {})},
            extensions={"timeout": timeout},
            **body,
        )
        try:
            response = await self._transport.handle_async_request(request)
            response.request = request
            try:
                yield response
            finally:
                await response.aclose()
        except httpx2.ConnectTimeout:
            raise Ambiguous("The engine does not accept connections") from None
        except httpx2.ConnectError:
            raise Refused("Nobody listens at the engine's address") from None
        except httpx2.HTTPError as error:
            raise Ambiguous(f"The engine gave no answer ({type(error).__name__})") from None

    async def close(self) -> None:
        await self._transport.aclose()


def encode(body: Mapping[str, Any]) -> bytes:
    """Compact JSON. Errors: ValueError on NaN and Infinity, which are no JSON."""
    return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()


def _json(content: bytes) -> Any:
    """The body as JSON, NaN and Infinity included; None if it is none (ComfyUI has empty and plain-text answers)."""
    try:
        return json.loads(content)
    except ValueError:
        return None
