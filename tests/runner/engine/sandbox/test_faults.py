"""Every fault of the sandbox, as a client meets it, over HTTP and the socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from compiler import shipped_catalog
from runner.engine.sandbox.faults import KINDS, OOM_TYPE, BadFault, Fault, Faults, parse_fault
from runner.engine.sandbox.server import Sandbox

CATALOG = shipped_catalog("0.8.0")


def prompt(number: int = 1) -> dict[str, Any]:
    return {
        "n": {"class_type": "PrimitiveInt", "inputs": {"value": number}},
        "see": {"class_type": "PreviewAny", "inputs": {"source": ["n", 0]}},
    }


class Client:
    """A plain client of one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.http = httpx2.AsyncClient(base_url=sandbox.url, timeout=60)

    async def post(self, number: int = 1, **body: Any) -> httpx2.Response:
        return await self.http.post("/prompt", json={"prompt": prompt(number), **body})

    async def submit(self, number: int = 1, **body: Any) -> str:
        return (await self.post(number, **body)).json()["prompt_id"]

    async def entry(self, prompt_id: str, patience: float = 5.0) -> dict[str, Any]:
        for _ in range(int(patience / 0.01)):
            found = (await self.http.get(f"/history/{prompt_id}")).json()
            if found:
                return found[prompt_id]
            await asyncio.sleep(0.01)
        return {}

    async def queue(self) -> tuple[list[str], list[str]]:
        found = (await self.http.get("/queue")).json()
        return [item[1] for item in found["queue_running"]], [item[1] for item in found["queue_pending"]]

    async def settled(self) -> None:
        for _ in range(500):
            if await self.queue() == ([], []):
                return
            await asyncio.sleep(0.01)

    async def error(self, prompt_id: str) -> tuple[str, str]:
        kind, data = (await self.entry(prompt_id))["status"]["messages"][-1]
        assert kind == "execution_error"
        return data["exception_type"], data["exception_message"]


async def until(true: Callable[[], bool]) -> None:
    """Waits for something to become true; not for ever."""
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


@asynccontextmanager
async def sandbox(path: Path, *faults: Fault, seed: int = 0) -> AsyncIterator[Client]:
    async with Sandbox(CATALOG, path, faults=faults, seed=seed) as engine:
        client = Client(engine)
        async with client.http:
            yield client


async def frames(client: Client, sid: str, count: int) -> list[str]:
    kinds: list[str] = []
    async with connect(f"{client.sandbox.url.replace('http', 'ws')}/ws?clientId={sid}") as socket:
        await client.submit(7, client_id=sid)
        while len(kinds) < count:
            kinds.append(json.loads(await asyncio.wait_for(socket.recv(), 60))["type"])
    return kinds


async def test_a_node_fails_with_the_error_that_was_asked_for_and_only_once(tmp_path: Path) -> None:
    async with sandbox(tmp_path, Fault("error", node="PreviewAny", type="ValueError", message="on purpose")) as client:
        assert await client.error(await client.submit(1)) == ("ValueError", "on purpose\n")
        assert (await client.entry(await client.submit(2)))["status"]["status_str"] == "success"


async def test_memory_stays_short_until_it_is_freed(tmp_path: Path) -> None:
    async with sandbox(tmp_path, Fault("out_of_memory", node="see")) as client:
        for number in (1, 2):
            kind, text = await client.error(await client.submit(number))
            assert kind == OOM_TYPE
            assert text.startswith("CUDA out of memory. Tried to allocate")
        await client.http.post("/free", json={"unload_models": True, "free_memory": True})
        await until(lambda: not client.sandbox.faults.starved)
        assert (await client.entry(await client.submit(3)))["status"]["status_str"] == "success"


async def test_a_broken_device_stays_broken_until_a_restart(tmp_path: Path) -> None:
    async with sandbox(tmp_path, Fault("device_fault")) as client:
        for number in (1, 2):
            kind, text = await client.error(await client.submit(number))
            assert kind == "torch.AcceleratorError"
            assert text.startswith("CUDA error: an illegal memory access was encountered")
        await client.http.post("/free", json={"free_memory": True})
        assert (await client.error(await client.submit(3)))[0] == "torch.AcceleratorError"
        await client.sandbox.crash(0.0)
        assert (await client.entry(await client.submit(4)))["status"]["status_str"] == "success"


async def test_a_crash_forgets_everything_and_comes_back_as_another_boot(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as client:
        done = await client.submit(1)
        assert await client.entry(done)
        boot = (await client.http.get("/system_stats")).json()["system"]["boot_id"]
        await client.http.post("/sandbox/faults", json={"kind": "crash", "node": "see", "seconds": 0.1})
        lost = "lost"
        with contextlib.suppress(httpx2.TransportError):  # it may be gone before it answers
            await client.submit(2, prompt_id=lost)
        await until(lambda: client.sandbox.booted and client.sandbox.core.boot_id != boot)
        assert await client.queue() == ([], [])
        assert (await client.http.get(f"/history/{done}")).json() == {}
        assert (await client.http.get(f"/history/{lost}")).json() == {}
        assert (await client.http.get("/system_stats")).json()["system"]["boot_id"] != boot


async def test_a_lost_prompt_leaves_no_trace_and_the_next_one_runs(tmp_path: Path) -> None:
    async with sandbox(tmp_path, Fault("lose", node="n")) as client:
        lost = await client.submit(1)
        assert await client.entry(await client.submit(2))
        assert (await client.http.get(f"/history/{lost}")).json() == {}
        assert await client.queue() == ([], [])


async def test_a_dead_worker_keeps_its_prompt_for_ever(tmp_path: Path) -> None:
    async with sandbox(tmp_path, Fault("kill_worker", node="see")) as client:
        worker = client.sandbox.core.worker.thread
        stuck, waiting = await client.submit(1), await client.submit(2)
        await until(lambda: not worker.is_alive())
        await client.http.post("/interrupt", json={})
        assert await client.queue() == ([stuck], [waiting])


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": {**prompt(), "stray": {"class_type": "EmptyImage"}}},
        {"prompt": {**prompt(), "stray": {"class_type": "EmptyImage", "inputs": None}}},
        {"prompt": {**prompt(), "see": {"class_type": "PreviewAny", "inputs": {"source": 1, "ghost": ["77", 0]}}}},
    ],
)
async def test_prompts_that_end_a_real_worker_end_this_one(tmp_path: Path, body: dict[str, Any]) -> None:
    async with sandbox(tmp_path) as client:
        answer = await client.http.post("/prompt", json=body)
        assert answer.status_code == 200
        await until(lambda: not client.sandbox.core.worker.thread.is_alive())
        assert await client.queue() == ([answer.json()["prompt_id"]], [])


async def test_a_client_id_that_is_no_key_ends_the_process(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as client:
        with contextlib.suppress(httpx2.TransportError):  # it may be gone before it answers
            await client.post(client_id={"a": 1})
        await until(lambda: not client.sandbox.booted)
        with pytest.raises(httpx2.TransportError):
            await client.http.get("/queue")


async def test_sockets_are_cut_and_the_run_goes_on(tmp_path: Path) -> None:
    async with sandbox(tmp_path, Fault("drop_sockets", node="see")) as client:
        with pytest.raises(ConnectionClosed):
            await frames(client, "A", 100)
        await client.settled()
        assert len((await client.http.get("/history")).json()) == 1


async def test_a_deaf_socket_hears_its_first_status_only(tmp_path: Path) -> None:
    async with sandbox(tmp_path, Fault("deaf_socket")) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await frames(client, "A", 2)
        assert (await frames(client, "B", 3))[:2] == ["status", "status"]


async def test_silence_swallows_frames_while_prompts_run(tmp_path: Path) -> None:
    async with sandbox(tmp_path, Fault("silence", node="see", seconds=0.3)) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.25):
                await frames(client, "A", 20)
        await client.settled()
        await asyncio.sleep(0.2)
        assert "executed" in await frames(client, "A", 6)


async def test_history_comes_late(tmp_path: Path) -> None:
    async with sandbox(tmp_path, Fault("late_history", seconds=1.5)) as client:
        late = await client.submit(1)
        await client.settled()
        assert (await client.http.get(f"/history/{late}")).json() == {}
        assert (await client.entry(late))["status"]["completed"]


async def test_a_cached_run_may_end_without_outputs(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as client:
        assert (await client.entry(await client.submit(1, client_id="A")))["outputs"]
        await client.http.post("/sandbox/faults", json={"kind": "empty_outputs"})
        again = await client.entry(await client.submit(1, client_id="A"))
        assert again["outputs"] == {}
        assert again["status"]["status_str"] == "success"


async def test_an_ambiguous_answer_means_accepted_or_not(tmp_path: Path) -> None:
    async with sandbox(tmp_path, Fault("cut_before"), Fault("cut_after")) as client:
        with pytest.raises(httpx2.TransportError):
            await client.post(1, prompt_id="never")
        with pytest.raises(httpx2.TransportError):
            await client.post(2, prompt_id="taken")
        assert await client.entry("taken")
        assert (await client.http.get("/history/never")).json() == {}


async def test_an_id_sent_twice_runs_twice(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as client:
        await client.submit(1, prompt_id="twin")
        await client.submit(2, prompt_id="twin")
        await client.settled()
        entry = await client.entry("twin")
        assert entry["prompt"][2]["n"]["inputs"]["value"] == 2


async def test_http_faults_strike_where_they_are_told_to(tmp_path: Path) -> None:
    async with sandbox(
        tmp_path, Fault("http_500", path="/queue"), Fault("slow", path="/features", seconds=0.2)
    ) as client:
        assert (await client.http.get("/prompt")).status_code == 200
        assert (await client.http.get("/queue")).status_code == 500
        assert (await client.http.get("/queue")).status_code == 200
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.http.get("/features")
        assert (await client.http.get("/features")).status_code == 200


async def test_a_refused_port_opens_again_with_everything_kept(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as client:
        done = await client.submit(1)
        await client.entry(done)
        client.sandbox.faults.add([Fault("refuse", seconds=1.0)])
        with pytest.raises(httpx2.TransportError):
            await client.http.get("/queue")
        with pytest.raises(httpx2.ConnectError):
            await client.http.get("/queue")
        await until(lambda: client.sandbox.listening)
        assert await client.entry(done)


async def test_faults_are_set_listed_and_cleared_over_http(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as client:
        body = {"faults": [{"kind": "error", "times": 0, "chance": 0.5}, {"kind": "lose"}], "seed": 3}
        listed = (await client.http.post("/sandbox/faults", json=body)).json()["faults"]
        assert [(fault["kind"], fault["times"]) for fault in listed] == [("error", 0), ("lose", 1)]
        assert (await client.http.get("/sandbox/faults")).json()["faults"] == listed
        wrong = await client.http.post("/sandbox/faults", json={"kind": "nope"})
        assert (wrong.status_code, "unknown kind 'nope'" in wrong.json()["error"]) == (400, True)
        await client.http.delete("/sandbox/faults")
        assert (await client.http.get("/sandbox/faults")).json()["faults"] == []


def test_chances_repeat_for_a_seed() -> None:
    def drawn(seed: int) -> list[bool]:
        faults = Faults([Fault("error", times=0, chance=0.5)], seed=seed)
        return [faults.take("error") is not None for _ in range(30)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert {True, False} == set(drawn(1))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("crash", "a fault is an object"),
        ({"kind": "crash", "nodes": "x"}, "unknown field 'nodes'"),
        ({"kind": "crash", "times": "many"}, "times must be of type int"),
        ({"kind": "crash", "chance": True}, "chance must be of type float"),
    ],
)
def test_a_wrong_fault_is_told_what_is_wrong(data: Any, text: str) -> None:
    with pytest.raises(BadFault, match=text):
        parse_fault(data)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_asked_for(kind: str) -> None:
    assert parse_fault({"kind": kind, "seconds": 1}).kind == kind


async def test_extra_data_null_ends_the_worker_of_0_3_64_and_is_a_500_later(tmp_path: Path) -> None:
    body = {"prompt": prompt(), "extra_data": None}
    async with (
        Sandbox(shipped_catalog("0.3.64"), tmp_path / "old") as old,
        Sandbox(CATALOG, tmp_path / "new") as new,
        httpx2.AsyncClient() as http,
    ):
        assert (await http.post(f"{old.url}/prompt", json=body)).status_code == 200
        await until(lambda: not old.core.worker.thread.is_alive())
        assert (await http.post(f"{new.url}/prompt", json=body)).status_code == 500
        assert new.core.worker.thread.is_alive()


async def test_the_socket_also_stands_under_api(tmp_path: Path) -> None:
    async with (
        sandbox(tmp_path) as client,
        connect(f"{client.sandbox.url.replace('http', 'ws')}/api/ws?clientId=A") as socket,
    ):
        assert json.loads(await socket.recv())["data"]["sid"] == "A"


async def test_a_body_over_the_limit_is_refused(tmp_path: Path) -> None:
    async with sandbox(tmp_path) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.sandbox.port)
        writer.write(b"POST /prompt HTTP/1.1\r\nHost: x\r\nContent-Length: 104857601\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        writer.close()


def test_the_page_on_the_sandbox_lists_every_fault() -> None:
    page = (Path(__file__).parents[4] / "docs/sandbox.md").read_text()
    for kind, meaning in KINDS.items():
        assert f"| `{kind}` | {meaning} |" in page
    for field in Fault.__dataclass_fields__:
        assert f"`{field}`" in page
