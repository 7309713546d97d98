"""What compile, explain and run do first: settings, library, request, media."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from compiler.media import Media
from runner.cli.media_files import media_store, resolve_media
from runner.cli.request_file import RequestFile, load_request
from runner.settings import Settings


def read_request(args: argparse.Namespace, source: str, settings: Settings) -> tuple[RequestFile, Mapping[str, Media]]:
    """The request and the facts of its media; nothing of them is kept."""
    file = load_request(source, args.dialect)
    with TemporaryDirectory(prefix="comfyc-") as folder:
        found = asyncio.run(resolve_media(file, media_store(Path(folder), settings)))
    return file, {value: stored.media for value, stored in found.items()}
