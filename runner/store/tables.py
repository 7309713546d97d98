"""The tables of comfyc, the same on SQLite and PostgreSQL.

Times are seconds since the epoch as doubles: SQLite has no time type, and a double keeps microseconds for centuries.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

metadata: Final = sa.MetaData()
LIVE: Final = sa.text("finished_at IS NULL")
PENDING: Final = sa.text("state = 'pending'")
ENDING: Final = sa.text("expires_at IS NOT NULL")
NUMBER: Final = sa.Integer().with_variant(sa.BigInteger, "postgresql")
"""A primary key that counts up; SQLite does that for the type INTEGER alone."""

schema_version: Final = sa.Table("schema_version", metadata, sa.Column("version", sa.Integer, primary_key=True))

jobs: Final = sa.Table(
    "jobs",
    metadata,
    sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("dialect", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("media", sa.JSON, nullable=False),
    sa.Column("assets", sa.JSON),  # compiler.Asset as JSON, by what the request calls an imported model
    sa.Column("callback", sa.JSON),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("unsupported", sa.JSON, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("progress", sa.Double, nullable=False),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("eta_s", sa.Double),
    sa.Column("attempt", sa.Integer, nullable=False),  # the fencing token: every write of a runner names it
    sa.Column("run", sa.Integer, nullable=False),  # which of the durable queue's entries for this job counts
    sa.Column("worker", sa.Text, nullable=False),  # executor that gave it to an engine
    sa.Column("instance", sa.Text, nullable=False),
    sa.Column("prompt_id", sa.Text, nullable=False),
    sa.Column("outputs", sa.JSON, nullable=False),
    sa.Column("error", sa.JSON),
    sa.Column("cancel_requested", sa.Boolean, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("started_at", sa.Double),
    sa.Column("finished_at", sa.Double),
    sa.Column("updated_at", sa.Double, nullable=False),
    sa.Index("jobs_of_tenant", "tenant", "number"),
    sa.Index("jobs_live", "tenant", sqlite_where=LIVE, postgresql_where=LIVE),
    sqlite_autoincrement=True,  # a number is never given twice, also after the newest job was deleted
)

files: Final = sa.Table(
    "files",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),  # where it lies in storage
    sa.Column("name", sa.Text, nullable=False),  # what the caller called it
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("media", sa.JSON, nullable=False),  # compiler.media.Media as JSON
    sa.Column("created_at", sa.Double, nullable=False),
)

media: Final = sa.Table(
    "media",
    metadata,
    sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False, unique=True),  # where it lies in storage
    sa.Column("beside", sa.JSON, nullable=False),  # keys of files that go with it: a video's poster
    sa.Column("facts", sa.JSON),  # compiler.media.Media as JSON; a result's are found when it is first used again
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double),  # null: kept for ever
    sa.Column("removing", sa.Boolean, nullable=False),  # its bytes are being deleted
    sa.Index("media_ending", "expires_at", sqlite_where=ENDING, postgresql_where=ENDING),
    sqlite_autoincrement=True,
)

models: Final = sa.Table(
    "models",
    metadata,
    sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),  # the source's id of it
    sa.Column("state", sa.Text, nullable=False),  # importing, ready, failed
    sa.Column("run", sa.Integer, nullable=False),  # which of the durable queue's entries for it counts
    sa.Column("facts", sa.JSON, nullable=False),  # runner.models.source.ModelFacts as JSON
    sa.Column("got", sa.BigInteger, nullable=False),  # bytes that have come
    sa.Column("error", sa.Text, nullable=False),  # why it failed, safe to show
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("updated_at", sa.Double, nullable=False),
    sa.UniqueConstraint("tenant", "version"),
    sqlite_autoincrement=True,
)

subscriptions: Final = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("updated_at", sa.Double, nullable=False),
    sa.UniqueConstraint("tenant", "email", "plan"),
    sqlite_autoincrement=True,
)

api_keys: Final = sa.Table(
    "api_keys",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),  # SHA-256 of the key: the key itself is never stored
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("hint", sa.Text, nullable=False),  # the first characters, for `comfyc keys list`
    sa.Column("admin", sa.Boolean, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("revoked_at", sa.Double),
)

outbox: Final = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # `webhook-id`: the same for every try of one message
    sa.Column("job_id", sa.Text, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # pending, delivered, dead
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("error", sa.Text, nullable=False),  # why the last try failed
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("updated_at", sa.Double, nullable=False),
    sa.Index("outbox_of_job", "job_id"),
    sa.Index("outbox_pending", "updated_at", sqlite_where=PENDING, postgresql_where=PENDING),
)

timings: Final = sa.Table(
    "timings",
    metadata,
    sa.Column("template", sa.Text, primary_key=True),
    sa.Column("instance", sa.Text, primary_key=True),
    sa.Column("runs", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Double, nullable=False),  # moving mean of a whole run
    sa.Column("steps", sa.Double, nullable=False),  # moving mean of its sampler steps
)

workers: Final = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # the executor id that the durable queue knows it by
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("slots", sa.Integer, nullable=False),
    sa.Column("beat", sa.Double, nullable=False),  # by the database's clock: hosts may disagree about the time
)
