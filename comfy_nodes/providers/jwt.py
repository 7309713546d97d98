"""JSON Web Tokens with HS256 (RFC 7519), as far as a provider asks for one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from typing import Any

LIFETIME = 1800
"""Seconds."""


def signed(keys: Sequence[str], now: float | None = None) -> str:
    """`Bearer` and a token of an access key and its secret, good for half an hour."""
    access, secret = keys
    at = int(time.time() if now is None else now)
    head = _part({"alg": "HS256", "typ": "JWT"})
    claims = _part({"iss": access, "exp": at + LIFETIME, "nbf": at - 5})
    digest = hmac.new(secret.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()
    return f"Bearer {head}.{claims}.{_text(digest)}"


def _part(data: dict[str, Any]) -> str:
    return _text(json.dumps(data, separators=(",", ":")).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
