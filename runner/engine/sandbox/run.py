"""One prompt, from execution_start to its end: order, cache, list execution, and the events of each step.

Runs in the worker thread. Events go out in ComfyUI's order with ComfyUI's fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, cast

from compiler.catalog import Catalog, NodeSchema
from compiler.check.deadly import is_link
from compiler.check.rules import OLD, rules_for
from runner.engine.sandbox import wire
from runner.engine.sandbox.cache import Cache, Entry, keys
from runner.engine.sandbox.call import arguments, bad_call, by_item, merged_slots, merged_ui, shown_inputs
from runner.engine.sandbox.node import Interrupted, NodeContext, NodeFailure, NodeResult
from runner.engine.sandbox.order import Plan


class Ops(Protocol):
    """What the executor needs of the node implementations (`runner.engine.sandbox.ops`, or a table in a test)."""

    def run_node(self, kind: str, inputs: Mapping[str, Any], context: NodeContext) -> NodeResult: ...
    def fingerprint(self, kind: str, inputs: Mapping[str, Any], folders: Any) -> str | None: ...
    def takes_lists(self, kind: str) -> bool: ...
    def lazy_inputs(self, kind: str, inputs: Mapping[str, Any]) -> tuple[str, ...] | None: ...


class Listeners(Protocol):
    """Where events go; the Hub is one."""

    running: tuple[Any, str | None]

    def heard(self, sid: Any) -> bool: ...
    def wants_metadata(self, sid: Any) -> bool: ...
    def publish(self, frame: str | bytes, sid: Any = None) -> None: ...


@dataclass(frozen=True)
class Folders:
    """Where files lie."""

    input_dir: Path
    output_dir: Path
    temp_dir: Path


@dataclass(frozen=True)
class Site:
    """What stays the same from prompt to prompt."""

    catalog: Catalog
    folders: Folders
    ops: Ops
    listeners: Listeners
    cache: Cache
    interrupted: Callable[[], bool]
    sleep: Callable[[float], None]
    strike: Callable[[str, str], None]
    """Called before a node runs, with its id and class: a fault may strike here."""
    step_seconds: float = 0.0

    @property
    def old(self) -> bool:
        """Whether history also lists what was cached without having been asked for (0.3.64)."""
        return rules_for(self.catalog.version) is OLD


@dataclass
class Ending:
    """How a prompt ended."""

    outputs: dict[str, Any] = field(default_factory=dict[str, Any])
    meta: dict[str, Any] = field(default_factory=dict[str, Any])
    messages: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    success: bool = False

    def history(self, shown: list[Any]) -> dict[str, Any]:
        """The history entry."""
        status = {
            "status_str": "success" if self.success else "error",
            "completed": self.success,
            "messages": self.messages,
        }
        return {"prompt": shown, "outputs": self.outputs, "status": status, "meta": self.meta}


SECRETS: Final = ("auth_token_comfy_org", "api_key_comfy_org")
"""Keys of extra_data by which partner nodes are paid; they never reach history."""
_RING: Final = "Dependency cycle detected"


class Run:
    """The run of one prompt. `go` does it all."""

    def __init__(self, site: Site, prompt_id: str, prompt: dict[str, Any], extra_data: Any, outputs: list[str]) -> None:
        self.site, self.prompt_id, self.prompt, self.outputs = site, prompt_id, prompt, outputs
        facts = cast("dict[str, Any]", extra_data) if isinstance(extra_data, dict) else None
        self.client: Any = facts.get("client_id") if facts is not None else None
        self.pnginfo: Any = facts.get("extra_pnginfo") if facts is not None else None
        self._keyed = any((facts or {}).get(name) for name in SECRETS)
        self._previews = facts is None or facts.get("preview_method") != "none" or site.old
        self._no_extra = (
            "" if facts is not None else f"{type(cast('object', extra_data)).__name__!r} object has no attribute 'get'"
        )
        self.ending = Ending()
        self.executed: list[str] = []
        self._progress: dict[str, str] = {}
        """Node id → its part of progress_state, as JSON text: the frame is cumulative, so it is joined, not rebuilt."""
        self._now = ""
        self._last: tuple[float, float] = (0.0, 1.0)

    # --- events ---

    def _tell(self, kind: str, data: dict[str, Any]) -> None:
        """To the submitter; to nobody where there is none."""
        if self.client is not None and self.site.listeners.heard(self.client):
            self.site.listeners.publish(wire.message(kind, data), self.client)

    def _broadcast(self, kind: str, data: dict[str, Any]) -> None:
        """To the submitter; to everybody where there is none."""
        if self.site.listeners.heard(self.client):
            self.site.listeners.publish(wire.message(kind, data), self.client)

    def _status(self, kind: str, data: dict[str, Any], *, broadcast: bool = False) -> None:
        stamped = {**data, "timestamp": wire.now_ms()}
        self.ending.messages.append((kind, stamped))
        (self._broadcast if broadcast else self._tell)(kind, stamped)

    def _ids(self, node_id: str) -> dict[str, Any]:
        return {
            "node_id": node_id,
            "prompt_id": self.prompt_id,
            "display_node_id": node_id,
            "parent_node_id": None,
            "real_node_id": node_id,
        }

    def _progress_state(self, node_id: str, value: float, maximum: float, state: str) -> None:
        part = {"value": value, "max": maximum, "state": state, **self._ids(node_id)}
        self._progress[node_id] = f"{wire.dumps(node_id)}: {wire.dumps(part)}"
        self._last = (value, maximum)
        if self.site.listeners.heard(self.client):
            nodes = ", ".join(self._progress.values())
            data = f'{{"prompt_id": {wire.dumps(self.prompt_id)}, "nodes": {{{nodes}}}}}'
            self.site.listeners.publish(f'{{"type": "progress_state", "data": {data}}}', self.client)

    def _on_progress(self, value: float, maximum: float, image: bytes | None) -> None:
        self._check()
        node_id, listeners = self._now, self.site.listeners
        image = image if self._previews else None
        self._progress_state(node_id, value, maximum, "running")
        with_metadata = image is not None and listeners.wants_metadata(self.client)
        if image is not None and with_metadata:
            listeners.publish(wire.preview_with_metadata(image, self._ids(node_id)), self.client)
        data = {"value": value, "max": maximum, "prompt_id": self.prompt_id, "node": node_id}
        self._broadcast("progress", data)
        if image is not None and not with_metadata and listeners.heard(self.client):
            listeners.publish(wire.preview(image), self.client)

    def _check(self) -> None:
        if self.site.interrupted():
            raise Interrupted

    # --- the run ---

    def go(self) -> Ending:
        """Runs the prompt. Other exceptions than a node's own end the worker thread, as on ComfyUI."""
        self.site.listeners.running = (self.client, None)
        self._status("execution_start", {"prompt_id": self.prompt_id})
        cached = self.site.cache.begin(keys(self.prompt, self.site.catalog, self._fingerprint))
        self._status("execution_cached", {"nodes": cached, "prompt_id": self.prompt_id})
        plan = Plan(self.prompt, self._is_cached, self._is_output, self._is_lazy)
        plan.add(self.outputs)
        while plan:
            node_id = plan.next()
            if node_id is None:
                self._failed(self.outputs[0], NodeFailure("DependencyCycleError", _RING), {})
                break
            if not self._step(plan, node_id):
                break
        else:
            self.ending.success = True
            self._status("execution_success", {"prompt_id": self.prompt_id})
        self._collect_cached()
        self.site.listeners.running = (self.client, None)
        return self.ending

    def _step(self, plan: Plan, node_id: str) -> bool:
        """One turn of one node; False if the run ends here."""
        entry = self.site.cache.get(node_id)
        if entry is not None:
            self._reuse(node_id, entry)
            plan.done(node_id)
            return True
        given: dict[str, list[Any]] = {}
        try:
            self._begin(node_id)
            given = self._arguments(node_id)
            if self._waits(plan, node_id, given):
                return True
            entry = self._execute(node_id, given)
        except Interrupted:
            self._status("execution_interrupted", self._ended_at(node_id), broadcast=True)
            return False
        except NodeFailure as failure:
            self._failed(node_id, failure, given)
            return False
        self.site.cache.put(node_id, entry)
        self.executed.append(node_id)
        if entry.ui is not None:
            self._show(node_id, entry)
        _, maximum = self._last
        self._progress_state(node_id, maximum, maximum, "finished")
        plan.done(node_id)
        return True

    def _begin(self, node_id: str) -> None:
        self._now = node_id
        self.site.listeners.running = (self.client, node_id)
        self._progress_state(node_id, 0.0, 1.0, "running")
        self._tell("executing", {"node": node_id, "display_node": node_id, "prompt_id": self.prompt_id})
        self.site.strike(node_id, self.prompt[node_id]["class_type"])

    def _waits(self, plan: Plan, node_id: str, given: Mapping[str, list[Any]]) -> bool:
        """Whether a node with lazy inputs turns out to need one that has not run."""
        if not any(spec.options.get("lazy") for spec in self._schema(node_id).inputs):
            return False
        needed = self.site.ops.lazy_inputs(self.prompt[node_id]["class_type"], _firsts(given)) or ()
        inputs = self.prompt[node_id]["inputs"]
        sources = [inputs[name][0] for name in needed if is_link(inputs.get(name))]
        return plan.need(node_id, [source for source in sources if not self._is_cached(source)])

    def _execute(self, node_id: str, given: Mapping[str, list[Any]]) -> Entry:
        kind, schema = self.prompt[node_id]["class_type"], self._schema(node_id)
        problem = bad_call(schema, self.prompt[node_id]["inputs"])
        if problem:
            raise NodeFailure("TypeError", problem)
        if self._no_extra:  # extra_data of 0.3.64 may be a text or a list
            raise NodeFailure("AttributeError", self._no_extra)
        context = self._context(node_id, schema)
        results: list[NodeResult] = []
        calls = [given] if self.site.ops.takes_lists(kind) else by_item(given)
        for values in calls:
            self._check()
            results.append(self.site.ops.run_node(kind, values, context))
        return Entry(merged_slots(results), merged_ui(results), node_id)

    def _context(self, node_id: str, schema: NodeSchema) -> NodeContext:
        folders = self.site.folders
        return NodeContext(
            node_id=node_id,
            schema=schema,
            catalog=self.site.catalog,
            input_dir=folders.input_dir,
            output_dir=folders.output_dir,
            temp_dir=folders.temp_dir,
            prompt=self.prompt,
            extra_pnginfo=self.pnginfo,
            progress=self._on_progress,
            sleep=self.site.sleep,
            step_seconds=self.site.step_seconds,
            keyed=self._keyed,
        )

    def _arguments(self, node_id: str) -> dict[str, list[Any]]:
        return arguments(self._schema(node_id), self.prompt[node_id]["inputs"], self.site.cache.get)

    # --- what came out ---

    def _reuse(self, node_id: str, entry: Entry) -> None:
        if self.client is not None:
            self._show(node_id, entry)
        self._progress_state(node_id, 1, 1, "finished")

    def _show(self, node_id: str, entry: Entry) -> None:
        if entry.ui is not None:
            self._record(node_id, entry)
        data = {"node": node_id, "display_node": node_id, "output": entry.ui, "prompt_id": self.prompt_id}
        self._tell("executed", data)

    def _record(self, node_id: str, entry: Entry) -> None:
        self.ending.outputs[node_id] = entry.ui
        # A cached node's meta names the node that made it, which another prompt may have called otherwise.
        self.ending.meta[node_id] = {
            "node_id": entry.node_id,
            "display_node": entry.node_id,
            "parent_node": None,
            "real_node_id": entry.node_id,
        }

    def _collect_cached(self) -> None:
        """0.3.64 lists whatever the cache holds of this prompt, asked for or not."""
        if not self.site.old:
            return
        for node_id in self.prompt:
            entry = self.site.cache.get(node_id)
            if entry is not None and entry.ui is not None and node_id not in self.ending.outputs:
                self._record(node_id, entry)

    def _ended_at(self, node_id: str) -> dict[str, Any]:
        return {
            "prompt_id": self.prompt_id,
            "node_id": node_id,
            "node_type": self.prompt[node_id]["class_type"],
            "executed": list(self.executed),
        }

    def _failed(self, node_id: str, failure: NodeFailure, given: Mapping[str, list[Any]]) -> None:
        data = {
            **self._ended_at(node_id),
            "exception_message": f"{failure}\n",
            "exception_type": failure.exception_type,
            "traceback": [],
            "current_inputs": shown_inputs(given),
            "current_outputs": list(self.prompt),
        }
        self._status("execution_error", data)

    # --- facts of nodes ---

    def _schema(self, node_id: str) -> NodeSchema:
        return self.site.catalog.nodes[self.prompt[node_id]["class_type"]]

    def _is_output(self, node_id: str) -> bool:
        return self._schema(node_id).output_node

    def _is_cached(self, node_id: str) -> bool:
        return self.site.cache.get(node_id) is not None

    def _is_lazy(self, node_id: str, name: str) -> bool:
        spec = self._schema(node_id).by_name.get(name)
        return spec is not None and bool(spec.options.get("lazy"))

    def _fingerprint(self, kind: str, inputs: Mapping[str, Any]) -> str | None:
        return self.site.ops.fingerprint(kind, inputs, self.site.folders)


def _firsts(given: Mapping[str, list[Any]]) -> dict[str, Any]:
    return {name: values[0] for name, values in given.items() if values}
