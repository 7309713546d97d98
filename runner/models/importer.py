"""Imports models: a durable task downloads and checks the files, callers wait a while for its end."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import structlog
from anyio.to_thread import run_sync

from compiler import Asset, AssetRef
from compiler.errors import Fault, RequestError
from runner.durable import Durable
from runner.models.download import Downloader, Wanted, sha256_of
from runner.models.rows import Model, ModelRows, ModelState
from runner.models.source import ENDING, Civitai, ModelFacts, ModelFile, SourceAway

MODELS: Final = "models"
"""The durable queue of imports."""
SLOTS: Final = 2
"""Downloads at once in one process."""
DELAYS_S: Final = (1.0, 5.0, 20.0, 60.0, 300.0, 900.0)
"""Wait before each further try."""
NUMBER: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
SAVE_S: Final = 1.0
"""How often the progress of a download is written."""
LOOK_S: Final = 0.25
"""How often a caller who waits looks at the row."""

log = structlog.get_logger("comfyc.models")


class ModelNotReady(Exception):
    """The model is being imported still (503). The message says how far it is."""


@dataclass(frozen=True, slots=True)
class Shelves:
    """Where model files go, and who must hear of new ones."""

    loras: Path
    families: Mapping[str, str]
    """The source's name of a base model → the stack family that its LoRA fit."""
    restock: Callable[[], Awaitable[object]]
    """Makes the engines of this process see new files."""


class Importer:
    """One for each process. `run` is the durable queue's handler, `sweep` repairs what a crash left."""

    def __init__(
        self,
        rows: ModelRows,
        source: Civitai,
        downloader: Downloader,
        durable: Durable,
        shelves: Shelves,
        *,
        wait_s: float = 60.0,
        delays_s: Sequence[float] = DELAYS_S,
    ) -> None:
        """`wait_s`: how long callers wait for an import that they began."""
        self._rows, self._source, self._downloader, self._durable = rows, source, downloader, durable
        self._shelves, self._wait_s, self._delays_s = shelves, wait_s, delays_s
        self._seen: set[str] = set()

    # --- for callers -----------------------------------------------------------------------------------------------

    async def bring(
        self, tenant: str, version: int | None, url: str | None, sha256: str = "", field: str = ""
    ) -> Model:
        """The model of a version or an address, imported if it is not there; as it stands after a while of waiting.

        `sha256` must be that of its file if it is given. `field` is what messages name in place of the caller's own
        CivitaiModelVersionId and Url. Errors: RequestError, also if the import failed; SourceAway.
        """
        named = field or ("Url" if version is None else "CivitaiModelVersionId")
        found = await self._source.version_of(url, field or "Url") if url is not None else version
        if found is None or (version is not None and found != version):
            what = f"names version {found}, CivitaiModelVersionId {version}"
            raise RequestError(Fault("Url", what, "Give one of them", "conflict"))
        known = await self._rows.version(tenant, found)
        if known is None or known.state is ModelState.FAILED or self._lost(known):
            known = await self._begin(tenant, _with_hash(await self._source.facts(found, named), sha256))
        _with_hash(known.facts, sha256)
        known = await self._end(known)
        if known.state is ModelState.FAILED:
            raise RequestError(Fault(named, f"could not be imported: {known.error}", "", "broken"))
        if known.state is ModelState.READY and sha256:
            await self._compare(known, sha256)
        return known

    async def _begin(self, tenant: str, facts: ModelFacts) -> Model:
        """A new import, or the one of another request that has begun meanwhile."""
        model = await self._rows.add(tenant, facts, anew=self._lost)
        await self._durable.submit(MODELS, _key(model), model.run)
        return model

    def _lost(self, model: Model) -> bool:
        """Whether somebody has removed a file of a model that was imported."""
        names = (file_name(model.facts.version, file) for file in model.facts.files)
        return model.state is ModelState.READY and not all((self._shelves.loras / name).exists() for name in names)

    async def _compare(self, model: Model, sha256: str) -> None:
        """Raises RequestError if the file has another hash. Where the source tells it, it was compared before."""
        for file in model.facts.files:
            if file.sha256:
                continue
            found = await run_sync(sha256_of, self._shelves.loras / file_name(model.facts.version, file))
            if found != sha256.lower():
                raise _other_hash(found)

    async def page(self, tenant: str, number: int, size: int) -> tuple[list[Model], int]:
        """One page of the tenant's models, and how many there are."""
        return await self._rows.page(tenant, number, size)

    async def assets(self, tenant: str, refs: Sequence[AssetRef]) -> Mapping[str, Asset]:
        """What a request's references mean: ids, or addresses that are imported first.

        Errors: RequestError with every fault found; ModelNotReady, SourceAway.
        """
        found: dict[str, Asset] = {}
        faults: list[Fault] = []
        for ref in refs:
            try:
                found[ref.value] = self._asset(await self._model(tenant, ref))
            except RequestError as error:
                faults += error.faults
        if faults:
            raise RequestError(*faults)
        await self._restock({file for asset in found.values() for file in asset.files.values()})
        return found

    async def _model(self, tenant: str, ref: AssetRef) -> Model:
        if NUMBER.fullmatch(ref.value):
            known = await self._rows.get(int(ref.value), tenant)
            if known is not None and self._lost(known):
                known = await self._begin(tenant, known.facts)
            model = await self._end(known) if known else None
        else:
            model = await self.bring(tenant, None, ref.value, field=ref.field)
        if model is None or model.state is ModelState.FAILED:
            what = f"no model {ref.value} was imported" + (f" ({model.error})" if model else "")
            raise RequestError(Fault(ref.field, what, "Import it first: POST /api/integration/models", "unknown"))
        if model.state is ModelState.IMPORTING:
            raise ModelNotReady(f"Model {model.number} is being imported ({model.progress:.0f} %). Try again soon.")
        return model

    def _asset(self, model: Model) -> Asset:
        base = model.facts.base_model
        files = {file.expert: file_name(model.facts.version, file) for file in model.facts.files}
        family = self._shelves.families.get(base, base)
        return Asset(
            kind="lora",
            family=family,
            files=files,
            trigger=", ".join(model.facts.trained_words),
            title=model.facts.name,
        )

    async def _end(self, model: Model) -> Model:
        """The model once its import has ended, or after `wait_s` as it stands."""
        until = time.monotonic() + self._wait_s
        while model.state is ModelState.IMPORTING and time.monotonic() < until:
            await asyncio.sleep(LOOK_S)
            model = await self._rows.get(model.number) or model
        return model

    # --- the task --------------------------------------------------------------------------------------------------

    async def run(self, key: str, number: int) -> None:
        """One try; what has come before is not fetched again."""
        model = await self._rows.get(int(key.removeprefix("model_")))
        if model is None or model.state is not ModelState.IMPORTING or model.run != number:
            if model and model.state is ModelState.IMPORTING and model.run > number:  # a crash came between two writes
                await self._durable.submit(MODELS, key, model.run)
            return
        try:
            await self._fetch(model)
        except RequestError as error:
            why = "; ".join(f"{fault.what}. {fault.cure}".rstrip(". ") for fault in error.faults)
            await self._rows.write(model, state=ModelState.FAILED.value, error=why)
        except (SourceAway, OSError) as error:
            await self._later(model, error)
        except Exception:
            log.exception("import failed inside comfyc", model=model.number)
            why = "Something went wrong inside comfyc. Its log says more."
            await self._rows.write(model, state=ModelState.FAILED.value, error=why)
        else:
            await self._rows.write(model, state=ModelState.READY.value, error="")
            log.info("model imported", model=model.number, version=model.facts.version)

    async def _fetch(self, model: Model) -> None:
        before = 0
        for file in model.facts.files:
            target = self._shelves.loras / file_name(model.facts.version, file)
            saving = _Saving(self._rows, model, before)
            await self._downloader.fetch(Wanted(file.url, target, file.sha256, file.name), saving.told)
            await saving.end()
            before += file.size
        names = {file_name(model.facts.version, file) for file in model.facts.files}
        self._seen -= names  # if they were there before, the engines may have noticed that they were not
        await self._restock(names)

    async def _later(self, model: Model, error: Exception) -> None:
        why = str(error) if isinstance(error, SourceAway) else "The model folder cannot be written."
        if model.run >= len(self._delays_s):
            await self._rows.write(model, state=ModelState.FAILED.value, error=why)
            return
        log.warning("import is tried again", model=model.number, why=why)
        if await self._rows.write(model, run=model.run + 1, error=why):
            delay = self._delays_s[model.run]
            await self._durable.retry(MODELS, _key(model), model.run + 1, rank=1, delay_s=delay)

    async def sweep(self, idle_s: float = 30.0) -> None:
        """Queues imports that a crash left without a task."""
        waiting = {(_key(model), model.run): model for model in await self._rows.unfinished(idle_s)}
        for task in waiting.keys() - await self._durable.active(list(waiting)):
            model = waiting[task]
            number = model.run
            if await self._durable.status(*task) is not None:  # its task has ended
                number += 1
                if not await self._rows.write(model, run=number):
                    continue
            await self._durable.submit(MODELS, task[0], number)

    async def _restock(self, files: set[str]) -> None:
        if not files <= self._seen:
            await self._shelves.restock()
            self._seen |= files


class _Saving:
    """Writes how far a download is, at most once a second."""

    def __init__(self, rows: ModelRows, model: Model, before: int) -> None:
        self._rows, self._model, self._before = rows, model, before
        self._saved = time.monotonic()
        self._task: asyncio.Task[bool] | None = None

    def told(self, got: int) -> None:
        if time.monotonic() - self._saved >= SAVE_S and (self._task is None or self._task.done()):
            self._saved = time.monotonic()
            self._task = asyncio.create_task(self._rows.write(self._model, got=self._before + got))

    async def end(self) -> None:
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)


def file_name(version: int, file: ModelFile) -> str:
    """The name of a model's file in the LoRA folder, on every system the same: `civitai-123-0a1b2c3d.safetensors`."""
    parts = ["civitai", str(version), *([file.sha256[:8]] if file.sha256 else [])]
    return "-".join([*parts, *([] if file.expert == "*" else [file.expert])]) + ENDING


def _key(model: Model) -> str:
    return f"model_{model.number}"


def _with_hash(facts: ModelFacts, sha256: str) -> ModelFacts:
    """The facts with the caller's hash where the source tells none. Errors: RequestError for one of another file."""
    known = {file.sha256 for file in facts.files}
    if not sha256 or sha256.lower() in known:
        return facts
    if known == {""} and len(facts.files) == 1:
        return replace(facts, files=(replace(facts.files[0], sha256=sha256.lower()),))
    raise _other_hash(", ".join(sorted(known)))


def _other_hash(known: str) -> RequestError:
    return RequestError(Fault("SHA256Hash", f"is not that of the model's file, {known}", "Leave it out", "conflict"))
