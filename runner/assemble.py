"""The composition root: the only place that knows which parts a running comfyc is made of."""

from __future__ import annotations

import shlex
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from compiler import Library, load_library, shipped_catalog
from compiler.errors import Fault
from runner.engine.open import EngineOptions
from runner.settings import Settings, SettingsError
from runner.store.database import Database


def library_of(settings: Settings) -> Library:
    """The shipped templates and tables, with those that the settings add.

    Errors: TemplateError if a file is wrong.
    """
    return load_library(asset_files=settings.assets, template_dirs=settings.templates)


def engine_options(settings: Settings, library: Library, data: Path | None = None) -> EngineOptions:
    """What opening engines needs; `data` in place of the settings' data folder."""
    return EngineOptions(
        data=data or settings.data,
        comfyui_home=settings.comfyui_home,
        instances=settings.instances,
        sandbox_version=settings.sandbox_version,
        sandbox_step_seconds=settings.sandbox_step_seconds,
        sandbox_catalog=library.stocked(shipped_catalog(settings.sandbox_version)),
        models=settings.models,
        devices=settings.devices or None,
        arguments=tuple(shlex.split(settings.comfyui_arguments)),
    )


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
