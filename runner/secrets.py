"""Secrets that comfyc makes for itself on first start, kept in the data folder, readable by their owner only."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from compiler.errors import Fault
from runner.settings import Settings, SettingsError
from runner.webhooks import PREFIX, BadSecret, Signer


def url_secret(settings: Settings) -> bytes:
    """Signs media links."""
    return (settings.url_secret.get_secret_value() or kept(settings, "url-secret", secrets.token_hex(32))).encode()


def webhook_secret(settings: Settings) -> str:
    """Signs webhooks, as Standard Webhooks writes it: `whsec_` and base64. Errors: SettingsError if it is not that."""
    fresh = PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    secret = settings.webhook_secret.get_secret_value() or kept(settings, "webhook-secret", fresh)
    try:
        Signer(secret)
    except BadSecret as error:
        what = "is not whsec_ and 24 to 64 bytes in base64"
        raise SettingsError(Fault("COMFYC_WEBHOOK_SECRET", what, "Leave it out: one is made")) from error
    return secret


def kept(settings: Settings, name: str, fresh: str) -> str:
    """The secret of this name; on first use `fresh`, unless another process is first.

    Errors: SettingsError if the data folder cannot be read or written.
    """
    if not load(settings, name):
        with writing(settings, name) as (part, path):
            part.write_text(fresh, encoding="utf-8")
            with suppress(FileExistsError):
                os.link(part, path)
    return load(settings, name)


def load(settings: Settings, name: str) -> str:
    """A kept secret, or nothing. Errors: SettingsError if it cannot be read."""
    path = place(settings, name)
    try:
        return path.read_text(encoding="utf-8").strip() if path.exists() else ""
    except OSError as error:
        raise SettingsError(Fault(str(path), error.strerror or str(error), "Whose file is it?")) from error


def store(settings: Settings, name: str, secret: str) -> None:
    """Keeps a secret in place of the one before. Errors: SettingsError if it cannot be written."""
    with writing(settings, name) as (part, path):
        part.write_text(secret, encoding="utf-8")
        part.replace(path)


def place(settings: Settings, name: str) -> Path:
    return settings.data / "secrets" / name


@contextmanager
def writing(settings: Settings, name: str) -> Generator[tuple[Path, Path]]:
    """(a fresh file that only its owner reads, where it belongs): a reader never sees half a secret."""
    path = place(settings, name)
    part = path.with_name(f".{name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part.touch(mode=0o600)
        yield part, path
    except OSError as error:
        cure = "Set COMFYC_DATA to a folder of yours"
        raise SettingsError(Fault(str(path), error.strerror or str(error), cure)) from error
    finally:
        part.unlink(missing_ok=True)
