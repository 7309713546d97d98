"""For tests of engines: graphs, a fast clock, and a ComfyUI whose every answer is scripted."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.config import Config
from uvicorn.server import ServerState

from runner.engine.base import EngineEvent, Outcome, Submission
from runner.engine.client import ComfyClient
from runner.engine.http import Timing

FAST = Timing(
    connect=10.0,
    request=10.0,
    silence=0.15,
    poll=0.3,
    settle=0.05,
    late=0.5,
    refused=0.5,
    patience=2.0,
    deaf=0.5,
    stop=1.0,
)
FILE = {"filename": "a.png", "subfolder": "s", "type": "output"}


def new_id() -> str:
    return str(uuid.uuid4())


def picture(colour: int = 1, prefix: str = "t") -> dict[str, Any]:
    """Two nodes: a plain picture, saved. Core nodes of every ComfyUI."""
    return {
        "make": {"class_type": "EmptyImage", "inputs": {"width": 16, "height": 8, "batch_size": 1, "color": colour}},
        "save": {"class_type": "SaveImage", "inputs": {"images": ["make", 0], "filename_prefix": prefix}},
    }


def submission(prompt: dict[str, Any] | None = None, **more: Any) -> Submission:
    return Submission(more.pop("prompt_id", new_id()), prompt or picture(), **more)


async def drive(client: ComfyClient, wanted: Submission) -> tuple[list[EngineEvent], Outcome]:
    """Everything that a run tells, and its Outcome, which must come last and once."""
    items = [item async for item in client.run(wanted)]
    outcome = items.pop()
    assert isinstance(outcome, Outcome)
    events = [item for item in items if not isinstance(item, Outcome)]
    assert len(events) == len(items)
    return events, outcome


def kinds(events: Iterable[object]) -> list[str]:
    return [type(event).__name__ for event in events]


async def eventually(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Waits until it holds. Errors: TimeoutError."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  nobody tells when
            await asyncio.sleep(0.005)


class ScriptedComfyUI:
    """Answers as told, remembers what it was asked. The default is an engine that takes prompts and never runs them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        """(method, path, JSON body or headers) of each request, sockets as ("WS", "open" | "close", client_id)."""
        self.running: list[str] = []
        self.pending: list[str] = []
        self.history: dict[str, Any] = {}
        self.on_prompt: list[Callable[[dict[str, Any]], Response | None]] = []
        """One for each POST /prompt in turn; None or an empty list: accept."""
        self.on_get: dict[str, Callable[[Request], Response]] = {}
        self.on_interrupt: Callable[[str], None] = lambda _prompt_id: None
        self.sockets: dict[str, WebSocket] = {}
        self.headers: list[dict[str, str]] = []
        self.stats: dict[str, Any] = {"system": {"comfyui_version": "0.0.1", "argv": ["main.py"]}, "devices": []}
        self.url = ""
        self._state = ServerState()

    def posts(self, path: str) -> list[Any]:
        return [body for method, asked, body in self.asked if (method, asked) == ("POST", path)]

    async def say(self, *frames: dict[str, Any] | str | bytes) -> None:
        """Sends frames to every socket."""
        for one in list(self.sockets.values()):
            for frame in frames:
                if isinstance(frame, dict):
                    await one.send_json(frame)
                else:
                    await (one.send_bytes(frame) if isinstance(frame, bytes) else one.send_text(frame))

    async def heard(self, method: str, path: str) -> None:
        """Waits until it was asked so."""
        await eventually(lambda: any(entry[:2] == (method, path) for entry in self.asked))

    def drop_sockets(self) -> None:
        for connection in list(self._state.connections):
            if "WebSocket" in type(connection).__name__:
                connection.transport.abort()  # type: ignore[union-attr]

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncGenerator[ScriptedComfyUI]:
        routes = [
            Route("/prompt", self._post_prompt, methods=["POST"]),
            Route("/{rest:path}", self._get, methods=["GET"]),
            Route("/{rest:path}", self._post, methods=["POST"]),
            WebSocketRoute("/ws", self._ws),
        ]
        config = Config(
            Starlette(routes=routes), ws="websockets-sansio", lifespan="off", log_config=None, access_log=False
        )
        config.load()
        loop = asyncio.get_running_loop()
        listener = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def protocol() -> asyncio.Protocol:
            return config.http_protocol_class(config=config, server_state=self._state, app_state={}, _loop=loop)  # type: ignore[call-arg]

        server = await loop.create_server(protocol, sock=listener)
        try:
            yield self
        finally:
            server.close()
            for connection in list(self._state.connections):
                connection.transport.abort()  # type: ignore[union-attr]
            for task in list(self._state.tasks):
                task.cancel()
            await asyncio.gather(*self._state.tasks, return_exceptions=True)

    async def _post_prompt(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(("POST", "/prompt", body))
        self.headers.append(dict(request.headers))
        answer = self.on_prompt.pop(0)(body) if self.on_prompt else None
        if answer is None:
            self.pending.append(body["prompt_id"])
            answer = JSONResponse({"prompt_id": body["prompt_id"], "number": 1, "node_errors": {}})
        return answer

    async def _get(self, request: Request) -> Response:
        path = request.url.path
        self.asked.append(("GET", path, dict(request.query_params)))
        for start, answer in self.on_get.items():
            if path.startswith(start):
                return answer(request)
        if path == "/queue":
            items = [[n, one, {}, {"key": "k"}, []] for n, one in enumerate([*self.running, *self.pending])]
            cut = len(self.running)
            return JSONResponse({"queue_running": items[:cut], "queue_pending": items[cut:]})
        if path.startswith("/history/"):
            prompt_id = path.rpartition("/")[2]
            return JSONResponse({prompt_id: self.history[prompt_id]} if prompt_id in self.history else {})
        if path == "/prompt":
            return JSONResponse({"exec_info": {"queue_remaining": len(self.running) + len(self.pending)}})
        if path == "/system_stats":
            return JSONResponse(self.stats)
        return PlainTextResponse("404: Not Found", 404)

    async def _post(self, request: Request) -> Response:
        path = request.url.path
        body = await request.json() if "json" in request.headers.get("content-type", "") else await request.form()
        self.asked.append(("POST", path, body))
        if path == "/queue":
            self.pending = [prompt_id for prompt_id in self.pending if prompt_id not in body["delete"]]
        if path == "/history":
            self.history = {key: value for key, value in self.history.items() if key not in body["delete"]}
        if path == "/interrupt":
            self.on_interrupt(body["prompt_id"])
        if path == "/upload/image":
            return JSONResponse({"name": "given (1).png", "subfolder": str(body["subfolder"]), "type": "input"})
        return Response()

    async def _ws(self, one: WebSocket) -> None:
        client_id = one.query_params["clientId"]
        await one.accept()
        self.asked.append(("WS", "open", client_id))
        self.sockets[client_id] = one
        await one.send_json(
            {"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 0}}, "sid": client_id}}
        )
        try:
            while True:
                await one.receive_text()
        except WebSocketDisconnect:
            pass
        finally:
            self.asked.append(("WS", "close", client_id))
            self.sockets.pop(client_id, None)  # as ComfyUI does it: by id, whoever is registered


def entry(
    prompt_id: str, *messages: tuple[str, dict[str, Any]], outputs: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A history entry; the last message says how it ended."""
    said = messages or (("execution_success", {"prompt_id": prompt_id}),)
    success = said[-1][0] == "execution_success"
    return {
        "prompt": [
            1,
            prompt_id,
            {"save": {"class_type": "SaveImage", "inputs": {"text": "private words"}}},
            {},
            ["save"],
        ],
        "outputs": {"save": {"images": [FILE]}} if outputs is None else outputs,
        "status": {
            "status_str": "success" if success else "error",
            "completed": success,
            "messages": [["execution_start", {"prompt_id": prompt_id}], *map(list, said)],
        },
    }


def settled(prompt_id: str) -> dict[str, Any]:
    return {"type": "executing", "data": {"node": None, "prompt_id": prompt_id}}
