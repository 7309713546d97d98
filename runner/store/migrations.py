"""Schema versions, in order. A fresh database gets tables.py at once; an older one is brought forward step by step.

To change a table: change tables.py, and append a step here that does the same to a database in use. Steps are never
edited or removed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import sqlalchemy as sa

from runner.store.tables import media, metadata, models, schema_version, subscriptions

Step: TypeAlias = Callable[[sa.Connection], None]


class SchemaError(Exception):
    """The database was made by a newer comfyc."""


def _numbers_and_models(connection: sa.Connection) -> None:
    """Numbers and ends of media, imported models, subscriptions. Whoever changes one of these tables later writes it
    out here first, as it was then."""
    connection.execute(sa.text("ALTER TABLE jobs ADD COLUMN assets JSON"))
    for table in (media, models, subscriptions):
        table.create(connection)


STEPS: Final[Sequence[Step]] = (_numbers_and_models,)
"""Step n brings a database of version n + 1 to version n + 2: version 1 is the first that was ever shipped."""


def migrate(connection: sa.Connection, steps: Sequence[Step] = STEPS) -> int:
    """Brings the database to the newest version, within the caller's transaction and lock; returns that version."""
    newest = len(steps) + 1
    if not sa.inspect(connection).has_table(schema_version.name):
        metadata.create_all(connection)
        connection.execute(schema_version.insert().values(version=newest))
        return newest
    version = connection.scalar(sa.select(schema_version.c.version)) or 0
    if version > newest:
        raise SchemaError(f"the database has schema version {version}, this comfyc knows {newest}. Update comfyc.")
    for step in steps[version - 1 :]:
        step(connection)
    if version < newest:
        connection.execute(schema_version.update().values(version=newest))
    return newest
