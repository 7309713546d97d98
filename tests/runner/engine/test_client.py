"""The client against a scripted ComfyUI: each rule of the protocol that one answer can break."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from engines import FAST, FILE, ScriptedComfyUI, drive, entry, eventually, kinds, new_id, picture, settled, submission
from starlette.responses import JSONResponse, PlainTextResponse, Response

from runner.engine.base import (
    Ending,
    EngineError,
    EngineFile,
    EngineUnreachable,
    Health,
    Outcome,
    PromptLost,
    PromptRefused,
    Queued,
    Submission,
    Where,
)
from runner.engine.client import ComfyClient


@pytest.fixture
async def engine():
    async with ScriptedComfyUI().serve() as scripted:
        yield scripted


@pytest.fixture
async def client(engine: ScriptedComfyUI):
    made = ComfyClient(engine.url, timing=FAST)
    yield made
    await made.close()


def finishing(engine: ScriptedComfyUI, prompt_id: str, *messages: Any, **more: Any) -> None:
    """The prompt has run: it leaves the queue and comes into history at once."""
    engine.pending = [one for one in engine.pending if one != prompt_id]
    engine.running = [one for one in engine.running if one != prompt_id]
    engine.history[prompt_id] = entry(prompt_id, *messages, **more)


async def started(client: ComfyClient, wanted: Submission, engine: ScriptedComfyUI) -> asyncio.Task[Any]:
    """A run whose prompt the engine has accepted."""
    task = asyncio.create_task(drive(client, wanted))
    await eventually(lambda: wanted.prompt_id in engine.pending)
    return task


# --- the happy path --------------------------------------------------------------------------------------------


async def test_the_happy_path_is_a_post_and_a_history_get(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    wanted = submission(fresh=True, extra_data={"api_key_comfy_org": "key-1234567"}, number=3)
    task = await started(client, wanted, engine)
    finishing(engine, wanted.prompt_id)
    await engine.say(settled(wanted.prompt_id))
    events, outcome = await task
    assert events == [Queued(wanted.prompt_id)]
    assert outcome == Outcome(Ending.SUCCESS, {"save": (EngineFile(**FILE),)})
    assert [asked[:2] for asked in engine.asked if asked[0] != "WS"] == [
        ("POST", "/prompt"),
        ("GET", f"/history/{wanted.prompt_id}"),
    ]
    body = engine.posts("/prompt")[0]
    assert body == {
        "prompt": picture(),
        "prompt_id": wanted.prompt_id,
        "client_id": client.client_id,
        "extra_data": {"api_key_comfy_org": "key-1234567"},
        "number": 3,
    }
    assert "origin" not in engine.headers[0]


async def test_the_socket_is_open_before_the_post_and_serves_all_prompts(
    engine: ScriptedComfyUI, client: ComfyClient
) -> None:
    first, second = submission(fresh=True), submission(fresh=True)
    tasks = [await started(client, first, engine), await started(client, second, engine)]
    for one in (second, first):
        finishing(engine, one.prompt_id)
        await engine.say(settled(one.prompt_id))
    assert [outcome.ending for _, outcome in await asyncio.gather(*tasks)] == [Ending.SUCCESS] * 2
    assert [asked[0] for asked in engine.asked].index("WS") == 0
    assert sum(asked[0] == "WS" for asked in engine.asked) == 1


async def test_frames_of_other_prompts_and_broken_frames_are_passed_over(
    engine: ScriptedComfyUI, client: ComfyClient
) -> None:
    wanted = submission(fresh=True)
    task = await started(client, wanted, engine)
    other = new_id()
    begun = [{"type": "execution_start", "data": {"prompt_id": one}} for one in (other, wanted.prompt_id)]
    await engine.say("{", b"\0\0", begun[0], settled(other), begun[1], {"type": "future", "data": {}})
    finishing(engine, wanted.prompt_id)
    await engine.say(settled(wanted.prompt_id))
    events, outcome = await task
    assert kinds(events) == ["Queued", "Began"]
    assert outcome.ending is Ending.SUCCESS


async def test_success_waits_for_the_last_frame_since_history_is_written_before_it(
    engine: ScriptedComfyUI, client: ComfyClient
) -> None:
    wanted = submission(fresh=True)
    task = await started(client, wanted, engine)
    engine.pending, engine.running = [], [wanted.prompt_id]
    await engine.say({"type": "execution_success", "data": {"prompt_id": wanted.prompt_id}})
    await engine.heard("GET", "/queue")  # no last frame came: it asks
    finishing(engine, wanted.prompt_id)
    _, outcome = await task
    assert outcome.ending is Ending.SUCCESS


async def test_joining_asks_first_and_sends_nothing(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    wanted = submission()
    finishing(engine, wanted.prompt_id)
    _, outcome = await drive(client, wanted)
    assert outcome.ending is Ending.SUCCESS
    assert engine.posts("/prompt") == []


async def test_nan_in_history_is_read(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    wanted = submission()
    body = json.dumps({wanted.prompt_id: {**entry(wanted.prompt_id), "meta": float("nan")}})
    engine.on_get["/history"] = lambda _request: Response(body, media_type="application/json")
    _, outcome = await drive(client, wanted)
    assert outcome.ending is Ending.SUCCESS


# --- refusals --------------------------------------------------------------------------------------------------

ERROR = {
    "type": "prompt_outputs_failed_validation",
    "message": "Prompt outputs failed",
    "details": "",
    "extra_info": {},
}
NODE_ERRORS = {
    "save": {
        "errors": [
            {
                "type": "value_not_in_list",
                "message": "Value not in list",
                "details": "vae: '/srv/ComfyUI/models/vae/x.pt' not in []",
                "extra_info": {"input_name": "vae", "traceback": ["  File /srv/ComfyUI/x.py"]},
            }
        ],
        "dependent_outputs": ["save"],
        "class_type": "SaveImage",
    }
}


async def test_a_400_keeps_node_errors_without_paths_and_tracebacks(
    engine: ScriptedComfyUI, client: ComfyClient
) -> None:
    engine.on_prompt.append(lambda _body: JSONResponse({"error": ERROR, "node_errors": NODE_ERRORS}, 400))
    with pytest.raises(PromptRefused) as caught:
        await drive(client, submission(fresh=True))
    assert str(caught.value) == "Node 'save', input 'vae': Value not in list"
    assert caught.value.error["type"] == "prompt_outputs_failed_validation"
    assert caught.value.node_errors["save"]["class_type"] == "SaveImage"
    assert caught.value.node_errors["save"]["errors"][0]["extra_info"] == {"input_name": "vae"}
    assert "/srv" not in json.dumps(caught.value.node_errors)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, {"error": {**ERROR, "details": "Node ID '#7'"}}, "Prompt outputs failed (Node ID '#7')"),
        (400, {"error": {"message": "key key-1234567 is bad"}}, "key [input] is bad"),
        (400, None, "The engine answered 400"),
        (413, None, "The engine answered 413"),
        (403, [1], "The engine answered 403"),
    ],
)
async def test_other_refusals(
    engine: ScriptedComfyUI, client: ComfyClient, status: int, body: Any, message: str
) -> None:
    answer = PlainTextResponse("no", status) if body is None else JSONResponse(body, status)
    engine.on_prompt.append(lambda _body: answer)
    with pytest.raises(PromptRefused, match=message.replace("(", r"\(").replace(")", r"\)").replace("[", r"\[")):
        await drive(client, submission(fresh=True, extra_data={"api_key_comfy_org": "key-1234567"}))
    assert len(engine.posts("/prompt")) == 1


async def test_partial_acceptance_is_cancelled_and_refused(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    def accept_a_part(body: dict[str, Any]) -> Response:
        engine.pending.append(body["prompt_id"])
        return JSONResponse({"prompt_id": body["prompt_id"], "number": 1, "node_errors": NODE_ERRORS})

    engine.on_prompt.append(accept_a_part)
    with pytest.raises(PromptRefused) as caught:
        await drive(client, submission(fresh=True))
    assert "save" in caught.value.node_errors
    assert engine.pending == []


async def test_an_engine_that_ignores_prompt_id_is_told_and_its_prompt_withdrawn(
    engine: ScriptedComfyUI, client: ComfyClient
) -> None:
    def own_id(_body: dict[str, Any]) -> Response:
        engine.pending.append("theirs")
        return JSONResponse({"prompt_id": "theirs", "number": 1, "node_errors": {}})

    engine.on_prompt.append(own_id)
    with pytest.raises(EngineError, match="ignores prompt_id"):
        await drive(client, submission(fresh=True))
    assert engine.pending == []


LINK_TO_NOWHERE = {"a": {"class_type": "X", "inputs": {"ghost": ["77", 0]}}}


@pytest.mark.parametrize(
    ("prompt", "fault"),
    [
        ({}, "empty"),
        ({"a": {"class_type": "X"}}, "no inputs"),
        ({"a": {"class_type": "X", "inputs": None}}, "no inputs"),
        ({"a": {"inputs": {}}}, "no class_type"),
        ({"a": None}, "no class_type"),
        (LINK_TO_NOWHERE, "'ghost' links to a node that is not in the graph"),
        ({"a": {"class_type": "X", "inputs": {"ghost": ("77", 0)}}}, "not in the graph"),
        ({"a": {"class_type": "X", "inputs": {"scale": float("nan")}}}, "NaN"),
        ({"a": {"class_type": "X", "inputs": {"scale": float("inf")}}}, "Infinity"),
    ],
)
async def test_what_would_kill_the_worker_is_never_sent(
    engine: ScriptedComfyUI, client: ComfyClient, prompt: dict[str, Any], fault: str
) -> None:
    with pytest.raises(PromptRefused, match=fault):
        await drive(client, Submission(new_id(), prompt, fresh=True))
    assert engine.posts("/prompt") == []


async def test_a_two_item_list_that_is_no_link_may_be_sent(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    prompt = {"a": {"class_type": "X", "inputs": {"range": [0, 9], "names": ["b", "c"], "link": ["a", 0]}}}
    wanted = Submission(new_id(), prompt, fresh=True)
    task = await started(client, wanted, engine)
    await client.cancel(wanted.prompt_id)
    await task
    assert engine.posts("/prompt")[0]["prompt"] == prompt


@pytest.mark.parametrize("bad", [{"prompt_id": ""}, {"number": float("nan")}])
async def test_ids_and_numbers_that_hurt_are_refused(client: ComfyClient, bad: dict[str, Any]) -> None:
    with pytest.raises(PromptRefused):
        await drive(client, submission(fresh=True, **bad))


# --- lost answers ----------------------------------------------------------------------------------------------


async def test_after_a_lost_answer_a_known_prompt_is_not_sent_again(
    engine: ScriptedComfyUI, client: ComfyClient
) -> None:
    def accept_and_fail(body: dict[str, Any]) -> Response:
        engine.running.append(body["prompt_id"])
        return PlainTextResponse("500 Internal Server Error", 500)

    engine.on_prompt.append(accept_and_fail)
    wanted = submission(fresh=True)
    task = asyncio.create_task(drive(client, wanted))
    await eventually(lambda: engine.running)
    finishing(engine, wanted.prompt_id)
    await engine.say(settled(wanted.prompt_id))
    _, outcome = await task
    assert outcome.ending is Ending.SUCCESS
    assert len(engine.posts("/prompt")) == 1


async def test_after_a_lost_answer_an_unknown_prompt_is_sent_again(
    engine: ScriptedComfyUI, client: ComfyClient
) -> None:
    engine.on_prompt.append(lambda _body: PlainTextResponse("", 502))
    wanted = submission(fresh=True)
    task = await started(client, wanted, engine)
    finishing(engine, wanted.prompt_id)
    await engine.say(settled(wanted.prompt_id))
    await task
    first, second = engine.posts("/prompt")
    assert first == second


async def test_an_engine_that_never_takes_it_is_unreachable(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    engine.on_prompt += [lambda _body: PlainTextResponse("", 500)] * 9
    with pytest.raises(EngineUnreachable):
        await drive(client, submission(fresh=True))
    assert len(engine.posts("/prompt")) == 3


async def test_nobody_at_the_address() -> None:
    client = ComfyClient("http://127.0.0.1:9", timing=FAST)
    assert await client.health() is Health.REFUSED
    with pytest.raises(EngineUnreachable, match="Nobody listens"):
        await drive(client, submission(fresh=True))
    await client.close()


async def test_health_is_busy_when_answers_are_errors(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    assert await client.health() is Health.ALIVE
    engine.on_get["/prompt"] = lambda _request: PlainTextResponse("", 503)
    assert await client.health() is Health.BUSY


# --- truth: history, queue, socket -----------------------------------------------------------------------------


async def test_a_deaf_socket_is_opened_anew_the_old_one_closed_first(
    engine: ScriptedComfyUI, client: ComfyClient
) -> None:
    wanted = submission(fresh=True)
    task = await started(client, wanted, engine)
    engine.sockets.clear()  # the engine unregistered it: it stays open and hears nothing
    engine.pending, engine.running = [], [wanted.prompt_id]
    await eventually(lambda: engine.sockets)
    finishing(engine, wanted.prompt_id)
    await engine.say(settled(wanted.prompt_id))
    events, outcome = await task
    assert kinds(events)[-1] == "Began"  # the lists told it
    assert outcome.ending is Ending.SUCCESS
    sockets = [asked[1:] for asked in engine.asked if asked[0] == "WS"]
    assert sockets[:3] == [("open", client.client_id), ("close", client.client_id), ("open", client.client_id)]


async def test_a_dropped_socket_is_opened_again_under_the_same_id(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    wanted = submission(fresh=True)
    task = await started(client, wanted, engine)
    engine.drop_sockets()
    await eventually(lambda: len([asked for asked in engine.asked if asked[:2] == ("WS", "open")]) == 2)
    await eventually(lambda: engine.sockets)
    finishing(engine, wanted.prompt_id)
    await engine.say(settled(wanted.prompt_id))
    assert (await task)[1].ending is Ending.SUCCESS


async def test_silence_is_answered_by_the_lists(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    engine.pending = [new_id(), new_id()]
    wanted = submission(fresh=True)
    task = await started(client, wanted, engine)
    await engine.heard("GET", "/queue")
    await asyncio.sleep(0.05)
    finishing(engine, wanted.prompt_id)
    events, outcome = await task
    assert Queued(wanted.prompt_id, 2) in events
    assert outcome.ending is Ending.SUCCESS


async def test_a_prompt_in_no_list_is_lost_after_a_grace(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    wanted = submission(fresh=True)
    task = await started(client, wanted, engine)
    engine.pending.clear()
    with pytest.raises(PromptLost, match="in no list"):
        await task


class Clock:
    """What the follower takes for the time: it goes on when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    stopped = Clock()
    monkeypatch.setattr("runner.engine.follow.monotonic", stopped)
    return stopped


async def test_history_may_come_late(engine: ScriptedComfyUI, client: ComfyClient, clock: Clock) -> None:
    wanted = submission(fresh=True)
    task = await started(client, wanted, engine)
    engine.pending.clear()
    await engine.say(settled(wanted.prompt_id))
    await engine.heard("GET", "/queue")
    clock.now += FAST.late
    finishing(engine, wanted.prompt_id)
    assert (await task)[1].ending is Ending.SUCCESS


async def test_the_grace_begins_when_it_is_first_missed(engine: ScriptedComfyUI, clock: Clock) -> None:
    client = ComfyClient(engine.url, timing=replace(FAST, silence=60.0, poll=60.0))
    wanted = submission(fresh=True)
    task = await started(client, wanted, engine)
    for step in range(8):  # alive for longer than the grace, so that nothing is asked
        progress = {"value": step, "max": 8, "node": "make", "prompt_id": wanted.prompt_id}
        await engine.say({"type": "progress", "data": progress})
        clock.now += FAST.late
    assert not [asked for asked in engine.asked if asked[1] == "/queue"]
    engine.pending.clear()
    engine.drop_sockets()
    await engine.heard("GET", f"/history/{wanted.prompt_id}")
    clock.now += FAST.late
    finishing(engine, wanted.prompt_id)
    assert (await task)[1].ending is Ending.SUCCESS
    await client.close()


async def test_an_engine_that_stops_answering_is_unreachable_not_lost(
    engine: ScriptedComfyUI, client: ComfyClient
) -> None:
    wanted = submission(fresh=True)
    task = await started(client, wanted, engine)
    engine.on_get["/"] = lambda _request: PlainTextResponse("", 503)
    with pytest.raises(EngineUnreachable):
        await task


async def test_a_dead_process_loses_its_prompts() -> None:
    async with ScriptedComfyUI().serve() as engine:
        client = ComfyClient(engine.url, timing=FAST)
        task = await started(client, submission(fresh=True), engine)
    with pytest.raises(PromptLost, match="nobody listens"):
        await task
    await client.close()


async def test_the_queue_is_read_in_the_order_it_runs(client: ComfyClient, engine: ScriptedComfyUI) -> None:
    waiting = [[9, "c", {}, {}, []], [-1, "b", {}, {}, []], [9, "a", {}, {}, []]]
    body = {"queue_running": [[3, "r", {}, {}, []]], "queue_pending": waiting}
    engine.on_get["/queue"] = lambda _request: JSONResponse(body)
    places = {one: (await client.look(one)).before for one in "rbac"}
    assert places == {"r": 0, "b": 1, "a": 2, "c": 3}
    assert await client.where("r") is Where.RUNNING
    assert await client.where("x") is Where.UNKNOWN


# --- cancel ----------------------------------------------------------------------------------------------------


async def test_cancel_takes_a_waiting_prompt_from_the_queue(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    wanted = submission(fresh=True)
    engine.running = [new_id()]
    task = await started(client, wanted, engine)
    assert await client.cancel(wanted.prompt_id)
    assert (await task)[1] == Outcome(Ending.INTERRUPTED)
    assert {tuple(one["delete"]) for one in engine.posts("/queue")} == {(wanted.prompt_id,)}
    assert engine.posts("/interrupt") == []


async def test_cancel_interrupts_a_running_prompt_and_waits_for_history(
    engine: ScriptedComfyUI, client: ComfyClient
) -> None:
    wanted = submission(fresh=True)
    task = await started(client, wanted, engine)
    engine.pending, engine.running = [], [wanted.prompt_id]
    stopped = ("execution_interrupted", {"node_id": "make"})
    engine.on_interrupt = lambda prompt_id: finishing(engine, prompt_id, stopped)
    assert await client.cancel(wanted.prompt_id)
    assert {one["prompt_id"] for one in engine.posts("/interrupt")} == {wanted.prompt_id}
    _, outcome = await task
    assert (outcome.ending, outcome.node) == (Ending.INTERRUPTED, "make")


async def test_cancel_never_touches_a_foreign_or_ended_prompt(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    engine.running, engine.pending = [new_id()], [new_id()]
    ended = new_id()
    engine.history[ended] = entry(ended)
    assert await client.cancel(ended)
    assert await client.cancel(new_id())
    assert engine.posts("/interrupt") == engine.posts("/queue") == []


async def test_cancel_says_false_when_the_engine_does_not_react(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    engine.running = [new_id()]
    assert not await client.cancel(engine.running[0])


async def test_cancel_before_the_post_sends_nothing(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    wanted = submission()
    engine.on_get["/queue"] = lambda _request: _cancelling(client, wanted.prompt_id)
    _, outcome = await drive(client, wanted)
    assert outcome == Outcome(Ending.INTERRUPTED)
    assert engine.posts("/prompt") == []


def _cancelling(client: ComfyClient, prompt_id: str) -> Response:
    client._unwanted.add(prompt_id)  # pyright: ignore[reportPrivateUsage]  what cancel() does first
    return JSONResponse({"queue_running": [], "queue_pending": []})


async def test_cancel_while_the_post_is_on_the_way_still_cancels(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    wanted = submission(fresh=True)
    cancelled: list[asyncio.Task[bool]] = []

    def accept_late(body: dict[str, Any]) -> Response:
        cancelled.append(asyncio.create_task(client.cancel(body["prompt_id"])))
        engine.pending.append(body["prompt_id"])
        return JSONResponse({"prompt_id": body["prompt_id"], "number": 1, "node_errors": {}})

    engine.on_prompt.append(accept_late)
    _, outcome = await drive(client, wanted)
    assert outcome == Outcome(Ending.INTERRUPTED)
    assert await cancelled[0]
    assert engine.pending == []


# --- the rest --------------------------------------------------------------------------------------------------


async def test_upload_returns_the_name_that_the_engine_chose(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    assert await client.upload("jobs/7/ä ö.png", b"bytes", content_type="image/png") == "jobs/7/given (1).png"
    form = engine.posts("/upload/image")[0]
    assert (form["image"].filename, form["subfolder"], form["type"]) == ("ä ö.png", "jobs/7", "input")
    assert "overwrite" not in form


async def test_fetch_of_a_missing_file(client: ComfyClient) -> None:
    with pytest.raises(EngineError, match=r"no file 'a\.png'"):
        _ = [piece async for piece in client.fetch(EngineFile("a.png"))]


async def test_free_and_forget(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    engine.history["old"] = entry("old")
    await client.free()
    await client.forget("old")
    assert engine.posts("/free") == [{"unload_models": True, "free_memory": True}]
    assert engine.history == {}


async def test_the_boot_changes_when_the_socket_broke_and_history_is_gone(
    engine: ScriptedComfyUI, client: ComfyClient
) -> None:
    wanted = submission()
    finishing(engine, wanted.prompt_id)
    await drive(client, wanted)
    first = await client.boot_id()
    engine.drop_sockets()
    await eventually(lambda: not engine.sockets)
    assert await client.boot_id() == first
    engine.history.clear()
    engine.drop_sockets()
    await eventually(lambda: not engine.sockets)
    second = await client.boot_id()
    assert second != first
    assert await client.boot_id() == second


async def test_the_catalog_is_kept_until_the_boot_changes_or_a_prompt_is_refused(
    engine: ScriptedComfyUI, client: ComfyClient
) -> None:
    info = {"A": {"input": {}, "output": []}}
    engine.on_get["/object_info"] = lambda _request: JSONResponse(info)
    first = await client.catalog()
    assert (first.version, tuple(first.nodes)) == ("0.0.1", ("A",))
    assert await client.catalog() is first
    engine.on_prompt.append(lambda _body: JSONResponse({"error": ERROR, "node_errors": NODE_ERRORS}, 400))
    with pytest.raises(PromptRefused):
        await drive(client, submission(fresh=True))
    assert await client.catalog() is not first


async def test_a_server_that_is_no_comfyui(engine: ScriptedComfyUI, client: ComfyClient) -> None:
    engine.on_get["/object_info"] = lambda _request: JSONResponse(["hello"])
    with pytest.raises(EngineError, match="not ComfyUI's"):
        await client.catalog()


async def test_the_name_and_messages_hold_no_password() -> None:
    client = ComfyClient("http://user:secret@127.0.0.1:9/sub/", timing=FAST)
    assert client.name == "127.0.0.1:9"
    with pytest.raises(EngineUnreachable) as caught:
        await client.stats()
    assert "secret" not in str(caught.value)
    await client.close()


def test_a_submission_shows_no_graph_and_no_key() -> None:
    shown = repr(Submission("p", {"a": "private"}, {"api_key_comfy_org": "key-1234567"}))
    assert "private" not in shown
    assert "key-1234567" not in shown
