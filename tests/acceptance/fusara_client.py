"""A client of the Fusara Integration API 4.0, written from its documentation alone; it knows nothing of comfyc.

It is told a base URL and a key, walks through every endpoint, and prints a line for each thing that it has seen work:

    python tests/acceptance/fusara_client.py --base http://127.0.0.1:8600 --key ext_…

Pictures are served to the server, and callbacks are taken, on a free port of this machine (--host), which the server
must be able to reach. --model-version and --assistant also walk through what needs a model source and a language model.
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
from typing import Any

import httpx2
from PIL import Image

ROOT = "/api/integration"
ORDER = (10, 20, 100)
"""Initial, Processing, Succeeded; 200 is Failed."""
TASK = {
    "taskId",
    "images",
    "workflowStatusId",
    "errorCategoryId",
    "errorCode",
    "userStandardMessage",
    "userDetailedMessage",
}
MISTAKES: Mapping[str, tuple[str, dict[str, Any], str]] = {
    "10.1 Width at Midjourney": ("generate", {"__type": 1, "Prompt": "x", "Width": 1024}, "Width"),
    "10.2 LoRA at Imagen": (
        "generate",
        {"__type": 15, "Prompt": "x", "TaskModels": [{"ModelId": 1, "Strength": 1}]},
        "TaskModels",
    ),
    "10.3 Upscale at generate": ("generate", {"__type": 3, "Prompt": "x"}, "__type"),
    "10.3 Upscale without a picture": ("upscale", {"__type": 3, "Prompt": "x", "ScaleFactor": 2}, "InputMediaIds"),
    "10.4 a ratio with a slash": ("generate", {"__type": 15, "Prompt": "x", "AspectRatio": "16/9"}, "AspectRatio"),
    "10.5 milliseconds": ("generate", {"__type": 109, "Prompt": "x", "Duration": 5000}, "Duration"),
    "10.9 an invalid model": ("generate", {"__type": 18, "Prompt": "x", "Model": "4.0"}, "Model"),
    "10.10 ids and addresses": (
        "upscale",
        {
            "__type": 3,
            "Prompt": "x",
            "ScaleFactor": 2,
            "InputMediaIds": [1],
            "InputMediaExternalUrls": ["https://example.com/a.png"],
        },
        "InputMediaExternalUrls",
    ),
}
"""The contract's common mistakes: path, body, and the field that the answer must name."""


class Wrong(Exception):
    """The server does not do what the documentation says."""


def check(condition: object, text: str) -> None:
    if not condition:
        raise Wrong(text)


@dataclass
class Desk:
    """This side: pictures to fetch, callbacks that came."""

    url: str = ""
    pictures: dict[str, bytes] = field(default_factory=dict)
    callbacks: list[dict[str, Any]] = field(default_factory=list)


@asynccontextmanager
async def desk_on(host: str) -> AsyncIterator[Desk]:
    """Serves GET /NAME and takes POSTs, on a free port."""
    desk = Desk()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = b""
            if method == "POST":
                desk.callbacks.append(json.loads(await reader.readexactly(int(headers["content-length"]))))
            else:
                body = desk.pictures.get(path.strip("/"), b"")
            status = "200 OK" if body or method == "POST" else "404 Not Found"
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, KeyError, ValueError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, host, 0) as server:
        desk.url = f"http://{host}:{server.sockets[0].getsockname()[1]}"
        yield desk


class Client:
    """One caller. Every answer is checked for the envelope."""

    def __init__(self, http: httpx2.AsyncClient, desk: Desk, seconds: float) -> None:
        self.http, self.desk, self.seconds = http, desk, seconds

    async def call(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        """The answer's data, or its error if another status than 200 is expected."""
        answer = await self.http.request(method, ROOT + path, **options)
        check(answer.status_code == status, f"{path} answered {answer.status_code}, not {status}: {answer.text[:500]}")
        body = answer.json()
        good = status == 200
        shape = {"statusCode": status, "succeeded": good, "statusCodeInt": status}
        check({name: body.get(name) for name in shape} == shape, f"{path} has the envelope {body}")
        check(set(body) >= {*shape, "data" if good else "error"}, f"{path} has the envelope {body}")
        if good:
            return body if "pageNumber" in body else body["data"]
        check(set(body["error"]) == {"code", "description"}, f"{path} has the error {body['error']}")
        return body["error"]

    async def task(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A task from its creation to its success."""
        made = await self.call("POST", f"/imaging/{path}", json=body)
        check(set(made) >= TASK and made["images"] == [], f"creation answered {made}")
        check(made["workflowStatusId"] == 10, f"creation answered the status {made['workflowStatusId']}")
        ident, seen, end = made["taskId"], 10, time.monotonic() + self.seconds
        while seen not in (100, 200):
            check(time.monotonic() < end, f"task {ident} is at {seen} after {self.seconds} s")
            await asyncio.sleep(0.2)
            now = await self.call("GET", f"/imaging/tasks/{ident}/status")
            check(now == 200 or ORDER.index(now) >= ORDER.index(seen), f"status went from {seen} to {now}")
            seen = now
        done = await self.call("GET", f"/imaging/tasks/{ident}")
        check(done["workflowStatusId"] == 100, f"task {ident} ended as {done}")
        check(all(done[name] is None for name in TASK if name.startswith(("error", "user"))), f"it ended as {done}")
        check(done["images"], f"task {ident} has no result")
        return done

    async def picture(self, done: Mapping[str, Any], index: int = 0) -> Image.Image:
        """A result, fetched without the key."""
        async with httpx2.AsyncClient(timeout=60) as stranger:
            answer = await stranger.get(done["images"][index]["url"])
        check(answer.status_code == 200, f"the result answered {answer.status_code}")
        image = Image.open(io.BytesIO(answer.content))
        image.load()
        return image


def drawing(size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(out, "JPEG")
    return out.getvalue()


# --- what is walked through ------------------------------------------------------------------------------------------


async def refusals(client: Client, key: str) -> str:
    """§2, §10, and what is not there."""
    body = {"__type": 5, "Prompt": "x"}
    for headers in ({"X-API-Key": ""}, {"X-API-Key": "wrong"}):
        error = await client.call("POST", "/imaging/generate", 403, json=body, headers=headers)
        check(error == {"code": None, "description": "Invalid or missing API key"}, f"a refused key: {error}")
    for name, (path, wrong, named) in MISTAKES.items():
        error = await client.call("POST", f"/imaging/{path}", 400, json=wrong)
        check(named in error["description"], f"{name}: {error}")
        check(key not in json.dumps(error), "the key is in an answer")
    await client.call("POST", "/imaging/generate", 400, content=b"{", headers={"Content-Type": "application/json"})
    await client.call("GET", "/imaging/tasks/4294967295", 404)
    await client.call("GET", "/imaging/tasks/4294967295/status", 404)
    return f"{len(MISTAKES) + 5} refusals"


async def create(client: Client, options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """§9.1 and §9.9: a picture, and its callback."""
    body = {
        "__type": options.type,
        "Prompt": "A serene mountain landscape at sunset, photorealistic",
        "NegativePrompt": "blurry",
        "Width": 512,
        "Height": 512,
        "NumberOfImages": 2,
        "NumberOfInferenceSteps": options.steps,
        "GuidanceScale": 5.0,
        "CompletionCallbackUrl": f"{client.desk.url}/webhook",
    }
    done = await client.task("generate", body)
    check(len(done["images"]) == 2, f"two pictures were asked for: {done['images']}")
    sizes = [(await client.picture(done, index)).size for index in (0, 1)]
    check(sizes == [(512, 512)] * 2, f"the pictures are {sizes}")
    end = time.monotonic() + 30
    while not client.desk.callbacks:
        check(time.monotonic() < end, "no callback came")
        await asyncio.sleep(0.1)
    told = {"taskId": done["taskId"], "statusId": 100, "statusCode": "COMPLETION_SUCCESS"}
    check(
        client.desk.callbacks == [{**told, "statusMessage": "Task completed successfully"}],
        f"the callbacks are {client.desk.callbacks}",
    )
    return f"__type {options.type}: two pictures of 512 × 512, one callback", done


async def upscale(client: Client, made: Mapping[str, Any]) -> str:
    """§9.8: the result of a task is the input of the next."""
    body = {"__type": 3, "Prompt": "enhance details", "ScaleFactor": 2, "InputMediaIds": [made["images"][0]["id"]]}
    image = await client.picture(await client.task("upscale", body))
    check(image.size == (1024, 1024), f"the larger picture is {image.size}")
    return "upscale by id: 512 × 512 to 1024 × 1024"


async def external(client: Client) -> str:
    """§8.4: a picture that the server fetches."""
    client.desk.pictures["a.jpg"] = drawing((320, 200))
    body = {
        "__type": 3,
        "Prompt": "x",
        "ScaleFactor": 2,
        "InputMediaExternalUrls": [f"{client.desk.url}/a.jpg"],
    }
    image = await client.picture(await client.task("upscale", body))
    check(image.size == (640, 400), f"the larger picture is {image.size}")
    missing = {**body, "InputMediaExternalUrls": [f"{client.desk.url}/missing.jpg"]}
    error = await client.call("POST", "/imaging/upscale", 400, json=missing)
    check("InputMediaExternalUrls[0]" in error["description"], f"a missing picture: {error}")
    return "upscale by address: 320 × 200 to 640 × 400"


async def models(client: Client, options: argparse.Namespace) -> str:
    """§9.7, §11.8, §11.9."""
    page = await client.call("GET", "/models", params={"PageNumber": 1, "PageSize": 5})
    check((page["pageNumber"], page["pageSize"]) == (1, 5), f"the page is {page}")
    if options.model_version is None:
        return f"{page['totalRecords']} models"
    body = {"CivitaiModelVersionId": options.model_version}
    model = await client.call("POST", "/models", json=body)
    wanted = {"id", "name", "baseModel", "modelType", "trainedWords", "files"}
    check(set(model) >= wanted and model["files"], f"the import answered {model}")
    again = await client.call("POST", "/models", json=body)
    check(again["id"] == model["id"], "the same import has another id")
    page = await client.call("GET", "/models")
    check(model["id"] in [one["id"] for one in page["data"]], f"the model is not listed: {page}")
    task = {
        "__type": 4,
        "Prompt": "anime_style portrait",
        "Width": 512,
        "Height": 512,
        "NumberOfInferenceSteps": options.steps,
        "TaskModels": [{"ModelId": model["id"], "Strength": 0.8}],
    }
    await client.picture(await client.task("generate", task))
    error = await client.call(
        "POST", "/imaging/generate", 400, json={**task, "TaskModels": [{"ModelId": 4294967295, "Strength": 1}]}
    )
    check("TaskModels[0].ModelId" in error["description"], f"an unknown model: {error}")
    return f"model {model['name']!r} imported and applied"


async def assistant(client: Client, options: argparse.Namespace) -> str:
    """§11.10"""
    if not options.assistant:
        return "assistant left out"
    texts = [
        await client.call("POST", "/assistants/enhance-prompt", json={"Prompt": "mountain", "TargetStyleId": style})
        for style in (0, 1, 2)
    ]
    check(all(isinstance(text, str) and text for text in texts), f"the assistant answered {texts}")
    await client.call("POST", "/assistants/enhance-prompt", 400, json={"Prompt": "mountain", "TargetStyleId": 9})
    return f"assistant: {texts[1][:60]!r}"


async def subscription(client: Client) -> str:
    """§11.11"""
    body = {"Email": "user@example.com", "PlanId": "plan_123", "BillingPeriodId": 0}
    first = await client.call("POST", "/billing/subscriptions", json=body)
    check(await client.call("POST", "/billing/subscriptions", json=body) == first, "a second subscription was made")
    return "subscription"


async def run(options: argparse.Namespace) -> None:
    headers = {"X-API-Key": options.key}
    async with (
        httpx2.AsyncClient(base_url=options.base, headers=headers, timeout=130) as http,
        desk_on(options.host) as desk,
    ):
        client = Client(http, desk, options.seconds)
        say(await refusals(client, options.key))
        line, made = await create(client, options)
        say(line)
        say(await upscale(client, made))
        say(await external(client))
        say(await models(client, options))
        say(await assistant(client, options))
        say(await subscription(client))


def say(line: str) -> None:
    print(f"ok    {line}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True, help="address of the server")
    parser.add_argument("--key", required=True, help="API key")
    parser.add_argument("--host", default="127.0.0.1", help="this machine, as the server sees it")
    parser.add_argument("--type", type=int, default=4, choices=(2, 4, 5, 11), help="__type of the first picture")
    parser.add_argument("--steps", type=int, default=2, help="sampler steps")
    parser.add_argument("--model-version", type=int, help="a Civitai model version to import, an SDXL LoRA")
    parser.add_argument("--assistant", action="store_true", help="the server has a language model")
    parser.add_argument("--seconds", type=float, default=120, help="longest time for one task")
    try:
        asyncio.run(run(parser.parse_args(arguments)))
    except Wrong as error:
        print(f"WRONG {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
