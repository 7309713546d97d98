"""The client of one ComfyUI: every way to have an engine is reached through it.

One HTTP session and one websocket serve all prompts of this process. Truth comes in this order: history, queue,
socket. On the happy path a prompt costs two requests: POST /prompt and GET /history/{id}.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2

from compiler.catalog import Catalog
from compiler.catalog_parse import parse_catalog
from compiler.errors import GraphError
from runner.engine.admit import admit
from runner.engine.answers import mapping, place, refusal
from runner.engine.base import (
    Ending,
    EngineError,
    EngineEvent,
    EngineFile,
    EngineUnreachable,
    Health,
    Outcome,
    Queued,
    Submission,
    Where,
)
from runner.engine.boot import Boot
from runner.engine.follow import Dropped, Follower, Inbox, Item, Removed, Sighting
from runner.engine.frames import Frame, Status
from runner.engine.http import Ambiguous, Answer, EngineHttp, Refused, Timing
from runner.engine.outputs import read_history
from runner.engine.pause import Pauses
from runner.engine.socket import EventSocket

_SENDS: Final = 3
"""How often a prompt is sent if each time the answer is lost and the engine does not know it."""
_CHUNK: Final = 256 * 1024
PARTNER_KEY: Final = "api_key_comfy_org"
"""In extra_data: what partner nodes are paid with."""


class ComfyClient:
    """An engine at a base URL, e.g. `http://127.0.0.1:8188`. Made outside a loop, used in one; close() it.

    The client_id is unique to this object, and so to this process and instance; a restarted engine knows no prompt of
    before, so the boot needs no part in it.
    """

    def __init__(
        self,
        base_url: str,
        *,
        name: str = "",
        timing: Timing | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        marker: Callable[[], str] | None = None,
    ) -> None:
        """`marker` gives the boot identity of a process that we own, and an empty text while it does not run."""
        self.timing = timing or Timing()
        self.base_url = base_url.rstrip("/")
        self._name = name or urlsplit(base_url).netloc.rpartition("@")[2]
        self.client_id = f"comfyc-{uuid4().hex}"
        self._http = EngineHttp(self.base_url, self.timing, transport)
        self._socket = EventSocket(self.base_url, self.client_id, self.timing, self._on_frame, self._on_drop)
        self._marker = marker
        self._inboxes: dict[str, list[Inbox]] = {}
        self._unwanted: set[str] = set()
        self._secrets: dict[str, tuple[str, ...]] = {}
        self._remaining = 0
        self._boot = Boot(self.stats, self.history)
        self._catalog: tuple[str, Catalog] | None = None
        self.partner_key = ""
        """Comfy.org's API key, sent with graphs that hold a partner node, and with no other."""

    @property
    def name(self) -> str:
        return self._name

    # --- what it is --------------------------------------------------------------------------------------------

    async def health(self) -> Health:
        """REFUSED where nobody listens, BUSY where no answer comes."""
        try:
            await self._http.get("/prompt", wait=self.timing.connect)
        except Refused:
            return Health.REFUSED
        except EngineError:
            return Health.BUSY
        return Health.ALIVE

    async def stats(self) -> dict[str, Any]:
        """GET /system_stats: versions, devices and their memory. Errors: EngineError."""
        return mapping(await self._http.get("/system_stats"))

    async def remaining(self) -> int:
        """How many prompts it has, running and waiting, everybody's. Errors: EngineUnreachable."""
        return int(mapping(mapping(await self._http.get("/prompt")).get("exec_info")).get("queue_remaining") or 0)

    async def boot_id(self) -> str:
        """Our own marker for a process that we started; else what can be seen from outside, see `Boot`.

        Errors: EngineUnreachable.
        """
        if self._marker:
            return self._marker()
        await self._socket.ready()
        return await self._boot.identity()

    async def catalog(self) -> Catalog:
        """/object_info, kept until the boot changes or a prompt was refused. Errors: EngineError."""
        boot = await self.boot_id()
        if self._catalog is None or self._catalog[0] != boot:
            version = str(mapping((await self.stats()).get("system")).get("comfyui_version") or "")
            body = await self._http.get("/object_info")
            try:
                self._catalog = boot, parse_catalog(body, version=version, source=self._http.base_url)
            except GraphError:
                raise EngineError("The engine's /object_info is not ComfyUI's") from None
        return self._catalog[1]

    async def restock(self) -> None:
        """Reads the catalog anew the next time: model files have come."""
        self._catalog = None

    # --- files -------------------------------------------------------------------------------------------------

    async def upload(self, name: str, data: bytes, *, content_type: str) -> str:
        """Puts a file into the input folder. The engine may choose another name, so write the returned one.

        Errors: EngineUnreachable; EngineError if the name or the size is refused.
        """
        folder, _, leaf = name.rpartition("/")
        fields = {"type": "input", "subfolder": folder}
        part = (leaf, data, content_type)
        try:
            answer = await self._http.post_file("/upload/image", part, fields)
        except Ambiguous:  # the same name and bytes are stored once only, so a second time does no harm
            answer = await self._http.post_file("/upload/image", part, fields)
        stored = mapping(answer.body)
        if answer.status != 200 or not stored.get("name"):
            raise EngineError(f"The engine refused the upload of {leaf!r} ({answer.status})")
        return "/".join(part for part in (str(stored.get("subfolder") or ""), str(stored["name"])) if part)

    async def fetch(self, file: EngineFile) -> AsyncIterator[bytes]:
        """The bytes of an output file, in pieces. Errors: EngineError if there is none, EngineUnreachable."""
        params = {"filename": file.filename, "subfolder": file.subfolder, "type": file.type}
        async with self._http.stream("/view", params) as response:
            if response.status_code != 200:
                raise EngineError(f"The engine has no file {file.filename!r} ({response.status_code})")
            async for piece in response.aiter_bytes(_CHUNK):
                yield piece

    # --- prompts -----------------------------------------------------------------------------------------------

    async def run(self, submission: Submission) -> AsyncIterator[EngineEvent | Outcome]:
        """Submits and follows, or joins a prompt that the engine already has; see `Engine.run`."""
        admit(submission)
        submission = await self._keyed(submission)
        prompt_id = submission.prompt_id
        with self._listening(submission) as inbox:
            await self._socket.ready()
            known = False if submission.fresh else await self.where(prompt_id) is not Where.UNKNOWN
            if prompt_id in self._unwanted:
                yield Outcome(Ending.INTERRUPTED)
                return
            if not known:
                before = self._remaining
                await self._submit(submission)
                yield Queued(prompt_id, before)
            if prompt_id in self._unwanted:
                await self.cancel(prompt_id)
            async with aclosing(Follower(self, prompt_id, inbox, joined=known).follow()) as items:
                async for item in items:
                    yield item

    async def where(self, prompt_id: str) -> Where:
        """Errors: EngineUnreachable."""
        return (await self.look(prompt_id)).where

    async def cancel(self, prompt_id: str) -> bool:
        """Deletes it from the queue or interrupts it, and only it; waits until the engine's lists show the end.

        False if it still runs after `Timing.stop`: a node that never looks, or a dead worker thread.
        Errors: EngineUnreachable.
        """
        if prompt_id in self._inboxes:
            self._unwanted.add(prompt_id)  # its POST may be on the way: run() looks here after it
        for pause in Pauses(0.02, 1.0).within(self.timing.stop):
            sighting = await self.look(prompt_id)
            if sighting.where is Where.FINISHED:
                return True
            if sighting.where is Where.UNKNOWN:
                self._tell(prompt_id, Removed())
                return True
            if sighting.where is Where.PENDING:
                await self._http.post("/queue", {"delete": [prompt_id]})
            else:  # engines before 0.3.50 or so ignore the id: never sent unless it is this prompt that runs
                await self._http.post("/interrupt", {"prompt_id": prompt_id})
            await pause()
        return False

    async def forget(self, prompt_id: str) -> None:
        """Deletes its history entry. Errors: EngineUnreachable."""
        await self._http.post("/history", {"delete": [prompt_id]})
        self._boot.forget(prompt_id)

    async def free(self) -> None:
        """POST /free; done between prompts, so 200 proves nothing. Errors: EngineUnreachable."""
        await self._http.post("/free", {"unload_models": True, "free_memory": True})

    async def close(self) -> None:
        await self._socket.close()
        await self._http.close()

    # --- what following needs ----------------------------------------------------------------------------------

    async def history(self, prompt_id: str) -> Mapping[str, Any]:
        """The history entry, empty if there is none. Errors: EngineUnreachable."""
        return mapping(mapping(await self._http.get(f"/history/{prompt_id}")).get(prompt_id))

    async def look(self, prompt_id: str) -> Sighting:
        """Queue first, then history: a prompt moves from one to the other at once, so it is not missed between.

        Errors: EngineUnreachable.
        """
        where, before = place(await self._http.get("/queue"), prompt_id)
        if where is not Where.UNKNOWN:
            return Sighting(where, before)
        entry = await self.history(prompt_id)
        return Sighting(Where.FINISHED, entry=entry) if entry else Sighting(Where.UNKNOWN)

    def outcome(self, prompt_id: str, entry: Mapping[str, Any]) -> Outcome:
        self._boot.witness = prompt_id
        return read_history(entry, self._secrets.get(prompt_id, ()))

    async def reopen(self) -> None:
        await self._socket.ready()

    async def renew(self) -> None:
        await self._socket.renew()

    def gone(self) -> bool:
        return self._marker is not None and not self._marker()

    async def _keyed(self, submission: Submission) -> Submission:
        if not self.partner_key:
            return submission
        catalog = self._catalog[1] if self._catalog else await self.catalog()
        kinds = (catalog.get(str(node.get("class_type"))) for node in submission.prompt.values())
        if not any(kind is not None and kind.api_node for kind in kinds):
            return submission
        return replace(submission, extra_data={PARTNER_KEY: self.partner_key, **submission.extra_data})

    # --- submitting --------------------------------------------------------------------------------------------

    async def _submit(self, submission: Submission) -> None:
        """POST /prompt once; again only after the engine's lists showed that it did not arrive."""
        body: dict[str, Any] = {
            "prompt": submission.prompt,
            "prompt_id": submission.prompt_id,
            "client_id": self.client_id,
            "extra_data": dict(submission.extra_data),
        }
        if submission.number is not None:
            body["number"] = submission.number
        for _ in range(_SENDS):
            try:
                answer = await self._http.post("/prompt", body)
            except Ambiguous:
                if await self._arrived(submission.prompt_id):
                    return
                continue
            except ValueError:
                raise refusal({}, 0, "The graph holds a number that JSON has not (NaN or Infinity)") from None
            await self._accept(submission, answer)
            return
        raise EngineUnreachable("The engine took the prompt at no attempt")

    async def _accept(self, submission: Submission, answer: Answer) -> None:
        """200 with node_errors is partial acceptance: bad outputs were dropped in silence and the rest would run."""
        body, secrets = mapping(answer.body), self._secrets.get(submission.prompt_id, ())
        if answer.status != 200:
            self._catalog = None  # a model file may have come or gone
            raise refusal(body, answer.status, secrets=secrets)
        given = str(body.get("prompt_id"))
        if mapping(body.get("node_errors")):
            await self._withdraw(given)
            self._catalog = None
            raise refusal(body, answer.status, secrets=secrets)
        if given != submission.prompt_id:
            await self._withdraw(given)
            raise EngineError("This ComfyUI ignores prompt_id: comfyc needs 0.3.50 or newer")

    async def _withdraw(self, prompt_id: str) -> None:
        await self.cancel(prompt_id)
        self._unwanted.discard(prompt_id)

    async def _arrived(self, prompt_id: str) -> bool:
        """After a lost answer: did the engine get it? The request may still lie before a busy event loop.

        Errors: EngineUnreachable if the lists give no answer either.
        """
        last: EngineUnreachable | None = None
        for pause in Pauses(0.05, 1.0).within(self.timing.patience):
            try:
                if await self.where(prompt_id) is not Where.UNKNOWN:
                    return True
                last = None
                if pause.elapsed > self.timing.late / 2:
                    return False
            except Refused:
                raise
            except EngineUnreachable as error:
                last = error
            await pause()
        raise last or EngineUnreachable("The engine gives no answer")

    # --- frames ------------------------------------------------------------------------------------------------

    @contextmanager
    def _listening(self, submission: Submission) -> Generator[Inbox]:
        prompt_id, inbox = submission.prompt_id, Inbox()
        self._inboxes.setdefault(prompt_id, []).append(inbox)
        self._secrets[prompt_id] = tuple(v for v in submission.extra_data.values() if isinstance(v, str))
        try:
            yield inbox
        finally:
            self._inboxes[prompt_id].remove(inbox)
            if not self._inboxes[prompt_id]:
                del self._inboxes[prompt_id], self._secrets[prompt_id]
                self._unwanted.discard(prompt_id)

    def _on_frame(self, frame: Frame) -> None:
        if isinstance(frame, Status):
            self._remaining = frame.remaining
        else:
            self._tell(frame.prompt_id, frame)

    def _on_drop(self) -> None:
        self._boot.doubt()
        for prompt_id in self._inboxes:
            self._tell(prompt_id, Dropped())

    def _tell(self, prompt_id: str, item: Item) -> None:
        for inbox in self._inboxes.get(prompt_id, ()):
            inbox.give(item)
