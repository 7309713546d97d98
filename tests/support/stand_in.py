"""A stand-in for a provider's HTTP API: plays a list of exchanges on loopback, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class StandIn:
    """Answers the requests in the order of `answers`; the last one is repeated."""

    def __init__(self, answers: Sequence[Mapping[str, Any]]) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.url = ""
        self._lock = threading.Lock()

    def play(self, answers: Sequence[Mapping[str, Any]]) -> None:
        """Begins another list of answers."""
        with self._lock:
            self.answers, self.asked = list(answers), []

    def answer(self, asked: dict[str, Any]) -> Mapping[str, Any]:
        with self._lock:
            number = min(len(self.asked), len(self.answers) - 1)
            self.asked.append(asked)
            return self.answers[number]


@contextmanager
def served(answers: Sequence[Mapping[str, Any]], port: int = 0) -> Iterator[StandIn]:
    """The stand-in, while it listens. An answer has `status`, `headers`, `delay`, and `json` or `body` (bytes or text).

    `$BASE` in an answer is the stand-in's own address.
    """
    stand_in = StandIn(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._play()

        do_POST = do_GET  # noqa: N815 - http.server's name

        def _play(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            asked = {"line": f"{self.command} {self.path}", "headers": self.headers, "body": self.rfile.read(length)}
            answer = stand_in.answer(asked)
            time.sleep(answer.get("delay", 0))
            try:
                self._write(answer)
            except OSError:
                self.close_connection = True  # who asked has gone

        def _write(self, answer: Mapping[str, Any]) -> None:
            body = answer.get("body", b"")
            if "json" in answer:
                body = json.dumps(answer["json"]).replace("$BASE", stand_in.url)
            data = body.encode() if isinstance(body, str) else body
            kind = "application/json" if "json" in answer else "application/octet-stream"
            headers = {"Content-Type": kind, "Content-Length": str(len(data)), **answer.get("headers", {})}
            self.send_response(answer.get("status", 200))
            for name, value in headers.items():
                self.send_header(name, str(value).replace("$BASE", stand_in.url))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def form(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a multipart request by name: text, or (file name, type, bytes); a list where a name comes twice."""
    head = f"Content-Type: {asked['headers']['content-type']}\r\n\r\n".encode()
    parsed = BytesParser().parsebytes(head + asked["body"])
    found: dict[str, Any] = {}
    for part in parsed.get_payload():
        assert isinstance(part, Message)
        name, file = part.get_param("name", header="content-disposition"), part.get_filename()
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        value = (file, part.get_content_type(), data) if file else data.decode()
        found[str(name)] = [*_listed(found[str(name)]), value] if str(name) in found else value
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
