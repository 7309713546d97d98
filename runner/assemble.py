"""The composition root: the only place that knows which parts a running comfyc is made of."""

from __future__ import annotations

import shlex
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from starlette.applications import Starlette

from compiler import Library, load_library
from compiler.errors import Fault
from runner.api.app import create_app
from runner.api.desk import ApiConfig
from runner.api.dialects import webhook_encoder
from runner.api.links import Links
from runner.backend import Backend
from runner.engine.open import open_engines
from runner.engine.options import EngineOptions
from runner.engine.pool import Pool
from runner.engine.sandbox.stock import stock
from runner.job import State
from runner.secrets import url_secret, webhook_secret
from runner.settings import Settings, SettingsError
from runner.store.database import Database
from runner.store.files import SqlFiles
from runner.store.guard import Guard
from runner.store.keys import KeyRing, SqlKeys
from runner.store.media import MediaStore
from runner.store.migrations import SchemaError
from runner.store.storage import LocalStorage
from runner.telemetry import Telemetry, Vitals


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
        sandbox_catalog=stock(library, settings.sandbox_version),
        models=settings.models,
        devices=settings.devices or None,
        arguments=tuple(shlex.split(settings.comfyui_arguments)),
    )


@dataclass(frozen=True, slots=True)
class Comfyc:
    """A running comfyc: what `serve` needs of it."""

    app: Starlette
    keys: KeyRing
    pool: Pool


@asynccontextmanager
async def assemble(settings: Settings, public_url: str) -> AsyncGenerator[Comfyc]:
    """Everything, started; stopped in the opposite order at the end.

    `public_url` is where callers reach the API when the settings do not say: webhooks have no Host header to go by.
    Errors: SettingsError, TemplateError, EngineSpecError; EngineError if a managed ComfyUI does not start.
    """
    library, guard, telemetry = library_of(settings), Guard(settings.allow_hosts), Telemetry()
    storage = LocalStorage(settings.storage_dir)
    links = Links(url_secret(settings), settings.public_url.rstrip("/") or public_url, settings.url_seconds)
    async with open_database(settings) as database, open_pool(settings, library) as pool:
        media = MediaStore(storage, SqlFiles(database), guard)
        async with Backend(
            database,
            pool,
            library,
            storage,
            media,
            encode_webhook=webhook_encoder(links),
            webhook_secret=webhook_secret(settings),
            client=guard.guarded_client,
            count_job=telemetry.job,
            count_webhook=telemetry.webhook,
        ) as backend:
            keys = key_ring(settings, database)
            config = ApiConfig(
                secret=links.secret,
                public_url=settings.public_url,
                url_seconds=settings.url_seconds,
                active_jobs=settings.active_jobs,
            )

            async def vitals() -> Vitals:
                count = await backend.jobs.count()
                health = {one.name: one.health.value for one in pool.instances()}
                return Vitals(True, health, count.get(State.QUEUED, 0), count.get(State.RUNNING, 0))

            app = create_app(
                backend.service, media, storage, keys, config, guard=guard, telemetry=telemetry, vitals=vitals
            )
            yield Comfyc(app, keys, pool)


@asynccontextmanager
async def open_pool(settings: Settings, library: Library) -> AsyncGenerator[Pool]:
    """The engines of the settings under watch."""
    pool = Pool(await open_engines(settings.engine, engine_options(settings, library)))
    await pool.start()
    try:
        yield pool
    finally:
        await pool.stop()


def key_ring(settings: Settings, database: Database) -> KeyRing:
    """The keys of the settings and of the database."""
    fixed = [(tenant, key.get_secret_value()) for tenant, key in settings.api_keys]
    return KeyRing(SqlKeys(database), fixed, [key.get_secret_value() for key in settings.admin_keys])


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
        except SchemaError as error:
            raise SettingsError(Fault("COMFYC_DATABASE", str(error))) from error
        except SQLAlchemyError as error:
            shown = database.url.render_as_string(hide_password=True)
            why = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            cure = "Is the server running, and is COMFYC_DATABASE right?"
            raise SettingsError(Fault("COMFYC_DATABASE", f"{shown}: {why}", cure)) from error
        yield database
    finally:
        await database.close()
