"""Webhooks: each end of a job that wants one is told at least once, under one id, signed as Standard Webhooks has it.

A delivery is a task of the durable queue; a failed one is followed by another with a delay, up to some 28 hours, unless
the caller wants one try alone (Callback.once). What becomes of it never touches the job.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import httpx2
import structlog

from runner.durable import Durable
from runner.job import Callback, Job
from runner.store.guard import AddressRefused
from runner.store.jobs import JobStore
from runner.store.outbox import Delivery, Message, Outbox

WEBHOOKS: Final = "webhooks"
"""The durable queue of deliveries."""
PREFIX: Final = "whsec_"
DELAYS_S: Final = (2.0, 10.0, 60.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 36000.0)
"""Wait before each further try."""
GONE: Final = 410
"""The receiver wants no more (Standard Webhooks, "Webhook receivers")."""
SLOTS: Final = 16

log = structlog.get_logger("comfyc.webhooks")


class BadSecret(ValueError):
    """The secret is not `whsec_` and 24 to 64 bytes in base64."""


class Signer:
    """Makes the headers of Standard Webhooks, signature version v1 (HMAC-SHA256)."""

    def __init__(self, secret: str) -> None:
        try:
            self._key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except binascii.Error as error:
            raise BadSecret(BadSecret.__doc__) from error
        if not 24 <= len(self._key) <= 64:
            raise BadSecret(BadSecret.__doc__)

    def headers(self, message_id: str, seconds: int, body: bytes) -> dict[str, str]:
        """`seconds`: when this try is made, since the epoch."""
        signed = hmac.digest(self._key, f"{message_id}.{seconds}.".encode() + body, hashlib.sha256)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }


class Webhooks:
    """Delivers the outbox. `encode` makes the body of a job in its dialect's words; `client` makes a guarded client."""

    def __init__(
        self,
        outbox: Outbox,
        jobs: JobStore,
        durable: Durable,
        signer: Signer,
        encode: Callable[[Job], Mapping[str, Any]],
        client: Callable[[], httpx2.AsyncClient],
        *,
        delays_s: Sequence[float] = DELAYS_S,
        clock: Callable[[], float] = time.time,
        told: Callable[[str], object] = lambda outcome: None,
    ) -> None:
        """`told` hears what became of each try: `delivered`, `failed` or `dead`."""
        self._outbox, self._jobs, self._durable, self._signer = outbox, jobs, durable, signer
        self._encode, self._make_client, self._delays_s, self._clock = encode, client, delays_s, clock
        self._told = told
        self._client: httpx2.AsyncClient | None = None

    async def announce(self, job: Job) -> None:
        """Queues the delivery of a job's webhook, if it has one. A crash before this is repaired by the sweep."""
        if job.callback is not None:
            await self._durable.submit(WEBHOOKS, f"msg_{job.id}")

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def deliver(self, message_id: str, number: int) -> None:
        """One try; the durable queue's handler."""
        message = await self._outbox.get(message_id)
        if message is None or message.state is not Delivery.PENDING:
            return
        if message.tries != number:
            if message.tries > number:  # a crash came after the try was stored, before the next one was queued
                await self._next(message.id, message.tries)
            return
        error, final = await self._try(message)
        if not error:
            await self._outbox.tried(message, Delivery.DELIVERED)
            self._told("delivered")
            return
        if final or number >= len(self._delays_s):
            log.error("webhook given up", message_id=message.id, job_id=message.job_id, why=error)
            await self._outbox.tried(message, Delivery.DEAD, error)
            self._told("dead")
            return
        log.warning("webhook failed", message_id=message.id, job_id=message.job_id, why=error, tries=number + 1)
        await self._outbox.tried(message, Delivery.PENDING, error)
        self._told("failed")
        await self._next(message.id, number + 1)

    async def _next(self, message_id: str, number: int) -> None:
        delay = self._delays_s[min(number, len(self._delays_s)) - 1]
        await self._durable.retry(WEBHOOKS, message_id, number, rank=number + 1, delay_s=delay)

    async def _try(self, message: Message) -> tuple[str, bool]:
        """Why it failed, `""` if it did not; and whether another try is useless."""
        row = await self._jobs.get(message.job_id)
        if row is None:
            return "the job is gone", True
        callback = row.job.callback or Callback(message.url)
        try:
            body = json.dumps(self._encode(row.job), ensure_ascii=False, separators=(",", ":")).encode()
        except Exception as error:
            log.exception("webhook body failed", job_id=message.job_id)
            return f"the body could not be made ({type(error).__name__})", callback.once
        headers = {
            "content-type": "application/json",
            "user-agent": "comfyc",
            **({"authorization": f"Bearer {message.token}"} if message.token else {}),
            **self._signer.headers(message.id, int(self._clock()), body),
        }
        error, final = await self._post(message.url, body, headers, callback.timeout_s)
        return error, final or callback.once

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str], limit_s: float | None) -> tuple[str, bool]:
        """`limit_s`: how long the receiver may take; None: as long as the client has patience."""
        if self._client is None:
            self._client = self._make_client()
        try:
            async with (
                asyncio.timeout(limit_s),
                self._client.stream("POST", url, content=body, headers=headers) as response,
            ):
                status = response.status_code  # the answer's body is not read: it may have no end
        except AddressRefused as error:
            return str(error), True
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:  # TimeoutError is an OSError
            return f"{type(error).__name__}: the receiver could not be reached", False
        return ("", False) if 200 <= status < 300 else (f"the receiver answered {status}", status == GONE)
