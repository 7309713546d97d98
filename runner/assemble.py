"""The composition root: the only place that knows which parts a running comfyc is made of."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from compiler.errors import Fault
from runner.settings import Settings, SettingsError
from runner.store.database import Database


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncGenerator[Database]:
    """The database of the settings, its tables made or updated.

    Errors: SettingsError if it cannot be opened.
    """
    try:
        database = Database(settings.database_url)
    except (ValueError, ArgumentError) as error:
        raise SettingsError(Fault("COMFYC_DATABASE", str(error))) from error
    try:
        try:
            await database.open()
        except SQLAlchemyError as error:
            shown = database.url.render_as_string(hide_password=True)
            why = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            cure = "Is the server running, and is COMFYC_DATABASE right?"
            raise SettingsError(Fault("COMFYC_DATABASE", f"{shown}: {why}", cure)) from error
        yield database
    finally:
        await database.close()
