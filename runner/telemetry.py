"""What an operator sees: one JSON object a line on stderr, and figures for Prometheus.

Log lines carry `request_id` and `job_id` where there is one, never a key, a prompt, a token or a local path: the
processor `_redact` drops such fields whatever the caller meant.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO, cast

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from compiler.errors import ComfycError
from runner.engine.base import EngineError
from runner.job import Job, State
from runner.store.storage import StorageError

SECRET_FIELDS: Final = frozenset(
    {"key", "api_key", "token", "authorization", "secret", "signature", "prompt", "negative_prompt", "instruction"}
    | {"path", "file_path", "body", "request", "callback_api_key", "url", "callback_url"}
)
"""Fields that never reach a log line."""
SAFE_MESSAGES: Final = (ComfycError, EngineError, StorageError)
"""Errors of ours, whose text is made to be shown."""
FRAMES: Final = 12
SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280)
HTTP_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


def configure_logging(level: str = "info", style: str = "json", stream: TextIO | None = None) -> None:
    """Sends our own lines and those of libraries to `stream` (stderr). `style`: `json`, or `console` for people."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _safe_exception,
        _redact,
    ]
    out = stream or sys.stderr
    plain = structlog.dev.ConsoleRenderer(colors=out.isatty())
    renderer = structlog.processors.JSONRenderer() if style == "json" else plain
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    render: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if style == "json":
        render.append(structlog.processors.format_exc_info)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*render, renderer]))
    root = logging.getLogger()
    root.handlers, root.level = [handler], getattr(logging, level.upper())
    for noisy in ("uvicorn.access", "httpx2", "httpcore2", "dbos"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in SECRET_FIELDS & event.keys():
        event[name] = "[redacted]"
    return event


def _safe_exception(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Writes an exception as types and places. Its message may hold anything, a statement's parameters for one."""
    given: Any = event.pop("exc_info", None)
    pair = cast("tuple[Any, ...]", given)[1] if isinstance(given, tuple) else given or None
    error = sys.exc_info()[1] if pair is True else cast("BaseException | None", pair)
    if error is not None:
        event["error"] = type(error).__name__
        if isinstance(error, SAFE_MESSAGES):
            event["error_message"] = str(error)
        frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
        event["at"] = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
        if error.__cause__ is not None:
            event["cause"] = type(error.__cause__).__name__
    return event


def about_job(job: Job) -> Job:
    """Puts the job's id into every further log line of this request."""
    structlog.contextvars.bind_contextvars(job_id=job.id)
    return job


@dataclass(frozen=True, slots=True)
class Vitals:
    """How the service stands now; asked for at each scrape and at /readyz."""

    database: bool = False
    """True if it answers."""
    engines: dict[str, str] = field(default_factory=dict[str, str])
    """Health by engine name: `alive`, `busy` or `refused`."""
    queued: int = 0
    running: int = 0

    @property
    def ready(self) -> bool:
        """True if a job can be taken: the database answers and at least one engine lives."""
        return self.database and any(health != "refused" for health in self.engines.values())


class Telemetry:
    """The figures of one process. Counters count what this process did; gauges are read at each scrape."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        kind = ("dialect", "provider")
        self._jobs: Final = self._counter("jobs", "Jobs by the state they came to", (*kind, "state"))
        self._run: Final = self._histogram("job_run_seconds", "From the engine's start to the end", kind, SECONDS)
        self._wait: Final = self._histogram("job_wait_seconds", "From acceptance to the engine's start", kind, SECONDS)
        self._webhooks: Final = self._counter("webhooks", "Webhook deliveries by outcome", ("outcome",))
        self._http: Final = self._counter("http_requests", "HTTP requests", ("method", "route", "status"))
        self._latency: Final = self._histogram("http_seconds", "Time to answer", ("route",), HTTP_SECONDS)
        self._depth: Final = self._gauge("queue_depth", "Jobs that wait for an engine, or run", ("state",))
        self._engines: Final = self._gauge("engine_up", "1 for the health that an engine has", ("engine", "health"))
        self._database: Final = self._gauge("database_up", "1 if the database answers", ())

    def job(self, job: Job) -> None:
        """Counts a job's new state: call it once when it is accepted and once at its end."""
        self._jobs.labels(job.dialect, job.provider, job.state.value).inc()
        if not job.state.terminal or job.finished_at is None or job.started_at is None:
            return
        self._wait.labels(job.dialect, job.provider).observe((job.started_at - job.created_at).total_seconds())
        if job.state is State.SUCCEEDED:
            self._run.labels(job.dialect, job.provider).observe((job.finished_at - job.started_at).total_seconds())

    def webhook(self, outcome: str) -> None:
        """Counts a delivery: `delivered`, `failed` (will be tried again) or `dead`."""
        self._webhooks.labels(outcome).inc()

    def http(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts an HTTP request; `route` is the pattern, never the path."""
        self._http.labels(method, route, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def render(self, vitals: Vitals) -> bytes:
        """All figures in Prometheus' text format."""
        self._depth.labels("queued").set(vitals.queued)
        self._depth.labels("running").set(vitals.running)
        self._database.set(vitals.database)
        self._engines.clear()
        for name, health in vitals.engines.items():
            for each in ("alive", "busy", "refused"):
                self._engines.labels(name, each).set(each == health)
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(f"comfyc_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: tuple[str, ...]) -> Gauge:
        return Gauge(f"comfyc_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"comfyc_{name}", text, labels, buckets=buckets, registry=self.registry)
