"""What compile, explain and run do first: settings, library, request, media."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from compiler import Library, load_library
from compiler.media import Media
from runner.cli.media_files import media_store, resolve_media
from runner.cli.request_file import RequestFile, load_request
from runner.settings import Settings


def library_of(settings: Settings) -> Library:
    """The shipped templates and tables, with those that the settings add.

    Errors: TemplateError if a file is wrong.
    """
    return load_library(asset_files=settings.assets, template_dirs=settings.templates)


def read_request(args: argparse.Namespace, source: str, settings: Settings) -> tuple[RequestFile, Mapping[str, Media]]:
    """The request and the facts of its media; nothing of them is kept."""
    file = load_request(source, args.dialect)
    with TemporaryDirectory(prefix="comfyc-") as folder:
        found = asyncio.run(resolve_media(file, media_store(Path(folder), settings)))
    return file, {value: stored.media for value, stored in found.items()}
