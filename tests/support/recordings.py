"""Recorded exchanges with a ComfyUI, replayed on an engine and compared: the same frames and answers, but for ids.

A recording is a JSONL file, one event a line, in order:
    {"dir": "ws-open", "client": "A", "path": "/ws?clientId=A"}      {"dir": "ws-close", "client": "A"}
    {"dir": "ws>", "client": "A", "msg": {...}} or {"raw": "..."}    {"dir": "ws<", "client": "A", "msg"|"binary": ...}
    {"dir": "http>", "method", "path", "body"|"raw", "headers"}      {"dir": "http<", "status", "body"|"text"|"length"}
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Event = dict[str, Any]
PATIENCE = 4.0
"""How long one awaited frame may take, s."""


def load(path: Path) -> list[Event]:
    return [json.loads(line) for line in path.read_text().splitlines()]


class Replay:
    """Performs the client's side of a recording on an engine and keeps what came back, event by event."""

    def __init__(self, url: str, events: list[Event]) -> None:
        self.url, self.events = url, events
        self.sockets: dict[str, ClientConnection] = {}
        self.frames: dict[str, list[Event]] = defaultdict(list)
        self.answers: list[Event] = []
        self.expected_frames: dict[str, list[Event]] = defaultdict(list)
        self.expected_answers: list[Event] = []
        self.readers: list[asyncio.Task[None]] = []
        self.last = 0.0
        self.ids: dict[str, str] = {}
        """Recorded prompt id → ours."""

    async def run(self) -> None:
        async with httpx2.AsyncClient(base_url=self.url, timeout=10) as http:
            for index, event in enumerate(self.events):
                await self._perform(http, event, self.events[index + 1 :])
            for client in list(self.sockets):
                await self._caught_up(client)
            await asyncio.sleep(0.05)
        for reader in self.readers:
            reader.cancel()
        for socket in self.sockets.values():
            await socket.close()

    async def _perform(self, http: httpx2.AsyncClient, event: Event, rest: list[Event]) -> None:
        gap, self.last = event.get("t", 0.0) - self.last, event.get("t", 0.0)
        if gap > 1.0 and event["dir"] != "ws<":  # the recording waited on purpose
            await asyncio.sleep(min(gap, 2.0))
        match event["dir"]:
            case "ws-open":
                await self._queue_is(http, _greeting(event, rest))
                await self._open(event)
            case "ws-close":
                for client in list(self.sockets):
                    await self._caught_up(client)
                await self.sockets.pop(event["client"]).close()
            case "ws>":
                raw = event["raw"] if "raw" in event else json.dumps(event["msg"])
                await self.sockets[event["client"]].send(raw)
            case "ws<":
                self.expected_frames[event["client"]].append(event)
            case "http>":
                await self._request(http, event, rest)
            case _:
                return

    async def _queue_is(self, http: httpx2.AsyncClient, remaining: int) -> None:
        """Waits until the queue is as long as it was when the recorded socket connected; not for ever."""
        for _ in range(int(PATIENCE / 0.01)):
            if (await http.get("/prompt")).json()["exec_info"]["queue_remaining"] == remaining:
                return
            await asyncio.sleep(0.01)

    async def _open(self, event: Event) -> None:
        socket = await connect(self.url.replace("http", "ws", 1) + event["path"], max_size=None)
        self.sockets[event["client"]] = socket
        self.readers.append(asyncio.create_task(self._read(event["client"], socket)))
        await self._caught_up(event["client"], extra=1)

    async def _read(self, client: str, socket: ClientConnection) -> None:
        try:
            async for frame in socket:
                if isinstance(frame, str):
                    self.frames[client].append({"msg": json.loads(frame)})
                else:
                    self.frames[client].append({"binary": {"event": int.from_bytes(frame[:4], "big")}})
        except ConnectionClosed:
            return

    async def _caught_up(self, client: str, extra: int = 0) -> None:
        """Waits until as many frames have come as were recorded up to here; not for ever."""
        wanted = len(self.expected_frames[client]) + extra
        for _ in range(int(PATIENCE / 0.005)):
            if len(self.frames[client]) >= wanted or client not in self.sockets:
                return
            await asyncio.sleep(0.005)

    async def _request(self, http: httpx2.AsyncClient, event: Event, rest: list[Event]) -> None:
        for client in list(self.sockets):
            await self._caught_up(client)
        recorded = next((later for later in rest if later["dir"] == "http<"), None)
        answer = await self._send(http, event)
        wanted = recorded.get("body") if recorded else None
        for _ in range(400):  # a recorded answer that has the entry was polled for
            if not (event["path"].startswith("/history/") and wanted and answer.text == "{}"):
                break
            await asyncio.sleep(0.01)
            answer = await self._send(http, event)
        if recorded is not None:
            self.expected_answers.append({**recorded, "request": f"{event['method']} {event['path']}"})
            self.answers.append(_answer(answer))
            if event["path"] == "/prompt" and answer.status_code == 200 and recorded.get("body"):
                ours = answer.json().get("prompt_id")
                self.ids[str(recorded["body"].get("prompt_id"))] = str(ours)

    async def _send(self, http: httpx2.AsyncClient, event: Event) -> httpx2.Response:
        path, headers = event["path"], dict(event.get("headers") or {})
        for recorded, ours in {**self.ids, **self._files()}.items():
            path = path.replace(recorded, ours) if len(recorded) > 8 else path
        if "Origin" in headers and "127.0.0.1:8" in headers["Origin"]:
            headers["Origin"] = self.url
        content: bytes | None = None
        if "body" in event:
            text = json.dumps(event["body"])
            for recorded, ours in self.ids.items():
                text = text.replace(f'"{recorded}"', f'"{ours}"') if len(recorded) > 8 else text
            content = text.encode()
        elif "raw" in event:
            content = event["raw"].encode()
        return await http.request(event["method"], path, content=content, headers=headers)

    def _files(self) -> dict[str, str]:
        """Recorded output file → ours, by their place among the executed frames."""
        found: dict[str, str] = {}
        for client, recorded in self.expected_frames.items():
            found |= dict(zip(_made(recorded), _made(self.frames[client]), strict=False))
        return found


def _greeting(event: Event, rest: list[Event]) -> int:
    """The length of the queue that a recorded socket was told of first."""
    statuses = (later for later in rest if later.get("client") == event["client"] and _is_status(later))
    return _remaining(next(statuses, {}))


def _made(frames: list[Event]) -> list[str]:
    outputs = [frame["msg"]["data"]["output"] for frame in frames if frame.get("msg", {}).get("type") == "executed"]
    return [
        item["filename"] for output in outputs if output for item in output.get("images", ()) if isinstance(item, dict)
    ]


def _answer(response: httpx2.Response) -> Event:
    found: Event = {"status": response.status_code, "length": len(response.content)}
    if response.headers.get("content-type", "").startswith("application/json"):
        found["body"] = json.loads(response.content)
    else:
        found["text"] = response.text
    return found


# --- comparing -------------------------------------------------------------------------------------------------

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_COUNTER = re.compile(r"_\d{5}_")
_SID = re.compile(r"^[0-9a-f]{32}$")
_PLACE = re.compile(r"'/[^']*/")
_TEMP = re.compile(r"ComfyUI_temp_[a-z]{5}")
_VOLATILE = {"timestamp", "create_time", "traceback", "current_inputs", "execution_start_time", "execution_end_time"}
_UNORDERED = {"executed", "current_outputs", "dependent_outputs"}


def plain(value: Any, key: str = "") -> Any:
    """A value without what differs from run to run."""
    if key in _VOLATILE:
        return "*"
    if isinstance(value, Mapping):
        return {_UUID.sub("*", name): plain(item, name) for name, item in value.items() if name != "tooltip"}
    if isinstance(value, list):
        items = [plain(item) for item in value]
        if key in _UNORDERED or key in {"nodes", "errors"}:
            items.sort(key=lambda item: json.dumps(item, sort_keys=True))
        return items
    if isinstance(value, str):
        value = _COUNTER.sub("_#_", _TEMP.sub("ComfyUI_temp_*", value))
        return _UUID.sub("*", _SID.sub("*", _PLACE.sub("'…/", value)))
    return value


def frames_differ(expected: list[Event], found: list[Event], *, closed: bool = False) -> str:
    """The first difference between two streams of frames; empty if there is none.

    Of a socket that the client closed, the frames that were recorded are compared: what came later raced with that.

    Status frames tell of every change of the queue, whoever made it. With one prompt at a time they stand in one
    order with the others; where several were under way, they raced, and only their number and the last are compared.
    """
    found = found[: len(expected)] if closed else found
    if all(_remaining(event) <= 1 for event in expected):
        return _streams_differ(expected, found)
    other = _streams_differ(*([event for event in side if not _is_status(event)] for side in (expected, found)))
    statuses = [[_remaining(event) for event in side if _is_status(event)] for side in (expected, found)]
    same = len(statuses[0]) == len(statuses[1]) and statuses[0][-1:] == statuses[1][-1:]
    return other or ("" if same else f"status: recorded {statuses[0]}, got {statuses[1]}")


def _streams_differ(expected: list[Event], found: list[Event]) -> str:
    wanted, got = [_frame(event) for event in expected], [_frame(event) for event in found]
    for index, (left, right) in enumerate(zip(wanted, got, strict=False)):
        if left != right:
            return f"frame {index}: recorded {left}, got {right}"
    if len(wanted) == len(got):
        return ""
    more = (wanted if len(wanted) > len(got) else got)[min(len(wanted), len(got))]
    return f"{len(wanted)} frames recorded, {len(got)} came; the first odd one: {more}"


def _remaining(event: Event) -> int:
    return event["msg"]["data"]["status"]["exec_info"]["queue_remaining"] if _is_status(event) else 0


def _is_status(event: Event) -> bool:
    return event.get("msg", {}).get("type") == "status"


def _frame(event: Event) -> str:
    if "binary" in event:
        return f"binary {event['binary']['event']}"
    return json.dumps(plain(event["msg"]), sort_keys=True)


def answers_differ(expected: list[Event], found: list[Event], *, first_number: bool = True) -> str:
    """The first difference between recorded and given answers; empty if there is none."""
    for wanted, got in zip(expected, found, strict=False):
        if wanted["status"] != got["status"]:
            return f"{wanted['request']}: status {wanted['status']} recorded, got {got['status']} {got.get('body')}"
        if "body" in wanted:
            left, right = (json.dumps(_unnumbered(plain(side.get("body"))), sort_keys=True) for side in (wanted, got))
            if left != right:
                return f"{wanted['request']}:\n  recorded {left}\n  got      {right}"
    return "" if len(expected) == len(found) else f"{len(expected)} answers recorded, {len(found)} came"


def _unnumbered(body: Any) -> Any:
    """Without queue numbers: a recording's server had served other prompts before."""
    if isinstance(body, dict):
        return {
            name: "#" if name in {"number", "priority"} else _item(item) if name == "prompt" else _unnumbered(item)
            for name, item in body.items()
        }
    if isinstance(body, list):
        return [_unnumbered(_item(item)) for item in body]
    return body


def _item(item: Any) -> Any:
    """A queue item: number hidden, outputs to run in any order."""
    if isinstance(item, list) and len(item) == 5 and isinstance(item[0], (int, float)) and isinstance(item[4], list):
        return ["#", *item[1:4], sorted(item[4])]
    return item
