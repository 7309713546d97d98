"""The composition root: the only place that knows which parts a running comfyc is made of."""

from __future__ import annotations

import shlex
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit

from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from starlette.applications import Starlette

from compiler import Library, load_library
from compiler.errors import Fault
from runner.api.app import create_app
from runner.api.desk import ApiConfig
from runner.api.dialects import webhook_encoder
from runner.api.links import Links
from runner.backend import Backend
from runner.durable import Durable
from runner.engine.open import open_engines
from runner.engine.options import EngineOptions
from runner.engine.pool import Pool
from runner.engine.sandbox.stock import stock
from runner.job import State
from runner.models.download import MB, Downloader
from runner.models.importer import Importer, Shelves
from runner.models.rows import ModelRows
from runner.models.source import Civitai
from runner.secrets import url_secret, webhook_secret
from runner.settings import TENANT, Settings, SettingsError
from runner.store.database import Database
from runner.store.files import SqlFiles
from runner.store.guard import Guard
from runner.store.jobs import JobStore
from runner.store.keys import PREFIX, KeyRing, SqlKeys
from runner.store.media import MediaStore
from runner.store.migrations import SchemaError
from runner.store.retention import Lifetimes, Retention, shelve_outputs
from runner.store.shelf import SqlShelf
from runner.store.storage import LocalStorage
from runner.store.subscriptions import SqlSubscriptions
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
        loras=settings.loras_dir,
        devices=settings.devices or None,
        arguments=tuple(shlex.split(settings.comfyui_arguments)),
        partner_key=settings.comfy_org_key.get_secret_value(),
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
        files, shelf, lifetimes = SqlFiles(database), SqlShelf(database), Lifetimes(dict(settings.media_hours))
        media = MediaStore(storage, files, guard, shelf, lifetimes)
        async with Backend(
            database,
            pool,
            library,
            storage,
            media,
            encode_webhook=webhook_encoder(links),
            webhook_secret=webhook_secret(settings),
            client=guard.guarded_client,
            models=lambda durable: model_importer(settings, database, durable, pool, library),
            shelve=partial(shelve_outputs, shelf, lifetimes),
            running=settings.running_jobs,
            chores=(Retention(shelf, files, storage, JobStore(database).media_in_use).sweep,),
            count_job=telemetry.job,
            count_webhook=telemetry.webhook,
        ) as backend:
            own_key = f"{PREFIX}{token_hex(32)}" if settings.alone else ""
            keys = key_ring(settings, database, own_key)

            async def vitals() -> Vitals:
                count = await backend.jobs.count()
                health = {one.name: one.health.value for one in pool.instances()}
                return Vitals(True, health, count.get(State.QUEUED, 0), count.get(State.RUNNING, 0))

            app = create_app(
                backend.service,
                media,
                storage,
                keys,
                api_config(settings, links.secret, own_key),
                guard=guard,
                telemetry=telemetry,
                vitals=vitals,
                library=library,
                models=backend.models,
                subscriptions=SqlSubscriptions(database),
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


def api_config(settings: Settings, secret: bytes, own_key: str) -> ApiConfig:
    """What the API needs of the settings; `secret` signs its links, `own_key` is that of this process's own page."""
    return ApiConfig(
        secret=secret,
        public_url=settings.public_url,
        url_seconds=settings.url_seconds,
        active_jobs=settings.active_jobs,
        running_jobs=settings.running_jobs,
        queued_jobs=settings.queued_jobs,
        llm_backend=settings.llm_backend,
        llm_model=settings.llm_model,
        local_key=own_key,
    )


def model_importer(settings: Settings, database: Database, durable: Durable, pool: Pool, library: Library) -> Importer:
    """What brings LoRA from the source of the settings into the engines' folder. The source's own host is the
    operator's choice, so it may be a private one; where it sends downloads to may not."""
    host = urlsplit(settings.civitai_url).hostname or ""
    guard = Guard((*settings.allow_hosts, host))
    source = Civitai(guard, settings.civitai_url, settings.civitai_token.get_secret_value())
    downloader = Downloader(guard, settings.civitai_url, source.headers, settings.model_limit_mb * MB)
    shelves = Shelves(settings.loras_dir, library.tables["base_models"], pool.restock)
    return Importer(ModelRows(database), source, downloader, durable, shelves)


def key_ring(settings: Settings, database: Database, own_key: str = "") -> KeyRing:
    """The keys of the settings and of the database, and one for this process's own page."""
    fixed = [(tenant, key.get_secret_value()) for tenant, key in settings.api_keys]
    fixed += [(TENANT, own_key)] if own_key else []
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
