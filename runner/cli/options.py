"""Arguments that several commands share, and the values behind them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from runner.settings import Settings, load_settings


def add_requests(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    text = "the HTTP body of the dialect; `-` reads stdin; media may be paths relative to this file"
    parser.add_argument("request", metavar="REQUEST.json", nargs="+" if several else None, help=text)
    parser.add_argument("--dialect", metavar="D", help="the API it is written for, when its shape does not tell")


def add_catalog(parser: argparse.ArgumentParser) -> None:
    text = "a file, the URL of a ComfyUI, or a shipped version (default: the newest shipped)"
    parser.add_argument("--catalog", metavar="C", help=text)


def add_engine(parser: argparse.ArgumentParser) -> None:
    text = "sandbox, managed (starts the ComfyUI in COMFYUI_HOME), or URLs of running ComfyUIs"
    parser.add_argument("--engine", metavar="sandbox|managed|URL[,URL]", help=text)


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="DIR", type=Path, help="folder for all that is kept (default: ./data)")


def add_templates(parser: argparse.ArgumentParser) -> None:
    text = "folder of your own templates, FAMILY/NAME below it; may be repeated (default: COMFYC_TEMPLATES)"
    parser.add_argument("--templates", metavar="DIR", type=Path, action="append", help=text)


def add_out(parser: argparse.ArgumentParser, default: str | None, text: str) -> None:
    parser.add_argument("--out", metavar="DIR", type=Path, default=default and Path(default), help=text)


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings, with what the command line says on top."""
    given: dict[str, Any] = vars(args)
    return load_settings(**{name: given.get(name) for name in ("host", "port", "engine", "data", "templates")})
