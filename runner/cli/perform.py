"""What `comfyc run` does: one request on one engine, without a database."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from compiler import Compiled, Library, TargetError, compile_request
from compiler.errors import Fault
from compiler.media import Media
from runner.assemble import engine_options, library_of
from runner.cli.faults import InputError, WorkFailed
from runner.cli.media_files import media_store, resolve_media
from runner.cli.request_file import RequestFile
from runner.cli.timings import Timings
from runner.cli.view import View, view_for
from runner.engine.base import Engine, EngineEvent, EngineUnreachable, Health, NodeBegan, NodeProgress
from runner.engine.open import open_engines
from runner.events import ALMOST
from runner.execute import Bytes, Result, RunCancelled, RunEmpty, RunFailed, RunInterrupted, execute
from runner.progress import Progress
from runner.settings import Settings
from runner.store.storage import LocalStorage, read

GRAPH = "graph.json"


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be run, and where."""

    engine: Engine
    compiled: Compiled
    name: str
    """Of the provider: runs of one provider take about as long as one another."""
    prompt_id: str
    folder: str
    """Of the results, under the output folder."""


async def perform(file: RequestFile, settings: Settings, out: Path, console: Console, stop: asyncio.Event) -> None:
    """Runs the request and prints what it made. `stop` cancels.

    Errors: RequestError, TargetError, WorkFailed, EngineError.
    """
    prompt_id, library = str(uuid.uuid4()), library_of(settings)
    with TemporaryDirectory(prefix="comfyc-") as scratch:
        kept = LocalStorage(Path(scratch) / "media")
        stored = await resolve_media(file, media_store(kept.root, settings))
        async with engines_of(settings, library, Path(scratch)) as engines:
            media = {value: one.media for value, one in stored.items()}
            engine, compiled = await choose(engines, file, media, library, f"comfyc/{prompt_id[:8]}")
            work = Work(engine, compiled, file.provider.name, prompt_id, folder_name(file.name))
            introduce(work, file, settings, console)
            graph = write_graph(work, out)
            sources = {one.media.name: partial(read, kept, one.key) for one in stored.values()}
            timings = Timings(settings.data / "timings.json")
            result = await follow(work, sources, LocalStorage(out, synced=False), timings, console, stop)
    report(result, out, graph, console)


@asynccontextmanager
async def engines_of(settings: Settings, library: Library, scratch: Path) -> AsyncGenerator[Sequence[Engine]]:
    """The engines of the settings, closed at the end. A sandbox keeps nothing."""
    data = scratch if settings.engine == "sandbox" else settings.data
    engines = await open_engines(settings.engine, engine_options(settings, library, data))
    try:
        yield engines
    finally:
        await asyncio.gather(*(engine.close() for engine in engines))


async def choose(
    engines: Sequence[Engine], file: RequestFile, media: Mapping[str, Media], library: Library, prefix: str
) -> tuple[Engine, Compiled]:
    """The first engine that answers and has what the graph needs, and the graph for it.

    Errors: RequestError; TargetError if all that answer lack something; EngineUnreachable if none answers.
    """
    lacking: TargetError | None = None
    for engine in engines:
        if await engine.health() is not Health.ALIVE:
            continue
        try:
            catalog = await engine.catalog()
            return engine, compile_request(file.provider, file.request, media, library, catalog, prefix=prefix)
        except TargetError as error:
            lacking = lacking or error
    if lacking is not None:
        raise lacking
    names = ", ".join(engine.name for engine in engines)
    raise EngineUnreachable(f"{names}: no engine answers. Start it, or use --engine sandbox")


async def follow(
    work: Work, media: Mapping[str, Bytes], out: LocalStorage, timings: Timings, console: Console, stop: asyncio.Event
) -> Result:
    """Runs the graph under a live view.

    Errors: WorkFailed, EngineError.
    """
    plan = work.compiled.plan
    key = f"{work.name}, {sum(plan.steps.values())} steps, {work.engine.name}"
    expected = timings.expected(key)
    with view_for(console) as view:
        teller = Teller(view, Progress.of(plan, work.compiled.api.keys(), expected), measured=expected is not None)
        view.show(0, "waiting", eta_s=expected)
        try:
            result = await execute(
                work.engine,
                work.compiled,
                media,
                prompt_id=work.prompt_id,
                emit=lambda event: None,
                sink=out,
                folder=work.folder,
                stop=stop,
                watch=teller.tell,
            )
        except RunFailed as error:
            where = f"{error.outcome.node} ({error.outcome.node_type})" if error.outcome.node else ""
            raise WorkFailed(Fault(where, str(error))) from error
        except (RunInterrupted, RunCancelled, RunEmpty) as error:
            raise WorkFailed(Fault("", str(error))) from error
        view.show(100, "done")
    timings.add(key, result.seconds)
    return result


class Teller:
    """Shows what engine events change. The pace of the loaders says nothing about the samplers: unless such a run was
    `measured` before, there is no ETA until a sampler has done a step."""

    def __init__(self, view: View, progress: Progress, *, measured: bool) -> None:
        self._view, self._progress, self._paced = view, progress, measured
        self._node, self._steps = "waiting", ""

    def tell(self, event: EngineEvent) -> None:
        now = time.monotonic()
        self._progress.take(event, now)
        match event:
            case NodeBegan(_, node):
                self._node, self._steps = node, ""
            case NodeProgress(_, node, value, maximum) if maximum > 1:
                self._node, self._steps, self._paced = node, f"{value:.0f}/{maximum:.0f}", self._paced or value > 0
            case _:
                pass
        eta_s = self._progress.eta(now) if self._paced else None
        self._view.show(min(ALMOST, 100 * self._progress.share), self._node, self._steps, eta_s)


# --- what is said before and after -----------------------------------------------------------------------------


def introduce(work: Work, file: RequestFile, settings: Settings, console: Console) -> None:
    """What is run, where, and what of it is not honoured."""
    seed = getattr(file.request, "seed", None)
    facts = [f"{file.provider.dialect} {file.provider.name}", f"template {work.compiled.plan.template}"]
    facts += [f"{len(work.compiled.api)} nodes"] + ([f"seed {seed}"] if seed is not None else [])
    say(console, "request", " · ".join(facts))
    what = " (the sandbox: no models, so its pictures are placeholders)" if settings.engine == "sandbox" else ""
    say(console, "engine", work.engine.name + what)
    for line in work.compiled.unsupported:
        say(console, "not honoured", str(line))


def write_graph(work: Work, out: Path) -> Path:
    """Writes what POST /prompt gets as `prompt`. Errors: InputError if the folder cannot be written."""
    path = out / work.folder / GRAPH
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(work.compiled.api, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(Fault(str(path), error.strerror or str(error))) from error
    return path


def report(result: Result, out: Path, graph: Path, console: Console) -> None:
    """Where everything is."""
    for one in result.outputs:
        size = f"{one.width} × {one.height}, " if one.width else ""
        say(console, one.kind, f"{out / one.key}  ({size}{one.size / 1000:.0f} KB)")
        if one.poster:
            say(console, "poster", str(out / one.poster))
    say(console, "graph", str(graph))


def say(console: Console, label: str, text: str) -> None:
    console.print(f"{label:<12}  {text}", soft_wrap=True, markup=False)


def folder_name(name: str) -> str:
    """A storage key part from a file name: other characters become dashes."""
    return re.sub(r"[^\w\-]+", "-", name, flags=re.ASCII).strip("-") or "request"
