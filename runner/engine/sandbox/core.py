"""One boot of a sandbox: everything that lives in its memory and dies with it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from compiler.catalog import Catalog
from compiler.catalog_emit import object_info
from compiler.check.rules import OLD, rules_for
from runner.engine.sandbox import wire
from runner.engine.sandbox.faults import Faults
from runner.engine.sandbox.hub import Hub
from runner.engine.sandbox.prompt_queue import PromptQueue
from runner.engine.sandbox.run import Folders, Ops
from runner.engine.sandbox.worker import Worker

MAX_UPLOAD = 100 * 1024 * 1024
"""ComfyUI's --max-upload-size, bytes."""


class Core:
    """The state of one boot. Made on the event loop; `start` begins the worker."""

    def __init__(
        self,
        name: str,
        catalog: Catalog,
        folders: Folders,
        ops: Ops,
        faults: Faults,
        *,
        crash: Callable[[float | None], None],
        drop_sockets: Callable[[], None],
        step_seconds: float,
    ) -> None:
        self.name, self.catalog, self.folders, self.faults = name, catalog, folders, faults
        self.boot_id = uuid4().hex
        self.old = rules_for(catalog.version) is OLD
        self.number = 0
        """The next prompt's place in the queue."""
        self.crash = crash
        self.hub = Hub(asyncio.get_running_loop(), self.features, faults)
        self.queue = PromptQueue(self._queue_changed)
        self.worker = Worker(
            catalog, folders, ops, self.hub, self.queue, faults, crash, drop_sockets, step_seconds=step_seconds
        )
        self._object_info: bytes = b""

    def start(self) -> None:
        """Empties the temp folder, as ComfyUI does at its start, and starts the worker."""
        shutil.rmtree(self.folders.temp_dir, ignore_errors=True)
        for folder in (self.folders.input_dir, self.folders.output_dir, self.folders.temp_dir):
            folder.mkdir(parents=True, exist_ok=True)
        self.worker.thread.start()

    def restock(self, catalog: Catalog) -> None:
        """Other model files: what prompts are judged by from now on, and GET /object_info. Classes stay the same."""
        self.catalog = catalog
        self._object_info = b""

    def stop(self) -> None:
        self.worker.stop()

    def _queue_changed(self) -> None:
        if self.hub.heard(None):
            self.hub.publish(wire.message("status", {"status": self.exec_info}))

    @property
    def exec_info(self) -> dict[str, Any]:
        return {"exec_info": {"queue_remaining": self.queue.remaining()}}

    @property
    def features(self) -> Mapping[str, Any]:
        """GET /features, and the answer to a socket's feature flags."""
        flags: dict[str, Any] = {"supports_preview_metadata": True, "max_upload_size": MAX_UPLOAD}
        return flags if self.old else {**flags, "extension": {"manager": {"supports_v4": True}}}

    @property
    def object_info(self) -> bytes:
        """GET /object_info, made once."""
        if not self._object_info:
            self._object_info = wire.dumps(object_info(self.catalog)).encode()
        return self._object_info
