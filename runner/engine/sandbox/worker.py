"""The one worker thread: takes prompts, runs them, writes history. Its death is silent, as ComfyUI's is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from runner.engine.sandbox import faults as fault_kinds
from runner.engine.sandbox import wire
from runner.engine.sandbox.cache import Cache
from runner.engine.sandbox.faults import Faults
from runner.engine.sandbox.hub import Hub
from runner.engine.sandbox.node import Interrupted, NodeFailure
from runner.engine.sandbox.prompt_queue import Delivery, PromptQueue
from runner.engine.sandbox.run import SECRETS, Ending, Folders, Ops, Run, Site

_IDLE: Final = 1000.0


class Died(BaseException):
    """The worker thread ends here, leaving everything as it stands."""


class Vanished(Exception):
    """The prompt is gone without a trace; the worker goes on."""


class Worker:
    """Runs prompts one after another in a thread of its own."""

    def __init__(
        self,
        catalog: Any,
        folders: Folders,
        ops: Ops,
        hub: Hub,
        queue: PromptQueue,
        faults: Faults,
        crash: Callable[[float | None], None],
        drop_sockets: Callable[[], None],
        *,
        step_seconds: float,
    ) -> None:
        self.hub, self.queue, self.faults = hub, queue, faults
        self._crash, self._drop_sockets = crash, drop_sockets
        self._interrupt = threading.Event()
        self.cache = Cache()
        self._site = Site(
            catalog=catalog,
            folders=folders,
            ops=ops,
            listeners=hub,
            cache=self.cache,
            interrupted=self._interrupt.is_set,
            sleep=self._sleep,
            strike=self._strike,
            step_seconds=step_seconds,
        )
        self._late: list[threading.Timer] = []
        self.thread = threading.Thread(target=self._main, name="sandbox-worker", daemon=True)

    def interrupt(self) -> None:
        """Stops the running prompt at its next node or step."""
        self._interrupt.set()

    def stop(self) -> None:
        """Ends the thread; a running prompt is interrupted."""
        self._interrupt.set()
        self.queue.stop()
        for timer in self._late:
            timer.cancel()

    def _sleep(self, seconds: float) -> None:
        if seconds > 0.0:
            self._interrupt.wait(seconds)

    def _main(self) -> None:
        try:
            while not self.queue.stopped:
                delivery = self.queue.take(_IDLE)
                if delivery is not None:
                    self._one(delivery)
                flags = self.queue.take_flags()
                if flags.get("free_memory"):
                    self.cache.clear()
                if flags.get("free_memory") or flags.get("unload_models"):
                    self.faults.starved = False
        except Died:
            return

    def _one(self, delivery: Delivery) -> None:
        item = delivery.item
        self._interrupt.clear()
        try:
            # Fails on `"extra_data": null`, as on 0.3.64, and takes the thread with it.
            has_client = "client_id" in item.extra_data
            client: Any = item.extra_data["client_id"] if has_client else None
            if not _can_be_key(client):  # ends ComfyUI's whole process
                self._crash(None)
                raise Died
            extra = {**item.extra_data, **delivery.secrets} if delivery.secrets else item.extra_data
            run = Run(self._site, item.prompt_id, item.prompt, extra, item.outputs)
            ending = run.go()
        except Vanished:
            self.queue.finish(delivery.ticket, None)
            return
        except Exception as error:  # ComfyUI's worker has no handler here either
            raise Died from error
        if self.faults.take("empty_outputs") and not run.executed:
            ending.outputs, ending.meta = {}, {}
        self._finish(delivery, ending)
        self.hub.running = (None, None)
        if client is not None and self.hub.heard(client):
            self.hub.publish(wire.message("executing", {"node": None, "prompt_id": item.prompt_id}), client)

    def _finish(self, delivery: Delivery, ending: Ending) -> None:
        item = delivery.item
        for name in SECRETS:
            item.extra_data.pop(name, None)
        entry = ending.history(item.shown())
        late = self.faults.take("late_history")
        if late is None:
            self.queue.finish(delivery.ticket, entry)
            return
        self.queue.finish(delivery.ticket, None)
        timer = threading.Timer(late.seconds, self.queue.record, (item.prompt_id, entry))
        timer.daemon = True
        self._late.append(timer)
        timer.start()

    def _strike(self, node_id: str, kind: str) -> None:
        """What happens to a node that begins, if a fault waits for it."""
        if self._interrupt.is_set():
            raise Interrupted
        if self.faults.broken:
            raise NodeFailure(fault_kinds.DEVICE_TYPE, self.faults.broken)
        if self.faults.starved:
            raise NodeFailure(fault_kinds.OOM_TYPE, fault_kinds.OOM_TEXT)
        fault = self.faults.take(*fault_kinds.NODE_KINDS, node=(node_id, kind))
        if fault is not None:
            self._suffer(fault)

    def _suffer(self, fault: fault_kinds.Fault) -> None:
        match fault.kind:
            case "crash":
                self._crash(fault.seconds)
                raise Died
            case "kill_worker":
                raise Died
            case "lose":
                raise Vanished
            case "drop_sockets":
                self._drop_sockets()
                time.sleep(fault.seconds)
            case "silence":
                self.faults.hush(fault.seconds)
            case "out_of_memory":
                self.faults.starved = True
                raise NodeFailure(fault_kinds.OOM_TYPE, fault_kinds.OOM_TEXT)
            case "device_fault":
                self.faults.broken = fault_kinds.DEVICE_TEXT
                raise NodeFailure(fault_kinds.DEVICE_TYPE, fault_kinds.DEVICE_TEXT)
            case _:
                raise NodeFailure(fault.type, fault.message)


def _can_be_key(client: Any) -> bool:
    try:
        hash(client)
    except TypeError:
        return False
    return True
