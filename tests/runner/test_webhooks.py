"""Webhooks: signed as Standard Webhooks verifies, tried again with a delay, given up at last, no harm to the job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from jobs_support import CALLBACK, SECRET, Receiver, Setup, database_url, make_backend, setup, until
from standardwebhooks import Webhook, WebhookVerificationError

from runner.job import Callback, Job, State
from runner.store.guard import Guard
from runner.store.outbox import Delivery, Message
from runner.webhooks import BadSecret, Signer

QUICK = (0.05, 0.05, 0.05)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with database_url(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/comfyc.db"


async def message(running: Setup, job: Job, state: Delivery) -> Message:
    """The job's webhook, once it has this state."""
    found: list[Message] = []

    async def reached() -> bool:
        one = await running.backend.outbox.get(f"msg_{job.id}")
        found[:] = [one] if one is not None else []
        return one is not None and one.state is state

    await until(reached)
    return found[0]


async def test_an_end_is_told_once_and_signed(url: str, tmp_path: Path) -> None:
    async with setup(url, tmp_path) as running:
        done = await running.end(await running.submit(callback=CALLBACK))
        told = await message(running, done, Delivery.DELIVERED)
        assert told.tries == 1
        (request,) = running.receiver.got
        assert request.method == "POST"
        assert str(request.url) == CALLBACK.url
        assert request.headers["authorization"] == "Bearer callback-token"
        assert request.headers["webhook-id"] == f"msg_{done.id}"
        body = Webhook(SECRET).verify(request.content, dict(request.headers))
        assert body == {"id": done.number, "state": "succeeded"}
        assert await running.backend.outbox.count() == {"delivered": 1}


def test_the_signature_is_that_of_the_library() -> None:
    body, seconds = '{"a":"ä"}'.encode(), 1_700_000_000
    headers = Signer(SECRET).headers("msg_1", seconds, body)
    from datetime import UTC, datetime

    theirs = Webhook(SECRET).sign("msg_1", datetime.fromtimestamp(seconds, UTC), body.decode())
    assert headers["webhook-signature"] == theirs


async def test_a_changed_body_is_not_verified(sqlite: str, tmp_path: Path) -> None:
    async with setup(sqlite, tmp_path) as running:
        done = await running.end(await running.submit(callback=CALLBACK))
        await message(running, done, Delivery.DELIVERED)
        request = running.receiver.got[0]
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(request.content.replace(b"succeeded", b"failed"), dict(request.headers))


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_###", "whsec_c2hvcnQ="])
def test_bad_secrets(secret: str) -> None:
    with pytest.raises(BadSecret, match="whsec_"):
        Signer(secret)


async def test_without_a_callback_nothing_is_sent(sqlite: str, tmp_path: Path) -> None:
    async with setup(sqlite, tmp_path) as running:
        await running.end(await running.submit())
        assert await running.backend.outbox.count() == {}
        assert running.receiver.got == []


async def test_a_failed_try_is_followed_by_another(url: str, tmp_path: Path) -> None:
    receiver = Receiver(answers=[500, 302, 404])
    async with setup(url, tmp_path, receiver=receiver, webhook_delays_s=QUICK) as running:
        done = await running.end(await running.submit(callback=CALLBACK))
        told = await message(running, done, Delivery.DELIVERED)
        assert told.tries == 4
        assert len({request.headers["webhook-id"] for request in receiver.got}) == 1
        assert len({request.content for request in receiver.got}) == 1


@pytest.mark.parametrize(
    ("answers", "tries", "why"),
    [([500] * 9, 4, "answered 500"), ([410], 1, "answered 410")],
    ids=["always refused", "gone"],
)
async def test_it_is_given_up(answers: list[int], tries: int, why: str, sqlite: str, tmp_path: Path) -> None:
    receiver = Receiver(answers=list(answers))
    async with setup(sqlite, tmp_path, receiver=receiver, webhook_delays_s=QUICK) as running:
        done = await running.end(await running.submit(callback=CALLBACK))
        dead = await message(running, done, Delivery.DEAD)
        assert (dead.tries, len(receiver.got)) == (tries, tries)
        assert why in dead.error
        assert done.state is State.SUCCEEDED


async def test_a_private_receiver_is_not_reached(sqlite: str, tmp_path: Path) -> None:
    async with setup(sqlite, tmp_path, client=Guard().guarded_client, webhook_delays_s=QUICK) as running:
        job = await running.submit(callback=Callback("http://127.0.0.1:1/hook"))
        dead = await message(running, await running.end(job), Delivery.DEAD)
        assert "private network" in dead.error


async def test_an_unreachable_receiver_is_tried_again(sqlite: str, tmp_path: Path) -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("nobody listens")

    def client() -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.MockTransport(refuse))

    async with setup(sqlite, tmp_path, client=client, webhook_delays_s=QUICK) as running:
        dead = await message(running, await running.end(await running.submit(callback=CALLBACK)), Delivery.DEAD)
        assert (dead.tries, dead.error) == (4, "ConnectError: the receiver could not be reached")


async def test_a_body_that_cannot_be_made_harms_no_job(sqlite: str, tmp_path: Path) -> None:
    def encode(job: Job) -> dict[str, object]:
        raise KeyError("a defect of the dialect")

    async with setup(sqlite, tmp_path, encode=encode, webhook_delays_s=QUICK[:1]) as running:
        done = await running.end(await running.submit(callback=CALLBACK))
        assert (await message(running, done, Delivery.DEAD)).error == "the body could not be made (KeyError)"
        assert done.state is State.SUCCEEDED


async def test_a_cancelled_job_tells_its_end_too(sqlite: str, tmp_path: Path) -> None:
    async with setup(sqlite, tmp_path, held=True, look_ahead=0) as running:
        jobs = [await running.submit(body={"seed": seed}, callback=CALLBACK) for seed in range(3)]
        await running.backend.service.cancel("acme", jobs[2].id)
        await message(running, jobs[2], Delivery.DELIVERED)
        told = [json.loads(request.content) for request in running.receiver.got]
        assert {"id": jobs[2].number, "state": "cancelled"} in told


async def test_webhooks_that_a_crash_left_are_delivered(url: str, tmp_path: Path) -> None:
    """One whose delivery was never queued, and one whose task ended without its end."""
    async with setup(url, tmp_path) as running:
        submit = running.backend.durable.submit

        async def only_jobs(queue: str, *args: object, **more: object) -> None:
            if queue == "jobs":
                await submit(queue, *args, **more)  # type: ignore[arg-type]

        running.backend.durable.submit = only_jobs  # type: ignore[method-assign]
        done = [await running.end(await running.submit(callback=CALLBACK)) for _ in range(2)]
        await running.backend.__aexit__()
        assert running.receiver.got == []
        second = make_backend(running.database, running.pool, running.storage, running.receiver)
        async with second:
            running.backend = second
            for job in done:
                await message(running, job, Delivery.DELIVERED)
        assert sorted(request.headers["webhook-id"] for request in running.receiver.got) == sorted(
            f"msg_{job.id}" for job in done
        )


async def test_one_try_alone(sqlite: str, tmp_path: Path) -> None:
    """Fire and forget: a receiver that fails is not asked again, and the job does not care."""
    async with setup(sqlite, tmp_path, webhook_delays_s=QUICK) as running:
        running.receiver.answers = [500]
        callback = Callback(CALLBACK.url, once=True)
        done = await running.end(await running.submit(callback=callback))
        assert done.state is State.SUCCEEDED
        told = await message(running, done, Delivery.DEAD)
        assert (told.tries, told.error) == (1, "the receiver answered 500")
        assert len(running.receiver.got) == 1
        assert "authorization" not in running.receiver.got[0].headers


async def test_a_receiver_that_takes_too_long(sqlite: str, tmp_path: Path) -> None:
    async with setup(sqlite, tmp_path, webhook_delays_s=QUICK) as running:
        running.receiver.wait_s = 5.0
        callback = Callback(CALLBACK.url, once=True, timeout_s=0.05)
        done = await running.end(await running.submit(callback=callback))
        told = await message(running, done, Delivery.DEAD)
        assert (told.tries, "could not be reached" in told.error) == (1, True)
