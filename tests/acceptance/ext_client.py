"""A client of the ext API that knows nothing but its contract: upload, create, poll, download, webhook.

    python tests/acceptance/ext_client.py --base http://127.0.0.1:8600 --key ext_…

It works against any server of that API, on any engine, unchanged; one that calls back to this machine must be let
(`COMFYC_ALLOW_HOSTS=127.0.0.1`). With `--secret whsec_…` it verifies the webhooks' signatures too. Exit status 0 if
all is as the contract says, else 1 with a line for each fault.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import httpx2
from PIL import Image
from standardwebhooks import Webhook

TOKEN = "callback-token-1"
ORDER = ["PENDING", "PROCESSING", "COMPLETED"]
ENDS = {"COMPLETED", "FAILED", "CANCELLED"}
MODELS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "wan22-t2i": ("img", {"width": 256, "height": 272, "seed": 5}),
    "illustrious-hentai-rx": ("img", {"width": 320, "height": 256, "negative_prompt": "blurry"}),
    "qwen-edit-advanced": ("img", {"target_size": 256, "file_id": "$first"}),
    "wan22-t2v": ("video", {"width": 256, "height": 256, "duration": 1}),
    "wan22-i2v": (
        "video",
        {"width": 256, "height": 256, "duration": 1, "file_id": "$first", "end_frame_file_id": "$last"},
    ),
}
"""Model → its path, and the fields of a small request."""


class Wrong(Exception):
    """The server does not do what the contract says."""


@dataclass
class Receiver:
    """Listens for webhooks."""

    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def about(self, ident: int) -> list[tuple[dict[str, str], bytes]]:
        return [(headers, body) for headers, body in self.got if json.loads(body)["id"] == ident]


def check(condition: object, text: str) -> None:
    if not condition:
        raise Wrong(text)


@asynccontextmanager
async def receiving(host: str) -> AsyncIterator[Receiver]:
    """A receiver on a free port of `host`."""
    receiver = Receiver()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            receiver.got.append((headers, await reader.readexactly(int(headers["content-length"]))))
            receiver.changed.set()
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, KeyError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, host, 0) as server:
        receiver.url = f"http://{host}:{server.sockets[0].getsockname()[1]}/hook?from=ext"
        yield receiver


def drawing(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (320, 240), colour).save(out, "PNG")
    return out.getvalue()


async def upload(api: httpx2.AsyncClient, colour: str) -> str:
    answer = await api.post("/api/v1/files", files={"file": ("a.png", drawing(colour), "image/png")})
    check(answer.status_code == 201, f"upload answered {answer.status_code}: {answer.text}")
    return answer.json()["file_id"]


async def create(api: httpx2.AsyncClient, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """POSTs until there is a free place in the queue."""
    while (answer := await api.post(f"/api/v1/{path}", json=body)).status_code == 429:  # noqa: ASYNC110  it is an API
        await asyncio.sleep(0.5)
    check(answer.status_code == 201, f"{body['model']}: create answered {answer.status_code}: {answer.text}")
    created = answer.json()
    check(created["status"] == "PENDING" and created["model"] == body["model"], f"create answered {created}")
    check(created["created_at"].endswith("Z"), f"created_at is {created['created_at']}")
    check(created.get("duration") == body.get("duration"), f"duration is {created.get('duration')}")
    return created


async def follow(api: httpx2.AsyncClient, path: str, ident: int, seconds: float) -> dict[str, Any]:
    """Polls to the end; states and percentages may only grow."""
    seen, end = {"status": "PENDING", "percentage": 0}, time.monotonic() + seconds
    while True:
        answer = await api.get(f"/api/v1/{path}/{ident}")
        check(answer.status_code == 200, f"poll answered {answer.status_code}: {answer.text}")
        now = answer.json()
        check((now["percentage"] or 0) >= (seen["percentage"] or 0), f"percentage fell to {now['percentage']}")
        if now["status"] in ORDER:
            check(ORDER.index(now["status"]) >= ORDER.index(seen["status"]), f"went back to {now['status']}")
        check((f"{KIND[path]}_url" in now) == (now["status"] == "COMPLETED"), f"{now['status']} with or without a URL")
        check(("error" in now) == (now["status"] == "FAILED"), f"{now['status']} with or without an error")
        if now["status"] in ENDS:
            return now
        check(time.monotonic() < end, f"still {now['status']} at {now['percentage']} % after {seconds} s")
        seen = now
        await asyncio.sleep(0.2)


KIND = {"img": "image", "video": "video"}


async def download(done: Mapping[str, Any], path: str, body: Mapping[str, Any], folder: Path | None) -> str:
    """Fetches the result without a key, and looks at it. Returns what it is."""
    url = done[f"{KIND[path]}_url"]
    async with httpx2.AsyncClient(timeout=60) as stranger:
        answer = await stranger.get(url)
        check(answer.status_code == 200, f"download answered {answer.status_code}")
        part = await stranger.get(url, headers={"Range": "bytes=0-9"})
        check(part.status_code in (200, 206), f"a range answered {part.status_code}")
        check(part.status_code == 200 or part.content == answer.content[:10], "the range is another one")
    size = (body.get("width"), body.get("height"))
    if path == "img":
        image = Image.open(io.BytesIO(answer.content))
        image.load()
        check(None in size or image.size == size, f"the image is {image.size}, not {size}")
        told, ending = f"{image.format} {image.size[0]}x{image.size[1]}", "png"
    else:
        with av.open(io.BytesIO(answer.content)) as container:
            stream = container.streams.video[0]
            frames = sum(1 for _ in container.decode(stream))
            rate = float(stream.average_rate or 0)
            check((stream.width, stream.height) == size, f"the video is {stream.width}x{stream.height}, not {size}")
            check(abs(frames / rate - body["duration"]) < 0.5, f"the video has {frames} frames at {rate}/s")
            told, ending = f"{stream.codec_context.name} {stream.width}x{stream.height}, {frames} frames", "mp4"
    if folder:
        keep(folder, f"{body['model']}.{ending}", answer.content)
    return told


def keep(folder: Path, name: str, data: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


async def told(receiver: Receiver, done: Mapping[str, Any], secret: str, seconds: float) -> None:
    """Waits for the webhook of a job and verifies it."""
    end = time.monotonic() + seconds
    while not receiver.about(done["id"]):
        receiver.changed.clear()
        check(time.monotonic() < end, f"no webhook within {seconds} s")
        try:
            await asyncio.wait_for(receiver.changed.wait(), max(0.01, end - time.monotonic()))
        except TimeoutError:
            continue
    headers, body = receiver.about(done["id"])[0]
    payload = json.loads(body)
    check(headers.get("authorization") == f"Bearer {TOKEN}", "the webhook has another token")
    for name in ("id", "status", "percentage", "created_at", "started_at", "finished_at"):
        check(payload[name] == done[name], f"the webhook's {name} is {payload[name]}, the poll's {done[name]}")
    check((payload["image_url"] is not None) == (done["status"] == "COMPLETED"), "the webhook's URL")
    check(payload["error"] == done.get("error"), "the webhook's error")
    if secret:
        Webhook(secret).verify(body, headers)


async def refusals(base: str, api: httpx2.AsyncClient) -> None:
    """What must not work."""
    async with httpx2.AsyncClient(base_url=base) as stranger:
        expected = {
            "no key": (await stranger.get("/api/v1/img/1"), 401),
            "a wrong key": (await stranger.get("/api/v1/img/1", headers={"Authorization": "Bearer ext_no"}), 401),
            "an unknown job": (await api.get("/api/v1/img/999999999"), 404),
            "no model": (await api.post("/api/v1/img", json={"prompt": "x"}), 400),
            "seven seconds": (
                await api.post("/api/v1/video", json={"model": "wan22-t2v", "prompt": "x", "duration": 7}),
                400,
            ),
            "a text file": (await api.post("/api/v1/files", files={"file": ("a.png", b"no picture")}), 400),
        }
    for name, (answer, status) in expected.items():
        check(answer.status_code == status, f"{name} answered {answer.status_code}, not {status}")
        envelope = answer.json()
        check(envelope.get("success") is False and envelope.get("message"), f"{name} answered {envelope}")


async def one(
    model: str, api: httpx2.AsyncClient, files: Mapping[str, str], receiver: Receiver, options: argparse.Namespace
) -> str:
    """A job of one model from create to webhook; returns a line of what came out."""
    path, fields = MODELS[model]
    body = {"model": model, "prompt": f"a lighthouse, {model}", "callback_url": receiver.url, "callback_api_key": TOKEN}
    body |= {name: files.get(str(value), value) for name, value in fields.items()}
    began = time.monotonic()
    created = await create(api, path, body)
    done = await follow(api, path, created["id"], options.seconds)
    check(done["status"] == "COMPLETED", f"{model} ended as {done}")
    check(done["percentage"] == 100 and done["started_at"] and done["finished_at"], f"{model} ended as {done}")
    other = "video" if path == "img" else "img"
    check((await api.get(f"/api/v1/{other}/{created['id']}")).status_code == 404, f"{model} is seen at /{other} too")
    result = await download(done, path, body, options.out)
    await told(receiver, done, options.secret, options.seconds)
    return f"ok    {model:<22}  {result}, webhook received, {time.monotonic() - began:.1f} s"


async def run(options: argparse.Namespace) -> list[str]:
    """The faults found; prints a line for each model."""
    faults: list[str] = []
    headers = {"Authorization": f"Bearer {options.key}"}
    async with (
        httpx2.AsyncClient(base_url=options.base, headers=headers, timeout=60) as api,
        receiving(options.callback_host) as receiver,
    ):
        await refusals(options.base, api)
        files = {"$first": await upload(api, "navy"), "$last": await upload(api, "orange")}
        jobs = [one(model, api, files, receiver, options) for model in options.models]
        for model, result in zip(options.models, await asyncio.gather(*jobs, return_exceptions=True), strict=True):
            if isinstance(result, BaseException):
                faults.append(f"{model}: {type(result).__name__}: {result}")
                result = f"WRONG {faults[-1]}"
            print(result)
    return faults


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True, help="address of the server")
    parser.add_argument("--key", required=True, help="API key")
    parser.add_argument("--secret", default="", help="webhook secret, whsec_…")
    parser.add_argument("--callback-host", default="127.0.0.1", help="this machine, as the server sees it")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--seconds", type=float, default=120, help="longest time for one job")
    parser.add_argument("--out", type=Path, help="folder for the results")
    try:
        return 1 if asyncio.run(run(parser.parse_args(arguments))) else 0
    except Wrong as error:
        print(f"WRONG {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
