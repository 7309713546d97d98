"""Scenarios of the engine's contract: steps in a table, performed on any engine that speaks ComfyUI's protocol.

A frame is compared as a short text (`say`), after a check that it has exactly its fields (FIELDS).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any, Final

import httpx2
from websockets.asyncio.client import ClientConnection, connect

Json = dict[str, Any]

FIELDS: Final[Mapping[str, set[str]]] = {
    "status": {"status"},
    "execution_start": {"prompt_id", "timestamp"},
    "execution_cached": {"nodes", "prompt_id", "timestamp"},
    "progress_state": {"prompt_id", "nodes"},
    "executing": {"node", "display_node", "prompt_id"},
    "progress": {"value", "max", "prompt_id", "node"},
    "executed": {"node", "display_node", "output", "prompt_id"},
    "execution_success": {"prompt_id", "timestamp"},
    "execution_interrupted": {"prompt_id", "node_id", "node_type", "executed", "timestamp"},
    "execution_error": {
        "prompt_id", "node_id", "node_type", "executed", "exception_message", "exception_type", "traceback",
        "current_inputs", "current_outputs", "timestamp",
    },
}  # fmt: skip
"""Message type → the fields of its data. The first status has `sid` too, the last executing no display_node."""

NODE_FIELDS: Final = {
    "value", "max", "state", "node_id", "prompt_id", "display_node_id", "parent_node_id", "real_node_id",
}  # fmt: skip
PATIENCE: Final = 60.0


def say(frame: str | bytes) -> str:
    """One frame in short: `status 1`, `executing a`, `progress_state a=1/1! b=0/1` (`!`: finished)."""
    if isinstance(frame, bytes):
        return f"binary {int.from_bytes(frame[:4], 'big')}"
    message = json.loads(frame)
    kind, data = message["type"], message["data"]
    check_fields(kind, data)
    match kind:
        case "status":
            return f"status {data['status']['exec_info']['queue_remaining']}{' hello' if 'sid' in data else ''}"
        case "execution_cached":
            return " ".join(["execution_cached", *sorted(data["nodes"])])
        case "progress_state":
            states = [f"{node}={_share(entry)}" for node, entry in data["nodes"].items()]
            return " ".join(["progress_state", *states])
        case "executing":
            return f"executing {data['node'] or '-'}{'' if 'prompt_id' in data else ' again'}"
        case "progress":
            return f"progress {data['node']} {data['value']}/{data['max']}"
        case "executed":
            shown = [f"{key}:{len(items)}" for key, items in (data["output"] or {}).items()]
            return " ".join(["executed", data["node"], *sorted(shown)])
        case "execution_error":
            return f"execution_error {data['node_id']} {data['exception_type']}"
        case "execution_interrupted":
            return f"execution_interrupted {data['node_id']}"
        case _:
            return kind


def check_fields(kind: str, data: Json) -> None:
    """Raises AssertionError where a frame lacks a field or has one more."""
    expected = FIELDS.get(kind)
    if expected is None:
        return
    if kind == "status" and "sid" in data:
        expected = expected | {"sid"}
    if kind == "executing" and data["node"] is None:
        expected = expected - {"display_node"}
    if kind == "executing" and "prompt_id" not in data:
        expected = {"node"}
    assert set(data) == expected, f"{kind}: {sorted(data)}"
    for entry in data["nodes"].values() if kind == "progress_state" else ():
        assert set(entry) == NODE_FIELDS, sorted(entry)


def _share(entry: Json) -> str:
    return f"{entry['value']:g}/{entry['max']:g}{'!' if entry['state'] == 'finished' else ''}"


class Exchange:
    """One scenario on one engine: sockets by name, prompts by name, and what came back."""

    def __init__(self, url: str, graphs: Mapping[str, Json], nonce: int) -> None:
        self.url, self.graphs = url, graphs
        self.nonce, self.made = nonce, 0
        self.http = httpx2.AsyncClient(base_url=url, timeout=30)
        self.sockets: dict[str, ClientConnection] = {}
        self.names: dict[str, Any] = {}
        """`$name` in a step → its value: prompt ids, file names, the scenario's own number."""

    async def close(self) -> None:
        for socket in self.sockets.values():
            await socket.close()
        await self.http.aclose()

    async def perform(self, step: Json) -> None:
        """One step; the key that names a method below says what it is."""
        kind = next(iter(step))
        await getattr(self, f"do_{kind}")(step[kind], step)

    # --- steps ---

    async def do_open(self, name: str, step: Json) -> None:
        """Opens a socket; `as` is its client id where it is not the socket's own name."""
        sid = f"{step.get('as', name)}-{self.nonce}"
        uri = f"{self.url.replace('http', 'ws', 1)}/ws?clientId={sid}"
        self.sockets[name] = await connect(uri, max_size=None, max_queue=None)
        if "flags" in step:
            await self.sockets[name].send(json.dumps({"type": "feature_flags", "data": step["flags"]}))
        hello = say(await self._next(name))
        assert hello.startswith("status ")
        assert hello.endswith(" hello")

    async def do_close(self, name: str, step: Json) -> None:
        await self.sockets.pop(name).close()

    async def do_send(self, name: str, step: Json) -> None:
        await self.sockets[name].send(step["text"])

    async def do_post(self, graph: str, step: Json) -> None:
        """POST /prompt with a graph of the table; `save` names its prompt id, `expect` is part of the answer."""
        body: Json = {"prompt": self._filled(self.graphs[graph]), **self._filled(step.get("body", {}))}
        if "client" in step:
            body["client_id"] = f"{step['client']}-{self.nonce}"
        answer = await self.http.post("/prompt", json=body)
        assert answer.status_code == step.get("status", 200), answer.text
        if answer.status_code == 200:
            assert set(answer.json()) == {"prompt_id", "number", "node_errors"}
            self.names[step.get("save", "p")] = answer.json()["prompt_id"]
        if "expect" in step:
            self._matches(answer.json(), step["expect"])

    async def do_frames(self, wanted: list[str], step: Json) -> None:
        """The next frames on socket `of`, exactly these; status frames only where they are written."""
        statuses = any(text.startswith("status") for text in wanted)
        found: list[str] = []
        while len(found) < len(wanted):
            text = say(await self._next(step["of"]))
            if statuses or not text.startswith("status"):
                found.append(text)
            assert found == wanted[: len(found)], f"after {found[:-1]} expected {wanted[len(found) - 1]}, got {text}"

    async def do_skip_to(self, wanted: str, step: Json) -> None:
        """Reads socket `of` up to this frame."""
        while say(await self._next(step["of"])) != wanted:
            pass

    async def do_silence(self, name: str, step: Json) -> None:
        """Nothing but status frames comes on this socket for a while."""
        until = time.monotonic() + step.get("seconds", 0.3)
        while (left := until - time.monotonic()) > 0:
            try:
                frame = await asyncio.wait_for(self.sockets[name].recv(), left)
            except TimeoutError:
                return
            assert step.get("statuses", True), frame
            assert say(frame).startswith("status"), frame

    async def do_call(self, line: str, step: Json) -> None:
        """`GET /path`, `POST /path`: `json` or `text` is sent; `status` and `expect` are compared; `save` keeps."""
        method, path = self._filled(line).split(" ", 1)
        content = json.dumps(self._filled(step["json"])) if "json" in step else step.get("text")
        headers = {name: value.replace("$url", self.url) for name, value in step.get("headers", {}).items()}
        answer = await self.http.request(method, path, content=content, headers=headers)
        assert answer.status_code == step.get("status", 200), f"{line}: {answer.status_code} {answer.text[:500]}"
        if "expect" in step:
            self._matches(answer.json(), step["expect"])
        if "starts" in step:
            assert answer.text.startswith(step["starts"]), answer.text
        for header, value in step.get("header", {}).items():
            assert answer.headers[header] == self._filled(value)

    async def do_upload(self, name: str, step: Json) -> None:
        """POST /upload/image with `bytes` (a text) under a name."""
        files = {"image": (self._filled(name), step.get("bytes", "x").encode())}
        answer = await self.http.post("/upload/image", files=files, data=self._filled(step.get("fields", {})))
        assert answer.status_code == step.get("status", 200), answer.text
        if "expect" in step:
            self._matches(answer.json(), step["expect"])

    async def do_finished(self, name: str, step: Json) -> None:
        """Waits until the prompt is in history; `expect` is part of its entry, `messages` are its events."""
        prompt_id = self.names[name]
        entry: Json = {}
        until = time.monotonic() + PATIENCE
        while not entry and time.monotonic() < until:
            entry = (await self.http.get(f"/history/{prompt_id}")).json().get(prompt_id, {})
            await asyncio.sleep(0.005)
        assert entry, f"{name} never came into history"
        assert set(entry) == {"prompt", "outputs", "status", "meta"}
        if "messages" in step:
            assert [kind for kind, _ in entry["status"]["messages"]] == step["messages"]
        if "expect" in step:
            self._matches(entry, step["expect"])
        if "outputs" in step:
            assert sorted(entry["outputs"]) == step["outputs"]

    async def do_pause(self, seconds: float, step: Json) -> None:
        await asyncio.sleep(seconds)

    async def do_fresh(self, name: str, step: Json) -> None:
        """From here on, `$unique` is another number: the same graph is not the same content."""
        self.made += 1

    # --- helpers ---

    async def _next(self, name: str) -> str | bytes:
        return await asyncio.wait_for(self.sockets[name].recv(), PATIENCE)

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._filled(key): self._filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._filled(item) for item in value]
        if value == "$unique":
            return (self.nonce * 31 + self.made) % 0xFFFFFF
        if isinstance(value, str) and "$" in value:
            for name, known in sorted(self.names.items(), key=lambda pair: -len(pair[0])):
                value = value.replace(f"${name}", str(known))
            return value.replace("$nonce", str(self.nonce))
        return value

    def _matches(self, found: Any, expected: Any, path: str = "answer") -> None:
        """Everything expected is there; more may be. A list is compared whole. `~` is an absent key, `...` anything."""
        if isinstance(expected, dict):
            for key, value in expected.items():
                name = self._filled(key)
                if value == "~":
                    assert name not in found, f"{path}.{name} is there: {found[name]}"
                    continue
                assert name in found, f"{path} lacks {name}: {found}"
                self._matches(found[name], value, f"{path}.{name}")
        elif isinstance(expected, list):
            assert len(found) == len(expected), f"{path}: {found}"
            for index, (left, right) in enumerate(zip(found, expected, strict=True)):
                self._matches(left, right, f"{path}[{index}]")
        elif expected != "...":
            assert found == self._filled(expected), f"{path}: {found!r} is not {self._filled(expected)!r}"
