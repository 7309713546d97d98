"""The client on the sandbox: whole runs, and every fault that the sandbox can make."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from engines import FAST, drive, kinds, new_id, picture, submission

from compiler import shipped_catalog
from runner.engine.base import Ending, EngineFile, Health, NodeProgress, PromptLost, PromptRefused, Where
from runner.engine.client import ComfyClient
from runner.engine.sandbox.faults import Fault
from runner.engine.sandbox.server import Sandbox

CATALOG = shipped_catalog("0.8.0")


@pytest.fixture
async def sandbox(tmp_path: Path):
    async with Sandbox(CATALOG, tmp_path) as running:
        yield running


@pytest.fixture
async def client(sandbox: Sandbox):
    made = ComfyClient(sandbox.url, timing=FAST)
    yield made
    await made.close()


def slow_picture(seconds_of_nodes: int = 30) -> dict[str, Any]:
    """Many blurs of a large picture, one after another: time to interfere."""
    blur = {"blur_radius": 15, "sigma": 3.0}
    graph = picture()
    graph["make"]["inputs"].update(width=256, height=256)
    last = "make"
    for index in range(seconds_of_nodes):
        graph[f"blur_{index}"] = {"class_type": "ImageBlur", "inputs": {"image": [last, 0], **blur}}
        last = f"blur_{index}"
    graph["save"]["inputs"]["images"] = [last, 0]
    return graph


async def until(client: ComfyClient, prompt_id: str, where: Where) -> None:
    async with asyncio.timeout(60):
        while await client.where(prompt_id) is not where:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_run_tells_its_nodes_and_its_files_can_be_fetched(client: ComfyClient) -> None:
    events, outcome = await drive(client, submission(fresh=True))
    assert kinds(events)[:3] == ["Queued", "Began", "Cached"]
    assert {event.node for event in events if isinstance(event, NodeProgress) and event.done} == {"make", "save"}
    assert outcome.ending is Ending.SUCCESS
    (file,) = outcome.files["save"]
    assert file == EngineFile("t_00001_.png", "", "output")
    data = b"".join([piece async for piece in client.fetch(file)])
    assert data.startswith(b"\x89PNG")


async def test_the_catalog_of_the_engine(client: ComfyClient) -> None:
    catalog = await client.catalog()
    assert "KSampler" in catalog
    assert catalog.version == CATALOG.version


async def test_many_prompts_at_once_share_one_socket(client: ComfyClient, sandbox: Sandbox) -> None:
    results = await asyncio.gather(*(drive(client, submission(picture(n), fresh=True)) for n in range(12)))
    assert [outcome.ending for _, outcome in results] == [Ending.SUCCESS] * 12
    assert len({outcome.files["save"] for _, outcome in results}) == 12
    assert len(sandbox.core.hub.sockets()) == 1


async def test_a_cached_run_has_the_files_again(client: ComfyClient) -> None:
    _, first = await drive(client, submission(fresh=True))
    _, second = await drive(client, submission(fresh=True))
    assert second.files == first.files
    assert not second.hollow


async def test_a_hollow_outcome_is_cured_by_forgetting_and_a_new_nonce(client: ComfyClient, sandbox: Sandbox) -> None:
    await drive(client, submission(fresh=True))
    sandbox.faults.add([Fault("empty_outputs")])
    wanted = submission(fresh=True)
    _, outcome = await drive(client, wanted)
    assert outcome.hollow
    await client.forget(wanted.prompt_id)
    assert await client.where(wanted.prompt_id) is Where.UNKNOWN
    _, again = await drive(client, submission(picture(2), prompt_id=wanted.prompt_id, fresh=True))
    assert again.files["save"]


async def test_a_bad_graph_is_refused_with_node_errors(client: ComfyClient) -> None:
    graph = picture()
    graph["make"]["inputs"]["width"] = "wide"
    with pytest.raises(PromptRefused) as caught:
        await drive(client, submission(graph, fresh=True))
    assert caught.value.node_errors["make"]["errors"][0]["type"] == "invalid_input_type"


async def test_partial_validity_is_refused_and_nothing_runs(client: ComfyClient) -> None:
    graph = {**picture(), "bad": {"class_type": "SaveImage", "inputs": {"images": ["make", 0]}}}
    wanted = submission(graph, fresh=True)
    with pytest.raises(PromptRefused) as caught:
        await drive(client, wanted)
    assert "bad" in caught.value.node_errors


async def test_upload_and_use(client: ComfyClient) -> None:
    _, outcome = await drive(client, submission(fresh=True))
    data = b"".join([piece async for piece in client.fetch(outcome.files["save"][0])])
    name = await client.upload("in put/ä.png", data, content_type="image/png")
    assert name == "in put/ä.png"
    assert await client.upload("in put/ä.png", data, content_type="image/png") == name
    graph = picture()
    graph["make"] = {"class_type": "LoadImage", "inputs": {"image": name}}
    assert (await drive(client, submission(graph, fresh=True)))[1].ending is Ending.SUCCESS


# --- cancel ----------------------------------------------------------------------------------------------------


async def test_cancel_a_running_and_a_waiting_prompt(client: ComfyClient) -> None:
    first, second = submission(slow_picture(), fresh=True), submission(picture(9), fresh=True)
    tasks = [asyncio.create_task(drive(client, one)) for one in (first, second)]
    await until(client, first.prompt_id, Where.RUNNING)
    await until(client, second.prompt_id, Where.PENDING)
    assert await client.cancel(second.prompt_id)
    assert await client.where(first.prompt_id) is Where.RUNNING
    assert await client.cancel(first.prompt_id)
    assert [outcome.ending for _, outcome in await asyncio.gather(*tasks)] == [Ending.INTERRUPTED] * 2


# --- faults ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault("drop_sockets", node="make"),
        Fault("deaf_socket"),
        Fault("silence", node="make", seconds=0.4),
        Fault("late_history", seconds=0.2),
        Fault("cut_before", path="/prompt"),
        Fault("cut_after", path="/prompt"),
        Fault("http_500", path="/prompt"),
        Fault("http_500", path="/history"),
        Fault("slow", path="/prompt", seconds=0.3),
    ],
    ids=lambda fault: f"{fault.kind}{fault.path.replace('/', '-')}",
)
async def test_a_fault_that_loses_nothing_changes_nothing(client: ComfyClient, sandbox: Sandbox, fault: Fault) -> None:
    sandbox.faults.add([fault])
    wanted = submission(fresh=True)
    _, outcome = await drive(client, wanted)
    assert outcome.ending is Ending.SUCCESS
    assert outcome.files["save"] == (EngineFile("t_00001_.png", "", "output"),)  # it ran once
    _, after = await drive(client, submission(picture(5), fresh=True))
    assert after.ending is Ending.SUCCESS


async def test_a_lost_prompt(client: ComfyClient, sandbox: Sandbox) -> None:
    sandbox.faults.add([Fault("lose", node="make")])
    with pytest.raises(PromptLost):
        await drive(client, submission(fresh=True))


async def test_a_crash_loses_the_prompt_and_changes_the_boot(client: ComfyClient, sandbox: Sandbox) -> None:
    before = await client.boot_id()
    sandbox.faults.add([Fault("crash", node="make", seconds=0.1)])
    with pytest.raises(PromptLost):
        await drive(client, submission(fresh=True))
    assert await client.boot_id() != before
    assert (await drive(client, submission(fresh=True)))[1].ending is Ending.SUCCESS


async def test_a_closed_port_for_a_moment_loses_nothing(client: ComfyClient, sandbox: Sandbox) -> None:
    before = await client.boot_id()
    task = asyncio.create_task(drive(client, wanted := submission(slow_picture(), fresh=True)))
    await until(client, wanted.prompt_id, Where.RUNNING)
    sandbox._refuse(0.15)  # pyright: ignore[reportPrivateUsage]
    assert (await task)[1].ending is Ending.SUCCESS
    assert await client.boot_id() == before


async def test_out_of_memory_lasts_until_free(client: ComfyClient, sandbox: Sandbox) -> None:
    sandbox.faults.add([Fault("out_of_memory", node="make")])
    _, outcome = await drive(client, submission(fresh=True))
    assert (outcome.ending, outcome.out_of_memory, outcome.device_fault) == (Ending.ERROR, True, False)
    assert outcome.node == "make"
    await client.free()
    async with asyncio.timeout(60):
        while (await drive(client, submission(fresh=True)))[1].ending is not Ending.SUCCESS:
            pass


async def test_a_device_fault_is_told(client: ComfyClient, sandbox: Sandbox) -> None:
    sandbox.faults.add([Fault("device_fault", node="make")])
    _, outcome = await drive(client, submission(fresh=True))
    assert (outcome.ending, outcome.out_of_memory, outcome.device_fault) == (Ending.ERROR, False, True)


async def test_a_node_error_is_redacted(client: ComfyClient, sandbox: Sandbox) -> None:
    said = "cannot read /srv/ComfyUI/models/x.pt for a private wish"
    sandbox.faults.add([Fault("error", node="save", type="ValueError", message=said)])
    _, outcome = await drive(client, submission(picture(prefix="a private wish"), fresh=True))
    assert (outcome.exception_type, outcome.node_type) == ("ValueError", "SaveImage")
    assert outcome.message == "cannot read …/x.pt for [input]"


async def test_a_dead_worker_cannot_be_cancelled(client: ComfyClient, sandbox: Sandbox) -> None:
    sandbox.faults.add([Fault("kill_worker", node="make")])
    task = asyncio.create_task(drive(client, wanted := submission(fresh=True)))
    await until(client, wanted.prompt_id, Where.RUNNING)
    assert not await client.cancel(wanted.prompt_id)
    assert await client.health() is Health.ALIVE
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_second_client_joins_what_the_first_began(client: ComfyClient, sandbox: Sandbox) -> None:
    wanted = submission(slow_picture(), fresh=True)
    first = asyncio.create_task(drive(client, wanted))
    await until(client, wanted.prompt_id, Where.RUNNING)
    second = ComfyClient(sandbox.url, timing=FAST)
    events, outcome = await drive(second, submission(slow_picture(), prompt_id=wanted.prompt_id))
    assert kinds(events) == ["Began"]
    assert outcome == (await first)[1]
    await second.close()


async def test_an_unknown_prompt_is_in_no_list(client: ComfyClient) -> None:
    assert await client.where(new_id()) is Where.UNKNOWN
