"""The jobs table. Every write of a runner is fenced: it names the attempt that it speaks for, and does nothing if
another attempt has begun or the job has ended.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from compiler.media import Media
from compiler.template.manifest import Asset
from runner.events import Cancelled, fold
from runner.job import Callback, Cause, Job, JobError, OutputFile, State
from runner.store import outbox
from runner.store.database import Database
from runner.store.media import StoredMedia
from runner.store.tables import jobs

LIVE: Final = jobs.c.finished_at.is_(None)


class TooManyJobs(Exception):
    """The tenant has as many unfinished jobs as it may have."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} jobs are queued or running already. Wait until one has ended.")
        self.limit = limit


class TenantFull(Exception):
    """The tenant has as many jobs at engines as it may have, in all processes together."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """What is known of a job before it has a number."""

    tenant: str
    dialect: str
    provider: str
    request: Mapping[str, Any]
    template: str = ""
    media: Mapping[str, StoredMedia] | None = None
    assets: Mapping[str, Asset] | None = None
    """Imported models, by what the request calls them."""
    unsupported: Sequence[str] = ()
    callback: Callback | None = None
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A job as stored, with what only the runner needs."""

    job: Job
    media: Mapping[str, StoredMedia]
    run: int
    """Number of the durable queue's entry for this job that counts; it grows with every retry."""
    worker: str
    """Executor that gave the job to an engine; empty before."""
    assets: Mapping[str, Asset] = field(default_factory=dict[str, Asset])
    """Imported models, by what the request calls them."""


class JobStore:
    """Reads and writes jobs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def insert(self, new: NewJob, *, limit: int | None = None) -> Job:
        """A new queued job. Raises TooManyJobs if the tenant has `limit` unfinished ones: counted and inserted as one,
        so that no two requests at once get past the limit."""
        now = time.time()
        values = _new_values(new, secrets.token_hex(16), now)

        def work(connection: sa.Connection) -> int:
            if limit is not None:
                self._db.lock(connection, f"jobs of {new.tenant}")
                query = sa.select(sa.func.count()).where(jobs.c.tenant == new.tenant, LIVE)
                if (connection.scalar(query) or 0) >= limit:
                    raise TooManyJobs(limit)
            return connection.execute(jobs.insert().values(values).returning(jobs.c.number)).scalar_one()

        number = await self._db.write(work, again=False)
        return _row({**values, "number": number}).job

    async def get(self, job_id: str) -> Row | None:
        return await self._one(jobs.c.id == job_id)

    async def find(self, tenant: str, ident: int | str) -> Row | None:
        """By number or id, within one tenant."""
        return await self._one(sa.and_(jobs.c.tenant == tenant, _is(ident)))

    async def list(self, tenant: str, *, limit: int = 50, before: int | None = None) -> list[Job]:
        """The tenant's jobs, newest first, with numbers below `before`."""
        query = sa.select(jobs).where(jobs.c.tenant == tenant).order_by(jobs.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(jobs.c.number < before)
        return [_row(found).job for found in await self._all(query)]

    async def some(self, ids: Sequence[str]) -> list[Job]:
        """The jobs with these ids, in no order."""
        found: list[Job] = []
        for start in range(0, len(ids), 500):
            query = sa.select(jobs).where(jobs.c.id.in_(ids[start : start + 500]))
            found += [_row(one).job for one in await self._all(query)]
        return found

    async def live(self, *, idle_s: float = 0.0, limit: int = 1000) -> list[Row]:
        """Unfinished jobs that nobody has written for `idle_s` seconds, oldest first."""
        query = sa.select(jobs).where(LIVE, jobs.c.updated_at <= time.time() - idle_s)
        return [_row(found) for found in await self._all(query.order_by(jobs.c.number).limit(limit))]

    async def media_in_use(self) -> set[str]:
        """Storage keys of the media that unfinished jobs were given."""
        query = sa.select(jobs.c.media).where(LIVE)
        found = await self._db.read(lambda connection: connection.execute(query).scalars().all())
        return {stored["key"] for media in found for stored in media.values()}

    async def count(self) -> dict[str, int]:
        """Unfinished jobs by state."""
        query = sa.select(jobs.c.state, sa.func.count()).where(LIVE).group_by(jobs.c.state)
        found = await self._db.read(lambda connection: connection.execute(query).all())
        return {str(state): int(number) for state, number in found}

    async def assign(self, job: Job, worker: str, *, most: int | None = None) -> bool:
        """Stores instance, prompt_id and attempt before the engine hears of them. False: the job has ended, is to be
        cancelled, or another attempt has begun. Raises TenantFull if the tenant has `most` others at engines: counted
        and stored as one, so that no two processes get past the limit."""
        fence = sa.and_(jobs.c.attempt == job.attempt - 1, sa.not_(jobs.c.cancel_requested))
        change = _given(job, worker).where(fence)

        def work(connection: sa.Connection) -> bool:
            if most is not None:
                self._db.lock(connection, f"running of {job.tenant}")
                taken = sa.select(jobs.c.id).where(jobs.c.tenant == job.tenant, LIVE, jobs.c.prompt_id != "")
                others = connection.scalars(taken).all()
                if len(others) >= most and job.id not in others:  # one that lost its engine keeps its place
                    raise TenantFull
            return connection.execute(change).rowcount == 1

        return await self._db.write(work)

    async def adopt(self, job: Job, worker: str) -> bool:
        """As `assign`, for a prompt that an engine has already: a new attempt, although it is to be cancelled."""
        change = _given(job, worker).where(jobs.c.attempt == job.attempt - 1)
        return await self._db.write(lambda connection: connection.execute(change).rowcount == 1)

    async def save(self, changed: Sequence[Job]) -> None:
        """Stores state and progress of running jobs, in one transaction; those that another attempt has are left."""
        now = time.time()

        def work(connection: sa.Connection) -> None:
            for job in changed:
                where = (jobs.c.id == job.id, jobs.c.attempt == job.attempt, LIVE)
                connection.execute(jobs.update().where(*where).values(updated_at=now, **_progress(job)))

        await self._db.write(work)

    async def retry(self, job: Job, run: int, *, forget: bool) -> bool:
        """Makes `run` the queue entry that counts. `forget`: the prompt is gone, there is nothing to join later."""
        gone = {"instance": "", "prompt_id": ""} if forget else {}
        return await self._update(job.id, jobs.c.attempt == job.attempt, run=run, **_progress(job), **gone)

    async def finish(self, job: Job) -> bool:
        """Stores a terminal state, and its webhook in the same transaction. False: another attempt has begun, the job
        has ended already, or it succeeded after its cancellation was asked for."""
        now = time.time()
        fence = sa.and_(jobs.c.id == job.id, jobs.c.attempt == job.attempt, LIVE)
        if job.state is State.SUCCEEDED:
            fence = sa.and_(fence, sa.not_(jobs.c.cancel_requested))
        return await self._db.write(lambda connection: _finish(connection, job, fence, now))

    async def cancel(self, tenant: str, ident: int | str) -> tuple[Job, bool] | None:
        """Asks for cancellation. A job that no engine was given ends here and now; of another, its runner learns.
        The job as it stands then, and whether it was this that ended it; None: unknown."""
        now = time.time()

        def work(connection: sa.Connection) -> tuple[Job, bool] | None:
            mine = sa.and_(jobs.c.tenant == tenant, _is(ident))
            asked = jobs.update().where(mine, LIVE).values(cancel_requested=True, updated_at=now)
            connection.execute(asked)
            found = connection.execute(sa.select(jobs).where(mine)).mappings().first()
            if found is None:
                return None
            job = _row(found).job
            if job.state.terminal or job.prompt_id:
                return job, False
            ended = fold(job, Cancelled(datetime.fromtimestamp(now, UTC)))
            return ended, _finish(connection, ended, sa.and_(jobs.c.id == ended.id, LIVE), now)

        return await self._db.write(work)

    async def to_cancel(self, worker: str) -> list[str]:
        """Ids of the worker's unfinished jobs that somebody wants cancelled."""
        query = sa.select(jobs.c.id).where(LIVE, jobs.c.worker == worker, jobs.c.cancel_requested)
        return [str(found["id"]) for found in await self._all(query)]

    async def _update(self, job_id: str, fence: sa.ColumnElement[bool], **values: Any) -> bool:
        statement = jobs.update().where(jobs.c.id == job_id, LIVE, fence).values(updated_at=time.time(), **values)
        return await self._db.write(lambda connection: connection.execute(statement).rowcount == 1)

    async def _one(self, where: sa.ColumnElement[bool]) -> Row | None:
        found = await self._all(sa.select(jobs).where(where))
        return _row(found[0]) if found else None

    async def _all(self, query: sa.Select[Any]) -> Sequence[Mapping[Any, Any]]:
        return await self._db.read(lambda connection: connection.execute(query).mappings().all())


def _is(ident: int | str) -> sa.ColumnElement[bool]:
    if isinstance(ident, str):
        return jobs.c.id == ident
    return jobs.c.number == ident if 0 < ident < 2**63 else sa.false()  # others are no numbers to a database


def _given(job: Job, worker: str) -> sa.Update:
    """Writes which engine a living job is given to."""
    values = {"attempt": job.attempt, "instance": job.instance, "prompt_id": job.prompt_id, "worker": worker}
    return jobs.update().where(jobs.c.id == job.id, LIVE).values(updated_at=time.time(), **values)


def _finish(connection: sa.Connection, job: Job, fence: sa.ColumnElement[bool], now: float) -> bool:
    values = {
        **_progress(job),
        "outputs": [asdict(output) for output in job.outputs],
        "error": asdict(job.error) if job.error else None,
        "finished_at": _seconds(job.finished_at),
        "updated_at": now,
    }
    if connection.execute(jobs.update().where(fence).values(values)).rowcount != 1:
        return False
    outbox.insert(connection, job, now)
    return True


def _progress(job: Job) -> dict[str, Any]:
    return {
        "state": job.state.value,
        "progress": job.progress,
        "node": job.node,
        "eta_s": job.eta_s,
        "started_at": _seconds(job.started_at),
    }


def _new_values(new: NewJob, job_id: str, now: float) -> dict[str, Any]:
    return {
        "id": job_id,
        "tenant": new.tenant,
        "dialect": new.dialect,
        "provider": new.provider,
        "request": dict(new.request),
        "media": {value: asdict(stored) for value, stored in (new.media or {}).items()},
        "assets": {value: asset.model_dump(mode="json") for value, asset in (new.assets or {}).items()},
        "callback": asdict(new.callback) if new.callback else None,
        "priority": new.priority,
        "template": new.template,
        "unsupported": list(new.unsupported),
        "state": State.QUEUED.value,
        "progress": 0.0,
        "node": "",
        "eta_s": None,
        "attempt": 0,
        "run": 0,
        "worker": "",
        "instance": "",
        "prompt_id": "",
        "outputs": [],
        "error": None,
        "cancel_requested": False,
        "created_at": now,
        "started_at": None,
        "finished_at": None,
        "updated_at": now,
    }


def _row(found: Mapping[Any, Any]) -> Row:
    media = {
        value: StoredMedia(stored["key"], Media(**stored["media"]), stored.get("number", 0))
        for value, stored in found["media"].items()
    }
    rows: Mapping[str, Any] = found["assets"] or {}
    assets = {value: Asset.model_validate(row) for value, row in rows.items()}
    error = found["error"]
    job = Job(
        id=found["id"],
        number=found["number"],
        tenant=found["tenant"],
        dialect=found["dialect"],
        provider=found["provider"],
        request=found["request"],
        created_at=_when(found["created_at"]),
        state=State(found["state"]),
        priority=found["priority"],
        progress=found["progress"],
        node=found["node"],
        eta_s=found["eta_s"],
        attempt=found["attempt"],
        prompt_id=found["prompt_id"],
        instance=found["instance"],
        template=found["template"],
        outputs=tuple(OutputFile(**output) for output in found["outputs"]),
        error=JobError(**{**error, "cause": Cause(error["cause"])}) if error else None,
        unsupported=tuple(found["unsupported"]),
        callback=Callback(**found["callback"]) if found["callback"] else None,
        media={value: stored.key for value, stored in media.items()},
        started_at=_when(found["started_at"]) if found["started_at"] is not None else None,
        finished_at=_when(found["finished_at"]) if found["finished_at"] is not None else None,
        cancel_requested=bool(found["cancel_requested"]),
    )
    return Row(job, media, found["run"], found["worker"], assets)


def _when(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _seconds(when: datetime | None) -> float | None:
    return when.timestamp() if when else None
